"""Arrange siblings: which of the expected members does each of them belong to, in order.

Members cover stretches of siblings one after the other. For each member in turn, what is kept
is the set of positions at which it may end; a position that another one reaches by skipping
siblings nobody expects is dropped, so that few remain and the work is nearly linear.

Whether a pattern holds for a node is not decided here but asked: these functions are generators
that yield the question and are sent the answer. So nothing recurses, however deep the trees.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

from pytest_otel_spans.assignment import Slots, assign, can_fill, can_place
from pytest_otel_spans.expected import SpanPattern
from pytest_otel_spans.facts import Mode
from pytest_otel_spans.groups import AnyOrder, Member
from pytest_otel_spans.slots import Slot, choices, least_of, most_of
from pytest_otel_spans.tree import SpanNode

__all__ = ["Asking", "Level", "Pair", "Question", "arrange"]

T = TypeVar("T")
Question: TypeAlias = tuple[SpanPattern, SpanNode, Mode]
"""Does the pattern, in this mode, hold for the node?"""
Asking: TypeAlias = Generator[Question, bool, T]
Pair: TypeAlias = tuple[SpanPattern, SpanNode]


class Level(NamedTuple):
    """Siblings and what was expected of them.

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
    """What arranging needs to know beforehand of who answers its questions."""

    def at_a_glance(self, pattern: SpanPattern, node: SpanNode, mode: Mode) -> bool | None:
        """The answer, where there is one without further questions, else None."""

    def is_decided(self, pattern: SpanPattern) -> bool:
        """Whether the pattern is certain enough to exclude siblings that match it."""


def arrange(level: Level, court: Court) -> Asking[list[Pair] | None]:
    """Find the pattern that each sibling belongs to, in the order of the siblings.

    Args:
        level: The siblings and the members.
        court: Who answers the questions.

    Returns:
        The pairs, without the siblings that nobody expects; None if there is no arrangement.
    """
    return (yield from _Arrangement(level, court).solve())


class _Run(NamedTuple):
    """Siblings from `start` on that match one pattern."""

    start: int
    pattern: SpanPattern


class _Table(NamedTuple):
    """Which of the siblings in a stretch, by position, each slot of an `any_order` could take."""

    slots: list[Slot]
    edges: Slots
    stretch: range

    def within(self, start: int, end: int) -> Slots:
        """Return the slots for a part of the stretch."""
        whole = (start, end) == (self.stretch.start, self.stretch.stop)
        return self.edges if whole else self.edges.within(start, end)


class _Mix(NamedTuple):
    """Siblings from `start` on that fill the slots of an `any_order`."""

    start: int
    table: _Table


_Ends: TypeAlias = dict[int, _Run | _Mix]
"""Where a member may end, and what then lies before."""


class _Arrangement:
    """The work on one level.

    `solid[at]` is the first sibling, from `at` on, that must belong to a member; in a closed
    level that is the one at `at` itself.
    """

    def __init__(self, level: Level, court: Court) -> None:
        self.level = level
        self.nodes = level.nodes
        self.court = court
        self.solid: Sequence[int] = range(len(level.nodes) + 1)
        self.positions: dict[str, list[int]] = {}

    def solve(self) -> Asking[list[Pair] | None]:
        if self.level.opened:
            self.solid = yield from self._find_solid()
        starts = [0]
        trail: list[_Ends] = []
        for member, low, high in self._limited():
            ends = yield from self._ends(member, starts, low, high)
            trail.append({end: block for end, block in ends.items() if low <= end <= high})
            starts = self._undominated(trail[-1])
            if not starts:
                return None
        end = next((start for start in starts if self.solid[start] == len(self.nodes)), None)
        return None if end is None else (yield from self._pairs(trail, end))

    def _limited(self) -> list[tuple[Member, int, int]]:
        """Return each member with the first and last position at which it may end."""
        limited: list[tuple[Member, int, int]] = []
        low: int | None = len(self.nodes)
        high = len(self.nodes)
        for member in reversed(self.level.members):
            limited.append((member, 0 if self.level.opened or low is None else max(low, 0), high))
            most = most_of(member)
            low = None if low is None or most is None else low - most
            high -= least_of(member)
        return limited[::-1]

    def _find_solid(self) -> Asking[list[int]]:
        size = len(self.nodes)
        solid = [size] * (size + 1)
        for pattern in dict.fromkeys(_counting(self.level.members)):
            if self.court.is_decided(pattern):
                for at in self._candidates(pattern, 0, size):
                    if solid[at] != at and (yield from self._holds(pattern, at)):
                        solid[at] = at
        for at in reversed(range(size)):
            if solid[at] != at:
                solid[at] = solid[at + 1]
        return solid

    def _undominated(self, ends: _Ends) -> list[int]:
        """Drop each position that an earlier one reaches by skipping."""
        kept: list[int] = []
        for end in sorted(ends):
            if not kept or self.solid[kept[-1]] < end:
                kept.append(end)
        return kept

    def _holds(self, pattern: SpanPattern, at: int) -> Asking[bool]:
        node, mode = self.nodes[at], self.level.mode
        answer = self.court.at_a_glance(pattern, node, mode)
        return (yield pattern, node, mode) if answer is None else answer

    def _candidates(self, pattern: SpanPattern, start: int, end: int) -> Sequence[int]:
        if pattern.fixed is None:
            return range(start, end)
        if not self.positions:
            for at, node in enumerate(self.nodes):
                self.positions.setdefault(node.name, []).append(at)
        named = self.positions.get(pattern.fixed, [])
        return named[bisect_left(named, start) : bisect_left(named, end)]

    def _ends(self, member: Member, starts: list[int], low: int, high: int) -> Asking[_Ends]:
        if isinstance(member, AnyOrder):
            return (yield from self._ends_of_group(member, starts, low, high))
        if isinstance(member, SpanPattern):
            return (
                yield from (self._ends_of_many if member.counted else self._ends_of_one)(
                    member, starts
                )
            )
        ends: _Ends = {}
        for alternative in member.alternatives:
            ends = (yield from self._ends(alternative, starts, low, high)) | ends
        return ends

    def _ends_of_one(self, pattern: SpanPattern, starts: list[int]) -> Asking[_Ends]:
        """The first match that is reached by skipping, and the sibling that cannot be skipped."""
        ends: _Ends = {}
        for start in starts:
            solid = self.solid[start]
            for at in range(start, solid):
                if (yield from self._holds(pattern, at)):
                    ends[at + 1] = _Run(start, pattern)
                    break
            if solid < len(self.nodes) and (yield from self._holds(pattern, solid)):
                ends.setdefault(solid + 1, _Run(start, pattern))
        return ends

    def _ends_of_many(self, pattern: SpanPattern, starts: list[int]) -> Asking[_Ends]:
        """Run on from each start, over matches and what may be skipped; counts say where to end.

        Runs that meet are one run: `begun` holds its starts, with the count each began at.
        """
        least, most = pattern.least, pattern.most
        ends: _Ends = {}
        waiting = deque(starts)
        while waiting:
            at, count, first = waiting.popleft(), 0, 0
            begun = [(0, at)]
            if least == 0:
                ends.setdefault(at, _Run(at, pattern))
            while at < len(self.nodes) and (most is None or count - begun[-1][0] < most):
                if (yield from self._holds(pattern, at)):
                    count += 1
                    while first + 1 < len(begun) and begun[first + 1][0] <= count - least:
                        first += 1
                    taken = count - begun[first][0]
                    if least <= taken and (most is None or taken <= most):
                        ends.setdefault(at + 1, _Run(begun[first][1], pattern))
                elif self.solid[at] == at:
                    break
                at += 1
                if waiting and waiting[0] == at:
                    begun.append((count, waiting.popleft()))
                    if least == 0:
                        ends.setdefault(at, _Run(at, pattern))
        return ends

    def _ends_of_group(
        self, group: AnyOrder, starts: list[int], low: int, high: int
    ) -> Asking[_Ends]:
        """Test how far an assignment can reach.

        The slots are filled from some end on, the siblings placed up to some end: so the ends
        that serve are one stretch, and its borders are found by bisection.
        """
        ends: _Ends = {}
        least, most = least_of(group), most_of(group)
        for slots in choices(group):
            table = yield from self._table(slots, starts[0], high)
            for start in starts:
                last = high if self.level.opened or most is None else min(high, start + most)
                span = range(max(low, start + least), last + 1)
                filled = bisect_left(span, True, key=lambda end: can_fill(table.within(start, end)))
                placed = bisect_left(
                    span,
                    True,
                    filled,
                    key=lambda end: (
                        not can_place(table.within(start, end), self._required(start, end))
                    ),
                )
                for end in span[filled:placed]:
                    ends.setdefault(end, _Mix(start, table))
        return ends

    def _required(self, start: int, end: int) -> list[int]:
        return [at for at in range(start, end) if self.solid[at] == at]

    def _table(self, slots: list[Slot], start: int, end: int) -> Asking[_Table]:
        takes: list[list[int]] = []
        for slot in slots:
            taken: set[int] = set()
            for pattern in slot.patterns:
                for at in self._candidates(pattern, start, end):
                    if at not in taken and (yield from self._holds(pattern, at)):
                        taken.add(at)
            takes.append(sorted(taken))
        edges = Slots(least=[s.least for s in slots], most=[s.most for s in slots], takes=takes)
        return _Table(slots, edges, range(start, end))

    def _pairs(self, trail: list[_Ends], end: int) -> Asking[list[Pair]]:
        """Follow the trail back from the end, and pair what each stretch covers."""
        stretches: list[tuple[_Run | _Mix, int]] = []
        for ends in reversed(trail):
            stretches.append((ends[end], end))
            end = ends[end].start
        pairs: list[Pair] = []
        for stretch, stop in reversed(stretches):
            if isinstance(stretch, _Mix):
                pairs += yield from self._pairs_of_mix(stretch, stop)
            elif stretch.pattern.counted:
                pairs += yield from self._pairs_of_run(stretch, stop)
            else:
                pairs.append((stretch.pattern, self.nodes[stop - 1]))
        return pairs

    def _pairs_of_run(self, run: _Run, end: int) -> Asking[list[Pair]]:
        pairs: list[Pair] = []
        for at in range(run.start, end):
            if (yield from self._holds(run.pattern, at)):
                pairs.append((run.pattern, self.nodes[at]))  # noqa: PERF401 - nothing yields in a list
        return pairs

    def _pairs_of_mix(self, mix: _Mix, end: int) -> Asking[list[Pair]]:
        pairs: list[Pair] = []
        places = assign(mix.table.within(mix.start, end), self._required(mix.start, end))
        for at, slot in sorted((places or {}).items()):
            for pattern in mix.table.slots[slot].patterns:
                if (yield from self._holds(pattern, at)):
                    pairs.append((pattern, self.nodes[at]))
                    break
        return pairs


def _counting(members: Iterable[Member]) -> Iterator[SpanPattern]:
    """Yield the patterns that say how many there may be at most."""
    for member in members:
        if isinstance(member, SpanPattern):
            if member.counted and member.most is not None:
                yield member
        else:
            yield from _counting(
                member.members if isinstance(member, AnyOrder) else member.alternatives
            )
