"""Hold one level of siblings: what is expected of them, and how to ask what belongs together.

Whether a pattern holds for a node is not decided here but asked: these functions are generators
that yield the question and are sent the answer. So nothing recurses, however deep the trees.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

from pytest_otel_spans.matching.facts import Mode
from pytest_otel_spans.nodes import SpanNode
from pytest_otel_spans.patterns.expected import Member, SpanPattern
from pytest_otel_spans.patterns.groups import AnyOrder

__all__ = ["Asking", "Court", "Level", "Pair", "Question", "Row"]

T = TypeVar("T")
Question: TypeAlias = tuple[SpanPattern, SpanNode, Mode]
"""Does the pattern, in this mode, hold for the node?"""
Asking: TypeAlias = Generator[Question, bool, T]
Pair: TypeAlias = tuple[SpanPattern, SpanNode]


class Level(NamedTuple):
    """Siblings and what is expected of them.

    Attributes:
        members: What takes positions, in order.
        opened: Whether other siblings may stand anywhere. None of them may match a pattern that
            has a count with an upper end: that one counts them all.
        nodes: The siblings.
        mode: Whether the members state what there is, or select.
    """

    members: tuple[Member, ...]
    opened: bool
    nodes: Sequence[SpanNode]
    mode: Mode = "states"


class Court(Protocol):
    """Who answers the questions, as far as it can be asked beforehand."""

    def at_a_glance(self, pattern: SpanPattern, node: SpanNode, mode: Mode) -> bool | None:
        """The answer, where there is one without further questions, else None."""

    def limits(self, pattern: SpanPattern) -> bool:
        """Whether the pattern is certain enough for the upper end of its count to apply."""

    def counts(self, pattern: SpanPattern, node: SpanNode, mode: Mode) -> Asking[bool]:
        """Ask whether that upper end counts the node."""


class Row:
    """The siblings of a level, by position.

    Attributes:
        solid: For each position, the first one from there on whose sibling must belong to a
            member; in a closed level the position itself.
    """

    def __init__(self, level: Level, court: Court) -> None:
        self.level = level
        self.nodes = level.nodes
        self.solid: Sequence[int] = range(len(level.nodes) + 1)
        self._court = court
        self._positions: dict[str, list[int]] = {}

    def holds(self, pattern: SpanPattern, at: int) -> Asking[bool]:
        """Ask whether the pattern holds for the sibling at a position."""
        node, mode = self.nodes[at], self.level.mode
        answer = self._court.at_a_glance(pattern, node, mode)
        return (yield pattern, node, mode) if answer is None else answer

    def candidates(self, pattern: SpanPattern, start: int, end: int) -> Sequence[int]:
        """Return the positions, from `start` to before `end`, that the name does not rule out."""
        if pattern.fixed is None:
            return range(start, end)
        if not self._positions:
            for at, node in enumerate(self.nodes):
                self._positions.setdefault(node.name, []).append(at)
        named = self._positions.get(pattern.fixed, [])
        return named[bisect_left(named, start) : bisect_left(named, end)]

    def required(self, start: int, end: int) -> list[int]:
        """Return the positions, from `start` to before `end`, that must belong to a member."""
        return [at for at in range(start, end) if self.solid[at] == at]

    def find_solid(self) -> Asking[None]:
        """Find, in an open level, what must belong to a member: what a count counts."""
        size = len(self.nodes)
        solid = [size] * (size + 1)
        for pattern in dict.fromkeys(_counting(self.level.members)):
            if self._court.limits(pattern):
                for at in self.candidates(pattern, 0, size):
                    counts = self._court.counts(pattern, self.nodes[at], self.level.mode)
                    if solid[at] != at and (yield from counts):
                        solid[at] = at
        for at in reversed(range(size)):
            if solid[at] != at:
                solid[at] = solid[at + 1]
        self.solid = solid


def _counting(members: Iterable[Member]) -> Iterator[SpanPattern]:
    """Yield the patterns that say how many there may be."""
    for member in members:
        if isinstance(member, SpanPattern):
            if member.counted:
                yield member
        else:
            inner = member.members if isinstance(member, AnyOrder) else member.alternatives
            yield from _counting(inner)
