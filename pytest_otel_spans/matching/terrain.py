"""Know where nodes stand: which lie below which, and which bear a name."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_otel_spans.patterns.expected import SpanPattern
from pytest_otel_spans.patterns.names import name_matches
from pytest_otel_spans.tree import Forest, SpanNode

__all__ = ["Terrain"]


class Terrain:
    """A forest walked once, parents before children, each tree from its first to its last leaf.

    What stands below a node is then one stretch of the walk.

    Attributes:
        walk: Every node, in the order of the walk.
        step: For each node, by `SpanNode.order`: when the walk came to it.
    """

    __slots__ = ("_by_name", "_last", "step", "walk")

    def __init__(self, forest: Forest) -> None:
        self.walk: list[SpanNode] = []
        self.step = [0] * len(forest.nodes)
        self._by_name: dict[str, list[SpanNode]] = {}
        waiting = list(reversed(forest.roots))
        while waiting:
            node = waiting.pop()
            self.step[node.order] = len(self.walk)
            self.walk.append(node)
            self._by_name.setdefault(node.name, []).append(node)
            waiting.extend(reversed(node.children))
        self._last = list(self.step)
        for node in reversed(self.walk):
            if node.children:
                self._last[node.order] = self._last[node.children[-1].order]

    def below(self, node: SpanNode | None) -> tuple[int, int]:
        """The first step below the node, and the first one after; below None lies the forest."""
        if node is None:
            return 0, len(self.walk)
        return self.step[node.order] + 1, self._last[node.order] + 1

    def named(self, pattern: SpanPattern) -> Iterator[SpanNode]:
        """Yield the nodes whose name the pattern takes."""
        if pattern.fixed is not None:
            yield from self._by_name.get(pattern.fixed, ())
            return
        for name, nodes in self._by_name.items():
            if name_matches(pattern.name, name):
                yield from nodes
