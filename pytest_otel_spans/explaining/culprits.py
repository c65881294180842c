"""Show what a `never` forbids where it stands, also in a part of the tree that holds otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

from pytest_otel_spans.explaining.draft import Draft
from pytest_otel_spans.matching.terrain import Terrain
from pytest_otel_spans.text.render import title
from pytest_otel_spans.tree import SpanNode

__all__ = ["Culprits"]

_SHOWN: Final = 3
_REMARK: Final = "+ forbidden by never"


class Culprits:
    """The first few spans that each `never` forbids, and those above them."""

    def __init__(self, terrain: Terrain) -> None:
        self._terrain = terrain
        self._culprits: set[SpanNode] = set()
        self._above: set[SpanNode] = set()

    def accuse(self, nodes: Iterable[SpanNode]) -> None:
        """Note that these are forbidden."""
        for node in islice(nodes, _SHOWN):
            self._culprits.add(node)
            self._above.update(node.lineage())

    def settle(self, node: SpanNode, entry: Draft) -> None:
        """Write the entry of a tree that holds: one line, or the way down to its culprits."""
        waiting = [(node, entry)]
        while waiting:
            node, entry = waiting.pop()
            if node not in self._above:
                entry.settled = 1 + len(range(*self._terrain.below(node)))
                continue
            self.mark(node, entry)
            entry.children = [Draft(text=title(child)) for child in node.children]
            waiting += zip(node.children, entry.children, strict=True)

    def mark(self, node: SpanNode, entry: Draft) -> None:
        """Write a remark if the span is forbidden and there is none yet."""
        if node in self._culprits and not entry.remark:
            entry.remark = _REMARK
