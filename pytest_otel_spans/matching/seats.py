"""Measure how far siblings are from the seats that the members of a level offer them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pytest_otel_spans.matching.judge import Judge
from pytest_otel_spans.matching.level import Level, Pair
from pytest_otel_spans.nodes import SpanNode
from pytest_otel_spans.patterns.expected import Member, SpanPattern
from pytest_otel_spans.patterns.groups import AnyOrder, OneOf
from pytest_otel_spans.patterns.names import name_matches
from pytest_otel_spans.patterns.slots import least_of, most_of

__all__ = ["Seat", "Usher", "seats_of"]


class Seat(NamedTuple):
    """A member that is no group in any order, with the patterns that may sit there.

    Attributes:
        member: The member.
        patterns: Its alternatives, or itself.
        least: How many siblings it takes at least.
        most: How many siblings it takes at most, None for any number.
    """

    member: SpanPattern | OneOf[SpanPattern]
    patterns: tuple[SpanPattern, ...]
    least: int
    most: int | None


def seats_of(members: Iterable[Member]) -> Iterator[Seat]:
    """Yield the seats of the members, those of a group one by one."""
    for member in members:
        if isinstance(member, AnyOrder):
            yield from seats_of(member.members)
        else:
            patterns = tuple(_patterns_of(member))
            yield Seat(member, patterns, least_of(member), most_of(member))


def _patterns_of(member: Member) -> Iterator[SpanPattern]:
    if isinstance(member, SpanPattern):
        yield member
    else:
        for part in member.members if isinstance(member, AnyOrder) else member.alternatives:
            yield from _patterns_of(part)


class Usher:
    """One level with its seats, and who could sit where."""

    def __init__(self, judge: Judge, level: Level) -> None:
        self.judge = judge
        self.level = level
        self.seats = list(seats_of(level.members))
        self._names = Counter(node.name for node in level.nodes)

    def edges(self) -> int:
        """How many pairs of a pattern and a sibling are possible by name."""
        return sum(
            self._names[one.fixed] if one.fixed is not None else len(self.level.nodes)
            for seat in self.seats
            for one in seat.patterns
        )

    def fits(self, seat: Seat, node: SpanNode) -> bool:
        """Whether the node, with all below it, is what the seat is for."""
        return any(
            (one.fixed is None or one.fixed == node.name)
            and self.judge.holds(one, node, self.level.mode)
            for one in seat.patterns
        )

    def best(self, seat: Seat, node: SpanNode) -> tuple[float, SpanPattern] | None:
        """The pattern of the seat that is nearest to the node, and how far it is.

        The distance is 0 where the pattern holds, and below 1 where the name is right; where it
        is not, there is none: a span of another name is another span.
        """
        named = [one for one in seat.patterns if name_matches(one.name, node.name)]
        distances = [self._distance(one, node) for one in named]
        if not distances:
            return None
        nearest = min(distances)
        return nearest, named[distances.index(nearest)]

    def pair(self, seat: Seat, node: SpanNode) -> Pair:
        """Return the node with the pattern of the seat that is nearest to it."""
        nearest = self.best(seat, node)
        return seat.patterns[0] if nearest is None else nearest[1], node

    def allows(self, node: SpanNode) -> bool:
        """Whether `...` allows the node: it does not where a count has an upper end for it."""
        return self.level.opened and not any(
            self.judge.is_counted(one, node, self.level.mode)
            for seat in self.seats
            for one in seat.patterns
            if one.counted and one.most is not None
        )

    def _distance(self, pattern: SpanPattern, node: SpanNode) -> float:
        mode = self.level.mode
        if self.judge.holds(pattern, node, mode):
            return 0.0
        said = 1 + len(pattern.attributes) + len(pattern.events) + (pattern.status is not None)
        wrong = min(len(self.judge.differences(pattern, node, mode)) / said, 1.0)
        return 0.2 + 0.4 * wrong + 0.3 * _strangeness(pattern, node.children)


def _strangeness(pattern: SpanPattern, nodes: Sequence[SpanNode]) -> float:
    """How many of the names below differ, from 0 to 1; a name with a wildcard is any name."""
    patterns = [one for seat in seats_of(pattern.children) for one in seat.patterns]
    expected = Counter(one.fixed for one in patterns if one.fixed is not None)
    actual = Counter(node.name for node in nodes)
    wild = len(patterns) - expected.total()
    alien = 0 if pattern.opened else (actual - expected).total()
    lacking = (expected - actual).total()
    wrong = max(alien - wild, 0) + lacking
    return wrong / (wrong + len(nodes)) if wrong else 0.0
