"""Let the rows of a story stand for spans, so that the matcher sees events and links as nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final, cast

from pytest_otel_spans.snapshots.rows import Row
from pytest_otel_spans.snapshots.spell import spell_name
from pytest_otel_spans.snapshots.story import Story
from pytest_otel_spans.snapshots.tokens import Token
from pytest_otel_spans.tree import Forest, Sighting, SpanNode, grow

__all__ = ["SIGNS", "STATUS", "spoken_attributes", "spoken_status", "stand_in"]

STATUS: Final = "(status)"
"""Under this name the status stands among the attributes: no key is spelled like it."""
SIGNS: Final = {"span": "", "event": "! ", "link": "~> "}
"""What stands before the name of a node that is no span."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Place:
    """What is asked of a `SpanContext`: whose it is."""

    trace_id: int
    span_id: int
    is_remote: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _StandIn:
    """What is asked of a `ReadableSpan`."""

    name: str
    context: Any
    parent: Any
    start_time: int
    end_time: int | None
    attributes: Mapping[str, Any]
    kind: Any
    status: Any
    events: tuple[()] = ()
    links: tuple[()] = ()


def stand_in(story: Story) -> Forest:
    """Return a forest with a node for each row, in the order of the rows."""
    seen: list[Sighting] = []
    contexts: list[Any] = []
    for index, (row, node) in enumerate(zip(story.rows, story.nodes, strict=True)):
        del contexts[row.level :]
        span = _span(row, node, index, contexts)
        contexts.append(span.context)
        seen.append(Sighting(cast("Any", span), index, cast("Any", node.thread)))
    return grow(seen)


def _span(row: Row, node: SpanNode, index: int, above: Sequence[Any]) -> _StandIn:
    own = row.what == "span"
    trace_id = node.span.context.trace_id if node.span.context else -1 - node.trace
    return _StandIn(
        name=SIGNS[row.what] + row.name,
        context=_Place(trace_id=trace_id, span_id=-1 - index),
        parent=above[-1] if above else node.span.parent,
        start_time=node.start_ns,
        end_time=node.end_ns if own else node.start_ns,
        attributes=dict(spoken_attributes(row, row.attributes.items())),
        kind=node.span.kind if own else SimpleNamespace(name=row.what),
        status=node.span.status,
    )


def spoken_attributes(row: Row, attributes: Iterable[tuple[str, Any]]) -> Iterable[tuple[str, Any]]:
    """Yield the attributes under their keys as a snapshot spells them, and the status."""
    if row.what == "span":
        yield STATUS, spoken_status(row.status, row.description)
    for key, value in attributes:
        yield spell_name(key), value


def spoken_status(code: str, description: Token) -> Token:
    """Return a status as one value."""
    return code if description is None else (code, description)
