"""Take spans from where a test has them: a capture, an exporter, or a list."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from operator import attrgetter
from typing import (
    TYPE_CHECKING,
    Final,
    NamedTuple,
    Protocol,
    TypeAlias,
    TypeGuard,
    runtime_checkable,
)

from pytest_otel_spans.tree import Forest, Sighting, SpanNode, grow

if TYPE_CHECKING:  # spans come from outside; this module needs no SDK to take them
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["Source", "Spans", "source_of"]

_WANTED: Final = (
    "spans, which come first, are the fixture `spans` or `otlp_spans`, what a query found in it, "
    "an InMemorySpanExporter, or a list of spans"
)


class Capture(Protocol):
    """What is asked of the fixtures' captures."""

    @property
    def forest(self) -> Forest:
        """The spans as they stand now."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the spans should know."""

    def why_empty(self) -> str:
        """Say why there is no span."""

    def wait_until(self, predicate: Callable[[], bool], timeout: float) -> bool:
        """Wait until the predicate holds, asking whenever a span starts or ends."""


@runtime_checkable
class Exporter(Protocol):
    """What is asked of an `InMemorySpanExporter`."""

    def get_finished_spans(self) -> Iterable[ReadableSpan]:
        """Return the spans that ended."""


@runtime_checkable
class Part(Protocol):
    """What is asked of a selection."""

    @property
    def nodes(self) -> tuple[SpanNode, ...]:
        """The spans that were selected."""

    @property
    def selector(self) -> object:
        """What was looked for."""


Spans: TypeAlias = "Capture | Exporter | Part | SpanNode | Iterable[ReadableSpan | SpanNode]"


class Source(NamedTuple):
    """Where the spans come from.

    Attributes:
        forest: Grows the spans that there are now.
        why_empty: Says why there is no span.
        notes: Tells what a reader of the spans should know.
        wait_until: Waits until a condition on the spans holds; None where nobody tells when
            spans arrive.
    """

    forest: Callable[[], Forest]
    why_empty: Callable[[], str]
    notes: Callable[[], tuple[str, ...]]
    wait_until: Callable[[Callable[[], bool], float], bool] | None


def source_of(spans: Spans) -> Source:
    """Return the source that an argument is.

    Raises:
        TypeError: It is none.
    """
    __tracebackhide__ = True
    if isinstance(spans, SpanNode):
        return _fixed(_below([spans]), "")
    if isinstance(spans, Part):
        return _fixed(_below(spans.nodes), f"0 spans match {spans.selector!r}.")
    if _is_capture(spans):
        return Source(
            forest=lambda: spans.forest,
            why_empty=spans.why_empty,
            notes=lambda: spans.notes,
            wait_until=spans.wait_until,
        )
    if isinstance(spans, Exporter):
        return Source(
            forest=lambda: grow(spans.get_finished_spans()),
            why_empty=lambda: "The exporter holds no span that ended.",
            notes=tuple,
            wait_until=None,
        )
    if isinstance(spans, Iterable) and not isinstance(spans, str):
        given = list(spans)
        nodes = [one for one in given if isinstance(one, SpanNode)]
        if stranger := [one for one in given if not _is_span(one)]:
            raise TypeError(f"{_WANTED}, and no list with {stranger[0]!r} in it")
        forest = _below(nodes) if nodes else grow(given)  # type: ignore[arg-type]  # no node is left
        return _fixed(forest, "The list of spans is empty.")
    raise TypeError(f"{_WANTED}, not {spans!r}")


def _fixed(forest: Forest, why_empty: str) -> Source:
    return Source(lambda: forest, lambda: why_empty, tuple, None)


def _below(nodes: Iterable[SpanNode]) -> Forest:
    """Grow the trees that these nodes are on top of; what is above them is no part of it."""
    seen: set[SpanNode] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += node.children
    in_order = sorted(seen, key=attrgetter("order"))
    return replace(grow(map(_sighting, in_order)), orphans=())


def _sighting(node: SpanNode) -> Sighting | ReadableSpan:
    if node.sequence is None:
        return node.span
    return Sighting(node.span, node.sequence, node.thread or "", node.end_sequence)


def _is_span(value: object) -> bool:
    return isinstance(value, SpanNode) or hasattr(value, "get_span_context")


def _is_capture(spans: Spans) -> TypeGuard[Capture]:
    """Ask the class: to ask the object for its forest would grow one."""
    return hasattr(type(spans), "why_empty")
