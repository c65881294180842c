"""Put the differences of one span into lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

from pytest_otel_spans.explaining.contrast import contrast
from pytest_otel_spans.explaining.renaming import SLIP, Renamed, joined
from pytest_otel_spans.matching.facts import Aspect, Difference
from pytest_otel_spans.patterns.expectations import ExpectedError, ExpectedEvent
from pytest_otel_spans.patterns.expected import SpanPattern
from pytest_otel_spans.patterns.names import name_matches
from pytest_otel_spans.patterns.shapes import describe
from pytest_otel_spans.patterns.values import matches
from pytest_otel_spans.patterns.words import absent, same
from pytest_otel_spans.text.render import name_text, path_text, value_text, visible
from pytest_otel_spans.tree import Event, SpanNode

__all__ = [
    "Row",
    "brief",
    "count_text",
    "own_lines",
    "paths_text",
    "pattern_name",
    "pattern_text",
    "two_sided",
]

_WIDEST_KEY: Final = 28
_LONGEST_PATTERN: Final = 72
_SHOWN: Final = 3


class Row(NamedTuple):
    """One difference: what it is about, what was expected, what there is."""

    title: str
    expected: str
    actual: str


def own_lines(
    differences: Iterable[Difference],
    pattern: SpanPattern,
    node: SpanNode,
    usual: Mapping[str, Any],
) -> list[str]:
    """Write what differs in a span, each with what was expected of it over what it has.

    Args:
        differences: What differs.
        pattern: What was expected.
        node: The span.
        usual: The usual value of each label of `same` about which spans disagree.
    """
    return two_sided([_row(difference, pattern, node, usual) for difference in joined(differences)])


def two_sided(rows: Sequence[Row]) -> list[str]:
    """Write each row as what was expected over what there is."""
    usual = min(_WIDEST_KEY, max((len(row.title) for row in rows), default=0))
    lines: list[str] = []
    for row in rows:
        title = visible(row.title)
        width = max(usual, len(title))
        lines.append(f"{title:<{width}}  - {row.expected}")
        lines.append(f"{'':<{width}}  + {row.actual}")
    return lines


def _row(
    difference: Difference, pattern: SpanPattern, node: SpanNode, usual: Mapping[str, Any]
) -> Row:
    if difference.aspect == "attribute":
        return _attribute(difference, pattern, node, usual)
    expected, actual = _WORDS[difference.aspect](difference.expected, difference.actual, node)
    return Row(f"{difference.aspect}:", expected, actual)


def _attribute(
    difference: Difference, pattern: SpanPattern, node: SpanNode, usual: Mapping[str, Any]
) -> Row:
    key, expected, actual = difference.key or "", difference.expected, difference.actual
    if isinstance(actual, Renamed):
        return Row(
            key, contrast(expected, absent)[0], f"{value_text(actual.value)} as {actual.key!r}"
        )
    if isinstance(expected, same) and actual is not absent:
        return Row(key, _label(expected.label, usual), value_text(actual))
    expected_text, actual_text = contrast(expected, actual)
    if actual is absent:
        close = get_close_matches(key, node.attributes, n=1, cutoff=SLIP)
        actual_text += f"  (there is {close[0]!r})" if close else ""
    elif key not in pattern.attributes:
        expected_text += "  → name it in the pattern, or leave out only=True"
    return Row(key, expected_text, actual_text)


def _label(label: str, usual: Mapping[str, Any]) -> str:
    value = f", elsewhere {value_text(usual[label])}" if label in usual else ""
    return f"same({label!r}){value}"


def _kind(expected: str, actual: str, _: SpanNode) -> tuple[str, str]:
    return repr(expected), repr(actual)


def _status(expected: str | ExpectedError, _: object, node: SpanNode) -> tuple[str, str]:
    wanted = "ok" if isinstance(expected, str) else _error(expected)
    return wanted, _status_of(node)


def _error(expected: ExpectedError) -> str:
    kind = f" {expected.type_name}" if expected.type else ""
    match = f", with {value_text(expected.match)} in its message" if expected.match else ""
    return f"error{kind}{match}"


def _status_of(node: SpanNode) -> str:
    raised = [event.attributes for event in node.events if event.name == "exception"]
    told = [
        f"{visible(str(one.get('exception.type')))}: {value_text(one.get('exception.message', ''))}"
        for one in raised
    ]
    description = node.status.description
    if not told:
        told = [
            visible(str(node.attributes[key])) for key in ("error.type",) if key in node.attributes
        ]
        told += [value_text(description)] if description else []
    code = node.status.code
    if code == "error":
        return " ".join([code, ", ".join(told)]).strip()
    return f"{code}, with a recorded exception {', '.join(told)}" if raised else code


def _event(expected: ExpectedEvent, actual: Sequence[Event], _: SpanNode) -> tuple[str, str]:
    namesakes = [event for event in actual if name_matches(expected.name, event.name)]
    if namesakes:
        nearest = max(namesakes, key=lambda event: _shared(expected, event))
        facts = nearest.attributes
        fits = all(matches(one, facts.get(key, absent)) for key, one in expected.attributes.items())
        return _event_text(expected), _nearest(expected, nearest) + (
            "  (it counts once)" if fits else ""
        )
    names = ", ".join(dict.fromkeys(repr(event.name) for event in actual))
    return _event_text(expected), f"absent; the events are {names}" if names else "no event at all"


def _nearest(expected: ExpectedEvent, event: Event) -> str:
    """Write what the event has where something was expected, all of it where that is not there."""
    facts = event.attributes
    if not expected.attributes or expected.attributes.keys() - facts.keys():
        return _event_text(event)
    told = ", ".join(f"{key!r}: {value_text(facts[key])}" for key in expected.attributes)
    return f"{event.name!r} {{{told}}}"


def _shared(expected: ExpectedEvent, event: Event) -> int:
    return sum(event.attributes.get(k, absent) == v for k, v in expected.attributes.items())


def _event_text(event: ExpectedEvent | Event) -> str:
    attributes = {k: v for k, v in event.attributes.items() if k != "exception.stacktrace"}
    inside = (
        f" {value_text(attributes)}" if isinstance(event, Event) else f" {describe(attributes)}"
    )
    return f"{event.name!r}{inside if attributes else ''}"


def _ended(expected: bool, _: object, __: SpanNode) -> tuple[str, str]:  # noqa: FBT001 - the value
    if not expected:
        return "never ended", "ended  → leave out .unfinished()"
    return (
        "ended",
        "never ended  → end it, give it time with wait=..., or expect .unfinished()",
    )


def _link(expected: SpanPattern, actual: Sequence[SpanNode | None], _: SpanNode) -> tuple[str, str]:
    targets = [one and path_text(one) for one in actual]
    there = ", ".join(one or "a span that was not captured" for one in targets[:_SHOWN])
    more = f", and {len(targets) - _SHOWN:,} more" if len(targets) > _SHOWN else ""
    return f"to {pattern_text(expected)}", f"to {there}{more}" if there else "no link"


def _descendant(expected: SpanPattern, actual: Sequence[SpanNode], _: SpanNode) -> tuple[str, str]:
    most = expected.most if expected.counted else None
    uncounted = replace(expected, least=1, most=1, counted=False)
    wanted = f"{count_text(expected.least, most)} {pattern_text(uncounted)} below"
    return wanted, _listed(actual)


def _never(expected: SpanPattern, actual: Sequence[SpanNode], _: SpanNode) -> tuple[str, str]:
    return f"no {pattern_text(expected)} below", paths_text(actual)


def _name(expected: object, actual: str, _: SpanNode) -> tuple[str, str]:
    return repr(expected), repr(actual)


def _listed(nodes: Sequence[SpanNode]) -> str:
    return f"{len(nodes):,}: {paths_text(nodes)}" if nodes else "none"


_WORDS: Final[Mapping[Aspect, Callable[[Any, Any, SpanNode], tuple[str, str]]]] = {
    "name": _name,
    "kind": _kind,
    "status": _status,
    "event": _event,
    "ended": _ended,
    "link": _link,
    "descendant": _descendant,
    "never": _never,
}


def pattern_text(pattern: SpanPattern) -> str:
    """Write a pattern as its literal, a long one with its end left out."""
    text = repr(pattern)
    return text if len(text) <= _LONGEST_PATTERN else f"{text[:_LONGEST_PATTERN]}…)"


def pattern_name(pattern: SpanPattern) -> str:
    """Write the name that a pattern expects."""
    return name_text(pattern.name) if isinstance(pattern.name, str) else repr(pattern.name)


def brief(pattern: SpanPattern) -> str:
    """Write the name of a pattern, and its attributes where they are short."""
    name = pattern_name(pattern)
    attributes = describe(pattern.attributes) if pattern.attributes else ""
    return f"{name}  {attributes}" if 0 < len(attributes) <= _WIDEST_KEY else name


def paths_text(nodes: Sequence[SpanNode]) -> str:
    """Write where spans stand, the first few of many."""
    shown = ", ".join(path_text(node) for node in nodes[:_SHOWN])
    more = f", and {len(nodes) - _SHOWN:,} more" if len(nodes) > _SHOWN else ""
    return shown + more


def count_text(least: int, most: int | None) -> str:
    """Write how many spans were expected."""
    if most is None:
        return f"at least {least:,}"
    if least == most:
        return f"exactly {least:,}"
    return f"{least:,} to {most:,}" if least else f"at most {most:,}"
