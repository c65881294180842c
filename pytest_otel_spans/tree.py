"""Grow the forest: spans as plain nodes, parents and children linked, in the order they started."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # readers of a forest need no SDK, and importing this module loads none
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext

__all__ = ["Event", "Forest", "Link", "Scope", "Sighting", "SpanNode", "Status", "grow"]


class Sighting(NamedTuple):
    """What a capture saw of one span.

    Attributes:
        span: The live or the finished span; one whose `end_time` is None never ended.
        sequence: When it started, counted over the whole process.
        thread: The name of the thread on which it started.
    """

    span: ReadableSpan
    sequence: int
    thread: str


class Status(NamedTuple):
    """A span's status: `code` is "unset", "ok" or "error"."""

    code: str
    description: str | None = None


class Event(NamedTuple):
    """One event of a span; an exception is the event named "exception"."""

    name: str
    attributes: Mapping[str, Any]


class Link(NamedTuple):
    """A link to another span: `target` is its node, or None when that span was not captured."""

    target: SpanNode | None
    attributes: Mapping[str, Any]


class Scope(NamedTuple):
    """The instrumentation scope (the tracer) that made a span."""

    name: str
    version: str | None


class _Grove:
    """What the nodes of one forest share: whose context is whose, and which nodes are roots.

    In one process a child holds the very context of its parent, so that nearly every parent is
    found by the identity of that object; ids are compared only where it is not.
    """

    __slots__ = ("by_context", "by_id", "roots")

    def __init__(self) -> None:
        self.by_context: dict[int, SpanNode] = {}
        self.by_id: dict[tuple[int, int], SpanNode] = {}
        self.roots: tuple[SpanNode, ...] = ()

    def find(self, context: SpanContext) -> SpanNode | None:
        """Return the node of the span with this context, None when it was not captured."""
        known = self.by_context.get(id(context))
        if known is not None:
            return known
        if not self.by_id:
            for node in self.by_context.values():
                if (own := node.span.context) is not None:
                    self.by_id.setdefault((own.trace_id, own.span_id), node)
        return self.by_id.get((context.trace_id, context.span_id))


class SpanNode:
    """One span in its tree.

    Nodes compare by identity. What a finished span holds is read when it is asked for; what an
    unfinished one holds is copied when the forest grows, so that a forest never changes.

    Attributes:
        name: The span's name.
        parent: The node above, None for a root (also for a span whose parent was not captured).
        children: The nodes below, in start order.
        start_ns: Start, in nanoseconds since the epoch; 0 when the span does not say.
        end_ns: End, in nanoseconds since the epoch; None when the span never ended.
        thread: The name of the thread that started it, None when nobody saw the start.
        remote_parent: Whether its parent came from another process.
        trace: Which trace it belongs to: 1 is the trace that started first.
        order: Its position in `Forest.nodes`.
        sequence: When it started among all spans of the process, None when nobody saw it.
        span: The SDK's span itself, for what a node does not say (its ids, for instance).
    """

    __slots__ = (
        "_attributes",
        "_events",
        "_grove",
        "_links",
        "_status",
        "children",
        "end_ns",
        "name",
        "order",
        "parent",
        "remote_parent",
        "sequence",
        "span",
        "start_ns",
        "thread",
        "trace",
    )

    def __init__(
        self, span: ReadableSpan, grove: _Grove, sequence: int | None, thread: str | None
    ) -> None:
        self.span = span
        self.name = span.name
        self.start_ns = span.start_time or 0
        self.end_ns = span.end_time
        self.thread = thread
        self.sequence = sequence
        self.children: tuple[SpanNode, ...] = ()
        self.parent: SpanNode | None = None
        self.remote_parent = False
        self.trace = 0
        self.order = 0
        self._grove = grove
        self._attributes: dict[str, Any] | None = None
        self._status: Status | None = None
        self._events: tuple[Event, ...] | None = None
        self._links: tuple[Link, ...] | None = None

    @property
    def kind(self) -> str:
        """`"internal"`, `"server"`, `"client"`, `"producer"` or `"consumer"`."""
        return self.span.kind.name.lower()

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The attributes; the SDK has turned every list into a tuple."""
        if self._attributes is None:
            self._attributes = dict(self.span.attributes or {})
        return self._attributes

    @property
    def status(self) -> Status:
        """The status when the forest grew."""
        if self._status is None:
            status = self.span.status
            self._status = Status(status.status_code.name.lower(), status.description)
        return self._status

    @property
    def events(self) -> tuple[Event, ...]:
        """The events, in the order they were added."""
        if self._events is None:
            self._events = tuple(
                Event(event.name, dict(event.attributes or {})) for event in self.span.events
            )
        return self._events

    @property
    def links(self) -> tuple[Link, ...]:
        """The links, in the order they were added."""
        if self._links is None:
            self._links = tuple(
                Link(self._grove.find(link.context), dict(link.attributes or {}))
                for link in self.span.links
            )
        return self._links

    @property
    def resource(self) -> Mapping[str, Any]:
        """The attributes of the resource that made the span."""
        return self.span.resource.attributes

    @property
    def scope(self) -> Scope | None:
        """The instrumentation scope, None when the span names none."""
        scope = self.span.instrumentation_scope
        return None if scope is None else Scope(scope.name, scope.version)

    @property
    def ended(self) -> bool:
        """Whether the span ended before the forest grew."""
        return self.end_ns is not None

    @property
    def duration_ns(self) -> int | None:
        """Nanoseconds from start to end, None when the span never ended."""
        return None if self.end_ns is None else self.end_ns - self.start_ns

    @property
    def path(self) -> str:
        """Where the node stands: `run_project/task:t1/llm_call:generate[1]`.

        `[n]` counts the siblings of that name from 0 and stands only where there are several.
        """
        return "/".join(reversed([node.step for node in self.lineage()]))

    def lineage(self) -> Iterator[SpanNode]:
        """Yield the node, its parent, and so on up to the root."""
        node: SpanNode | None = self
        while node is not None:
            yield node
            node = node.parent

    @property
    def step(self) -> str:
        """The last step of the path: the name, with `[n]` where siblings share it."""
        siblings = self._grove.roots if self.parent is None else self.parent.children
        namesakes = [node for node in siblings if node.name == self.name]
        return f"{self.name}[{namesakes.index(self)}]" if len(namesakes) > 1 else self.name

    def __getitem__(self, key: str) -> Any:
        try:
            return self.attributes[key]
        except KeyError:
            keys = ", ".join(map(repr, self.attributes)) or "none"
            raise KeyError(f"{self.path} has no attribute {key!r}; it has {keys}") from None

    def __repr__(self) -> str:
        state = "" if self.ended else ", never ended"
        return f"<span {self.name!r} of trace {self.trace}, {len(self.children)} children{state}>"


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
    grove = _Grove()
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


def _plant(spans: Iterable[ReadableSpan | Sighting], grove: _Grove) -> list[SpanNode]:
    nodes: list[SpanNode] = []
    for seen in spans:
        if isinstance(seen, Sighting):
            node = SpanNode(seen.span, grove, seen.sequence, seen.thread)
        else:
            node = SpanNode(seen, grove, None, None)
        twin = grove.by_context.setdefault(id(node.span.context or node), node)
        if twin is node or twin.span is not node.span:
            nodes.append(node)
    return nodes


def _attach(nodes: list[SpanNode], grove: _Grove) -> set[SpanNode]:
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
