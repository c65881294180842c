"""Grow the forest: parents and children linked, in the order in which the spans started."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from pytest_otel_spans.nodes import Event, Grove, Link, Scope, SpanNode, Status

if TYPE_CHECKING:  # growing needs no SDK, and importing this module loads none
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["Event", "Forest", "Link", "Scope", "Sighting", "SpanNode", "Status", "grow"]


class Sighting(NamedTuple):
    """What a capture saw of one span.

    Attributes:
        span: The live or the finished span; one whose `end_time` is None never ended.
        sequence: When it started, counted over the whole process.
        thread: The name of the thread on which it started.
        end_sequence: When it ended, in the same count; None while nobody saw it end.
    """

    span: ReadableSpan
    sequence: int
    thread: str
    end_sequence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forest:
    """Every span that was seen, as trees.

    Attributes:
        roots: The trees, in start order.
        nodes: Every node, in start order.
        orphans: The roots that name a parent of this process which was not captured.
        unfinished: The nodes that never ended.
        ties: Whether siblings started at the same time and nobody saw which came first, so that
            the order of arrival decided.
    """

    roots: tuple[SpanNode, ...]
    nodes: tuple[SpanNode, ...]
    orphans: tuple[SpanNode, ...]
    unfinished: tuple[SpanNode, ...]
    ties: bool


def grow(spans: Iterable[ReadableSpan | Sighting]) -> Forest:
    """Build the forest of these spans.

    Nodes stand in the order of their sequence where every start was seen, else by start time,
    then parents before children, then arrival. A span given twice is one node.
    """
    grove = Grove()
    nodes = _plant(spans, grove)
    orphans = _attach(nodes, grove)
    clockless = all(node.sequence is not None for node in nodes)
    nodes = sorted(nodes, key=attrgetter("sequence")) if clockless else _by_start(nodes)
    for order, node in enumerate(nodes):
        node.order = order
    _cut_loops(nodes, orphans)
    grove.roots = _settle(nodes)
    unfinished = tuple([node for node in nodes if node.end_ns is None])
    for node in unfinished:
        _ = node.attributes, node.status, node.events, node.links  # a live span may still change
    return Forest(
        roots=grove.roots,
        nodes=tuple(nodes),
        orphans=tuple([root for root in grove.roots if root in orphans]),
        unfinished=unfinished,
        ties=not clockless and _siblings_tie(nodes, grove.roots),
    )


def _plant(spans: Iterable[ReadableSpan | Sighting], grove: Grove) -> list[SpanNode]:
    nodes: list[SpanNode] = []
    for seen in spans:
        if isinstance(seen, Sighting):
            node = SpanNode(seen.span, grove, seen.sequence, seen.thread)
            node.end_sequence = seen.end_sequence
        else:
            node = SpanNode(seen, grove, None, None)
        twin = grove.by_context.setdefault(id(node.span.context or node), node)
        if twin is node or twin.span is not node.span:
            nodes.append(node)
    return nodes


def _attach(nodes: list[SpanNode], grove: Grove) -> set[SpanNode]:
    """Point every node at its parent; return those whose parent should be here and is not."""
    orphans: set[SpanNode] = set()
    by_context = grove.by_context
    for node in nodes:
        above = node.span.parent
        if above is None:
            continue
        node.parent = by_context.get(id(above))
        if node.parent is None and above.span_id:
            node.remote_parent = above.is_remote
            node.parent = grove.find(above)
            if node.parent is None and not above.is_remote:
                orphans.add(node)
    return orphans


def _by_start(nodes: list[SpanNode]) -> list[SpanNode]:
    """Sort by start time, then parents first, then arrival."""
    ordered: list[SpanNode] = []
    for _, group in groupby(sorted(nodes, key=_start), key=_start):
        together = list(group)
        ordered += _parents_first(together) if len(together) > 1 else together
    return ordered


def _parents_first(nodes: list[SpanNode]) -> list[SpanNode]:
    """Order nodes topologically, by position among those whose parent stands already.

    A topological order, not a comparison of pairs: "parent before child, else arrival" is not
    transitive, and a sort that believes it leaves parents behind their children.
    """
    position = {node: index for index, node in enumerate(nodes)}
    waiting: dict[SpanNode, list[int]] = {}
    ready: list[int] = []
    for node, index in position.items():
        if node.parent is not None and node.parent in position:
            waiting.setdefault(node.parent, []).append(index)
        else:
            ready.append(index)
    ordered: list[SpanNode] = []
    while ready:
        node = nodes[heapq.heappop(ready)]
        ordered.append(node)
        for index in waiting.pop(node, ()):
            heapq.heappush(ready, index)
    return ordered + [nodes[index] for indexes in waiting.values() for index in indexes]


def _cut_loops(nodes: list[SpanNode], orphans: set[SpanNode]) -> None:
    """Make a root of one node in every ring of parents, which broken ids can form.

    A ring holds a node that stands before its own parent, and few nodes do.
    """
    for node in nodes:
        if node.parent is None or node.parent.order < node.order:
            continue
        above = {node}
        for ancestor in node.parent.lineage():
            if ancestor is node:
                node.parent = None
                orphans.add(node)
            if ancestor in above:
                break
            above.add(ancestor)


def _settle(nodes: list[SpanNode]) -> tuple[SpanNode, ...]:
    """Hand every parent its children, number the traces, and return the roots."""
    roots: list[SpanNode] = []
    broods: list[list[SpanNode] | None] = [None] * len(nodes)
    traces: dict[int, int] = {}
    for node in nodes:
        parent = node.parent
        if parent is None:
            roots.append(node)
        elif (brood := broods[parent.order]) is None:
            broods[parent.order] = [node]
        else:
            brood.append(node)
        if parent is not None and parent.trace:
            node.trace = parent.trace
        else:
            context = node.span.context
            trace_id = context.trace_id if context else -node.order
            node.trace = traces.setdefault(trace_id, len(traces) + 1)
    for node, brood in zip(nodes, broods, strict=True):
        if brood is not None:
            node.children = tuple(brood)
    return tuple(roots)


def _siblings_tie(nodes: Iterable[SpanNode], roots: Sequence[SpanNode]) -> bool:
    """Whether two siblings, or two roots, share a start time."""
    families = chain([roots], (node.children for node in nodes if len(node.children) > 1))
    return any(
        older.start_ns == younger.start_ns for f in families for older, younger in pairwise(f)
    )


def _start(node: SpanNode) -> int:
    return node.start_ns
