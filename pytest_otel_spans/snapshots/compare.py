"""Compare a story with the rows of a snapshot; where they differ the one matcher says in what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pytest_otel_spans.matching.match import Level, Outcome, align, match_roots
from pytest_otel_spans.patterns.expected import SpanPattern
from pytest_otel_spans.patterns.names import name_matches
from pytest_otel_spans.patterns.words import absent
from pytest_otel_spans.snapshots.expectation import Expectation, expect
from pytest_otel_spans.snapshots.rows import Row, labels_of
from pytest_otel_spans.snapshots.stand_in import stand_in
from pytest_otel_spans.snapshots.story import Story
from pytest_otel_spans.snapshots.tokens import Label, Token, holds, sightings
from pytest_otel_spans.tree import SpanNode

__all__ = ["Disagreement", "Pair", "compare"]


class Pair(NamedTuple):
    """Two rows that belong together, by their positions in the snapshot and in the story."""

    standing: int
    actual: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """A story that is not what the snapshot says.

    Attributes:
        rows: The snapshot.
        story: The story.
        outcome: What the matcher says.
        pairs: The rows that belong together, also where they differ.
        bound: What each label stands for; one that has no text of its own is not in it.
    """

    rows: Sequence[Row]
    story: Story
    outcome: Outcome
    pairs: tuple[Pair, ...]
    bound: Mapping[Label, str]


def compare(
    rows: Sequence[Row], story: Story, unordered: Sequence[str] = ()
) -> Disagreement | None:
    """Return in what the story is not what the snapshot says, None if it is that.

    Args:
        rows: The snapshot.
        story: The story.
        unordered: As `tell` was given it.
    """
    if _agree_in_place(rows, story):
        return None
    forest = stand_in(story)
    labels = list(dict.fromkeys(labels_of(rows)))
    votes: dict[Label, Counter[str]] = {}
    bound: dict[Label, str] = {}
    if labels:
        loose = expect(rows, unordered, None)
        votes = _votes(rows, story, _pairs(match_roots(forest, loose.roots), loose))
        bound = _bind(labels, votes)
    strict = expect(rows, unordered, bound)
    outcome = match_roots(forest, strict.roots)
    if outcome.holds:
        return None
    pairs = tuple(_pairs(outcome, strict))
    return Disagreement(rows=rows, story=story, outcome=outcome, pairs=pairs, bound=bound)


def _agree_in_place(rows: Sequence[Row], story: Story) -> bool:
    """Whether each row is what stands in its place: what nearly every passing test comes to."""
    texts: dict[Label, str] = {}
    labels: dict[tuple[str, str], Label] = {}
    if len(rows) != len(story.rows):
        return False
    for standing, actual in zip(rows, story.rows, strict=True):
        if _frame(standing) != _frame(actual):
            return False
        for token, value in _values(standing, actual):
            if not holds(token, value, None):
                return False
            for label, text in sightings(token, value):
                if texts.setdefault(label, text) != text:
                    return False
                if labels.setdefault((label.kind, text), label) != label:
                    return False
    return True


def _frame(row: Row) -> tuple[object, ...]:
    """Return what no word of a snapshot can stand for."""
    return row.level, row.what, row.kind, row.status, row.ended


def _values(standing: Row, actual: Row) -> Iterator[tuple[Token, Any]]:
    """Yield what one row says with what the other has there."""
    yield standing.name, actual.name
    if standing.description is not None or actual.description is not None:
        yield standing.description, actual.description
    for key, token in standing.attributes.items():
        yield token, actual.attributes.get(key, absent)
    for key in actual.attributes.keys() - standing.attributes.keys():
        yield absent, actual.attributes[key]


def _pairs(outcome: Outcome, expectation: Expectation) -> Iterator[Pair]:
    """Walk down both trees at once, level by level as they are aligned."""
    agenda = [outcome.level]
    while agenda:
        level = agenda.pop()
        for pattern, node in _by_name(level) or align(outcome.judge, level).pairs:
            yield Pair(expectation.positions[id(pattern)], node.order)
            if pattern.children and node.children:
                agenda.append(Level(pattern.children, pattern.opened, node.children))


def _by_name(level: Level) -> list[tuple[SpanPattern, SpanNode]]:
    """Return the pairs where names leave no choice: verdicts on all below take their time."""
    pairs = [
        (member, node)
        for member, node in zip(level.members, level.nodes, strict=False)
        if isinstance(member, SpanPattern) and name_matches(member.name, node.name)
    ]
    names = {node.name for _, node in pairs}
    return pairs if len(names) == len(level.nodes) == len(level.members) else []


def _votes(rows: Sequence[Row], story: Story, pairs: Iterator[Pair]) -> dict[Label, Counter[str]]:
    """Count for which texts each label stands in the rows that belong together."""
    votes: dict[Label, Counter[str]] = {}
    for standing, actual in sorted(pairs):
        for token, value in _values(rows[standing], story.rows[actual]):
            for label, text in sightings(token, value):
                votes.setdefault(label, Counter())[text] += 1
    return votes


def _bind(labels: Sequence[Label], votes: Mapping[Label, Counter[str]]) -> dict[Label, str]:
    """Give each label the text that most places say, and no text to two labels of a kind."""
    bound: dict[Label, str] = {}
    taken: set[tuple[str, str]] = set()
    for label in labels:
        for text, _ in votes.get(label, Counter()).most_common():
            if (label.kind, text) not in taken:
                taken.add((label.kind, text))
                bound[label] = text
                break
    return bound
