"""Compose the message of a failed assertion: header, annotated tree, notes; never too long."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from pytest_otel_spans.explaining.explain import Explanation
from pytest_otel_spans.explaining.hints import hints
from pytest_otel_spans.matching.binding import MOST_TRIALS
from pytest_otel_spans.matching.match import Outcome
from pytest_otel_spans.matching.seats import seats_of
from pytest_otel_spans.text.render import counted, name_text

__all__ = ["bounded", "compose", "forest_notes", "unsaid"]

_MOST_LINES: Final = 200
_LONGEST_NOTE: Final = 100
_NAMES: Final = 3
_SAMPLER: Final = re.compile(r"sampled out by `[^`]*`")
_TIES: Final = (
    "some siblings started at the same time, and nobody saw which came first: they stand in the "
    "order in which they arrived"
)


def compose(
    outcome: Outcome, explanation: Explanation, *, why_empty: str, notes: Iterable[str]
) -> str:
    """Return the whole message; where it is too long, its beginning and the path of the rest.

    Args:
        outcome: What came of matching.
        explanation: What is wrong.
        why_empty: Why there is no span, "" if there is one.
        notes: What else a reader should know.
    """
    tree = [f"  {line}" for line in explanation.lines]
    head = [_header(outcome, explanation, why_empty=why_empty), *tree]
    tail = [why_empty] if why_empty else []
    tail += _notes([*forest_notes(outcome), *unsaid(notes, why_empty)])
    return bounded(head, tail)


def bounded(head: Sequence[str], tail: Sequence[str] = ()) -> str:
    """Return the lines as one text; where they are too many, a file has what the head lacks."""
    room = _MOST_LINES - len(tail)
    if len(head) > room:
        path = _write_out("\n".join([*head, *tail, ""]))
        left = len(head) - room + 1
        head = [*head[: room - 1], f"  … {left:,} more lines; all of them are in {path}"]
    return "\n".join([*head, *tail])


def unsaid(notes: Iterable[str], why_empty: str) -> list[str]:
    """Leave out the notes that only repeat why there is no span."""
    samplers = set(_SAMPLER.findall(why_empty))
    return [
        note
        for note in notes
        if note not in why_empty and samplers.isdisjoint(_SAMPLER.findall(note))
    ]


def forest_notes(outcome: Outcome) -> Iterator[str]:
    """Yield what the spans themselves make worth a note."""
    forest = outcome.forest
    if forest.unfinished:
        names = list(dict.fromkeys(name_text(node.name) for node in forest.unfinished))
        more = ", …" if len(names) > _NAMES else ""
        listed = ", ".join(names[:_NAMES]) + more
        yield f"{counted(len(forest.unfinished), 'span')} never ended ({listed})"
    if forest.orphans:
        yield f"{counted(len(forest.orphans), 'root')} with a parent that was not captured"
    if forest.ties:
        yield _TIES
    if outcome.gave_up:
        yield f"the search for the values of same(...) gave up after {MOST_TRIALS:,} trials"
    yield from hints(outcome)


def _header(outcome: Outcome, explanation: Explanation, *, why_empty: str) -> str:
    forest = outcome.forest
    traces = counted(len({root.trace for root in forest.roots}), "trace")
    expected = _expected(outcome)
    if why_empty:
        return f"no span{expected}"
    spans = counted(len(forest.nodes), "span")
    differences = counted(len(explanation.findings), "difference")
    least = "" if explanation.is_complete else "at least "
    return f"{least}{differences} in {traces} ({spans}){expected}"


def _expected(outcome: Outcome) -> str:
    """Say how many traces were expected, where that is certain and not what there is."""
    seats = list(seats_of(outcome.body.children))
    least, most = sum(seat.least for seat in seats), sum(seat.most or 0 for seat in seats)
    certain = least == most and all(seat.most is not None for seat in seats)
    if outcome.body.opened or not certain or least == len(outcome.forest.roots):
        return ""
    return f", expected {counted(least, 'trace')}"


def _notes(notes: Sequence[str]) -> list[str]:
    line = "notes: " + "; ".join(notes)
    if not notes or len(line) <= _LONGEST_NOTE:
        return [line] if notes else []
    return ["notes:", *(f"  {note}" for note in notes)]


def _write_out(text: str) -> str:
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", prefix="span-tree-", suffix=".txt", delete=False
    ) as file:
        file.write(text)
    return file.name
