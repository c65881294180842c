"""One span as a plain node of its tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # readers of a node need no SDK, and importing this module loads none
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext

__all__ = ["Event", "Grove", "Link", "Scope", "SpanNode", "Status"]


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


class Grove:
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

    Nodes of one forest compare by identity, and equal those of the same span in a later forest
    of the same capture. What a finished span holds is read when it is asked for; what an
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
        end_sequence: When it ended, in the count of `sequence`; None when nobody saw it.
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
        "end_sequence",
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
        self, span: ReadableSpan, grove: Grove, sequence: int | None, thread: str | None
    ) -> None:
        self.span = span
        self.name = span.name
        self.start_ns = span.start_time or 0
        self.end_ns = span.end_time
        self.thread = thread
        self.sequence = sequence
        self.end_sequence: int | None = None
        self.children: tuple[SpanNode, ...] = ()
        self.parent: SpanNode | None = None
        self.remote_parent = False
        self.trace = 0
        self.order = 0
        self._grove = grove
        self._attributes: Mapping[str, Any] | None = None
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
            self._attributes = _copied(self.span.attributes)
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
                Event(event.name, _copied(event.attributes)) for event in self.span.events
            )
        return self._events

    @property
    def links(self) -> tuple[Link, ...]:
        """The links, in the order they were added."""
        if self._links is None:
            self._links = tuple(
                Link(self._grove.find(link.context), _copied(link.attributes))
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
        __tracebackhide__ = True
        try:
            return self.attributes[key]
        except KeyError:
            keys = ", ".join(map(repr, self.attributes)) or "none"
            raise KeyError(f"{self.path} has no attribute {key!r}; it has {keys}") from None

    def __eq__(self, other: object) -> bool:
        if self is other or not isinstance(other, SpanNode):
            return self is other or NotImplemented
        # The live span and the finished one hold the very same context, and so do their forests.
        own = self.span.context
        return own is not None and own is other.span.context and self._grove is not other._grove

    def __hash__(self) -> int:
        return id(self.span.context or self)

    def __repr__(self) -> str:
        state = "" if self.ended else ", never ended"
        return f"<span {self.name!r} of trace {self.trace}, {len(self.children)} children{state}>"


def had_ended(one: SpanNode, other: SpanNode) -> bool:
    """Whether a span had ended when the other started: as it was seen, else by the clock."""
    if one.end_ns is None:
        return False
    if one.end_sequence is not None and other.sequence is not None:
        return one.end_sequence < other.sequence
    return one.end_ns <= other.start_ns and one.start_ns < other.start_ns


def _copied(attributes: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Copy attributes; the SDK's mapping copies itself ten times as fast as it is iterated."""
    copy: Callable[[], Mapping[str, Any]] | None = getattr(attributes, "copy", None)
    return dict(attributes or {}) if copy is None else copy()
