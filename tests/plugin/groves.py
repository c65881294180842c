"""Plant forests without a tracer: a plain description of spans becomes finished spans."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from pytest_otel_spans.tree import Forest, Sighting, grow

RESOURCE = Resource({"service.name": "grove"})


@dataclass(frozen=True)
class Plant:
    """A span to be, with those below it."""

    name: str
    attributes: Mapping[str, Any]
    children: tuple["Plant", ...]
    facts: Mapping[str, Any] = field(default_factory=dict)


def plant(name: str, *parts: "Mapping[str, Any] | Plant", **facts: Any) -> Plant:
    """Describe a span; facts are `ended`, `start`, `error`, `events`, `kind` and `links`."""
    attributes: dict[str, Any] = {}
    for part in parts:
        if isinstance(part, Mapping):
            attributes |= part
    return Plant(name, attributes, tuple(p for p in parts if isinstance(p, Plant)), facts)


def context(trace_id: int, span_id: int, *, remote: bool = False) -> SpanContext:
    return SpanContext(trace_id, span_id, is_remote=remote, trace_flags=TraceFlags(1))


def finished(
    name: str,
    here: SpanContext | None,
    parent: SpanContext | None = None,
    *,
    start: int = 0,
    ended: bool = True,
    attributes: Mapping[str, Any] | None = None,
    error: str | None = None,
    events: Sequence[tuple[str, Mapping[str, Any]]] = (),
    kind: SpanKind = SpanKind.INTERNAL,
    links: Sequence[SpanContext] = (),
) -> ReadableSpan:
    """Make a span as an exporter would get it."""
    return ReadableSpan(
        name=name,
        context=here,
        parent=parent,
        resource=RESOURCE,
        attributes=attributes,
        events=[Event(event, dict(facts), timestamp=0) for event, facts in events],
        links=[Link(target) for target in links],
        kind=kind,
        status=Status(StatusCode.UNSET) if error is None else Status(StatusCode.ERROR, error),
        start_time=start,
        end_time=start + 10 if ended else None,
    )


def spans_of(plants: Iterable[Plant]) -> Iterator[ReadableSpan]:
    """Yield the spans in start order, a trace for each of the plants."""
    numbers = count(1)
    for trace_id, root in enumerate(plants, start=1):
        agenda: list[tuple[Plant, SpanContext | None]] = [(root, None)]
        while agenda:
            one, parent = agenda.pop()
            here = context(trace_id, next(numbers))
            facts = {"start": here.span_id, **one.facts}
            yield finished(one.name, here, parent, attributes=one.attributes, **facts)
            agenda += [(child, here) for child in reversed(one.children)]


def forest(*plants: Plant) -> Forest:
    """Grow the plants, each span seen at its start."""
    return grow(
        Sighting(span, number, "MainThread") for number, span in enumerate(spans_of(plants))
    )
