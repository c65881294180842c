"""Compare one span, without its relatives, with what a pattern says of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from pytest_otel_spans.matching.assignment import unserved
from pytest_otel_spans.nodes import Event, SpanNode
from pytest_otel_spans.patterns.expectations import NOTHING, ExpectedError, ExpectedEvent
from pytest_otel_spans.patterns.expected import SpanPattern
from pytest_otel_spans.patterns.names import name_matches
from pytest_otel_spans.patterns.values import UNBOUND, Labels, matches
from pytest_otel_spans.patterns.words import absent

__all__ = ["Aspect", "Difference", "Mode", "own_differences", "own_holds"]

Mode: TypeAlias = Literal["states", "selects"]
"""Whether a pattern states what there is, or selects spans (in a query, a `never`, and so on).

One that selects takes unfinished spans too, and is open where no children are given.
"""
Attributes: TypeAlias = Mapping[str, Any]
Aspect: TypeAlias = Literal[
    "name", "kind", "attribute", "status", "event", "ended", "link", "descendant", "never"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing in which a span is not what was expected of it.

    Attributes:
        aspect: What differs.
        key: The key of the attribute, None for other aspects.
        expected: What the pattern says: the name, the kind, the value or matcher (`absent` for
            an attribute that `only` excludes), `"ok"` or an `ExpectedError`, an `ExpectedEvent`,
            whether the span should have ended, or the pattern of a relative.
        actual: What the span has: the name, the kind, the value (`absent` for a missing
            attribute), its `Status`, its events, whether it ended, or the relatives concerned:
            the targets of its links, the descendants that match.
    """

    aspect: Aspect
    key: str | None = None
    expected: Any
    actual: Any


class _Raised(NamedTuple):
    """One exception, by all that its type and its message are called."""

    types: tuple[str, ...]
    messages: tuple[str, ...]


def own_holds(
    pattern: SpanPattern, node: SpanNode, mode: Mode = "states", labels: Labels = UNBOUND
) -> bool:
    """Whether everything that the pattern says of this span alone is so.

    Args:
        pattern: What is expected.
        node: The span.
        mode: Whether the pattern states or selects.
        labels: What the labels of `same` are bound to.
    """
    if node.name != pattern.fixed and not _name_holds(pattern, node):
        return False
    if (node.end_ns is None) != pattern.never_ended and (pattern.never_ended or mode == "states"):
        return False
    if (pattern.attributes or pattern.only) and not _attributes_hold(pattern, node, labels):
        return False
    if pattern.status is None and pattern.kind is None and not pattern.events:
        return True
    return not any(_rarer_differences(pattern, node, labels))


def _name_holds(pattern: SpanPattern, node: SpanNode) -> bool:
    return pattern.fixed is None and name_matches(pattern.name, node.name)


def _attributes_hold(pattern: SpanPattern, node: SpanNode, labels: Labels) -> bool:
    actual = node.attributes
    for key, expected in pattern.attributes.items():
        if not matches(expected, actual.get(key, absent), labels):
            return False
    return not (pattern.only and actual.keys() - pattern.attributes.keys())


def own_differences(
    pattern: SpanPattern, node: SpanNode, mode: Mode = "states", labels: Labels = UNBOUND
) -> tuple[Difference, ...]:
    """Return in what this span alone is not what the pattern says; see `own_holds`."""
    return (
        *_name_difference(pattern, node),
        *_end_difference(pattern, node, mode),
        *_attribute_differences(pattern, node, labels),
        *_rarer_differences(pattern, node, labels),
    )


def _name_difference(pattern: SpanPattern, node: SpanNode) -> Iterator[Difference]:
    if not name_matches(pattern.name, node.name):
        yield Difference(aspect="name", expected=pattern.name, actual=node.name)


def _end_difference(pattern: SpanPattern, node: SpanNode, mode: Mode) -> Iterator[Difference]:
    should_end = not pattern.never_ended
    if node.ended != should_end and not (should_end and mode == "selects"):
        yield Difference(aspect="ended", expected=should_end, actual=node.ended)


def _attribute_differences(
    pattern: SpanPattern, node: SpanNode, labels: Labels
) -> Iterator[Difference]:
    for key, expected in pattern.attributes.items():
        actual = node.attributes.get(key, absent)
        if not matches(expected, actual, labels):
            yield Difference(aspect="attribute", key=key, expected=expected, actual=actual)
    if pattern.only:
        for key, actual in node.attributes.items():
            if key not in pattern.attributes:
                yield Difference(aspect="attribute", key=key, expected=absent, actual=actual)


def _rarer_differences(
    pattern: SpanPattern, node: SpanNode, labels: Labels
) -> Iterator[Difference]:
    if pattern.kind is not None and node.kind != pattern.kind:
        yield Difference(aspect="kind", expected=pattern.kind, actual=node.kind)
    if pattern.status is not None and not _status_holds(pattern.status, node):
        yield Difference(aspect="status", expected=pattern.status, actual=node.status)
    takes = [
        [at for at, event in enumerate(node.events) if _event_holds(expected, event, labels)]
        for expected in pattern.events
    ]
    for lacking in unserved(takes):
        yield Difference(aspect="event", expected=pattern.events[lacking], actual=node.events)


def _status_holds(expected: Literal["ok"] | ExpectedError, node: SpanNode) -> bool:
    if not isinstance(expected, ExpectedError):
        return node.ended and node.status.code != "error"
    return node.status.code == "error" and any(
        _type_holds(expected, raised) and _message_holds(expected.match, raised)
        for raised in _raised(node)
    )


def _raised(node: SpanNode) -> Iterator[_Raised]:
    """Yield each recorded exception; the status and `error.type` speak of the last."""
    *earlier, last = [event.attributes for event in node.events if event.name == "exception"] or [
        NOTHING
    ]
    for attributes in earlier:
        yield _Raised(_texts(attributes, "exception.type"), _texts(attributes, "exception.message"))
    yield _Raised(
        _texts(last, "exception.type") + _texts(node.attributes, "error.type"),
        (*_texts(last, "exception.message"), node.status.description or ""),
    )


def _texts(attributes: Attributes, key: str) -> tuple[str, ...]:
    value = attributes.get(key)
    return (value,) if isinstance(value, str) else ()


def _type_holds(expected: ExpectedError, raised: _Raised) -> bool:
    if (name := expected.type_name) is None:
        return True
    if isinstance(expected.type, type):
        return name in raised.types
    return any(name_matches(name, kind) for kind in raised.types)


def _message_holds(match: str | re.Pattern[str] | None, raised: _Raised) -> bool:
    return match is None or any(re.search(match, one) is not None for one in raised.messages)


def _event_holds(expected: ExpectedEvent, event: Event, labels: Labels) -> bool:
    return name_matches(expected.name, event.name) and all(
        matches(value, event.attributes.get(key, absent), labels)
        for key, value in expected.attributes.items()
    )
