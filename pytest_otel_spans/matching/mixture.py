"""Find the stretches of siblings that an `any_order` can cover, and who stands where in them."""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from pytest_otel_spans.matching.assignment import Slots, assign, can_fill, can_place
from pytest_otel_spans.matching.level import Asking, Pair, Row
from pytest_otel_spans.patterns.expected import SpanPattern
from pytest_otel_spans.patterns.groups import AnyOrder
from pytest_otel_spans.patterns.slots import Slot, choices, least_of, most_of

__all__ = ["Mixture", "mixtures", "pairs_of_mixture"]


class Mixture(NamedTuple):
    """Siblings from `start` on that can fill the slots of an `any_order`."""

    start: int
    table: _Table


class _Table(NamedTuple):
    """Which of the siblings in a stretch, by position, each slot could take."""

    slots: list[Slot]
    edges: Slots
    stretch: range

    def within(self, start: int, end: int) -> Slots:
        """Return the slots for a part of the stretch."""
        whole = (start, end) == (self.stretch.start, self.stretch.stop)
        return self.edges if whole else self.edges.within(start, end)


def mixtures(
    row: Row, group: AnyOrder[SpanPattern], starts: list[int], low: int, high: int
) -> Asking[dict[int, Mixture]]:
    """Return where the group can end, if it begins at one of the starts.

    The slots can be filled from some end on, and the siblings be placed up to some end. So the
    ends that serve are one stretch, and bisection finds its borders.

    Args:
        row: The siblings.
        group: The group.
        starts: The positions at which it may begin, in ascending order.
        low: The first position at which it may end.
        high: The last position at which it may end.
    """
    ends: dict[int, Mixture] = {}
    least, most = least_of(group), most_of(group)
    for slots in choices(group):
        table = yield from _table(row, slots, starts[0], high)
        for start in starts:
            last = high if row.level.opened or most is None else min(high, start + most)
            span = range(max(low, start + least), last + 1)
            for end in _served(row, table, start, span):
                ends.setdefault(end, Mixture(start, table))
    return ends


def pairs_of_mixture(row: Row, mixture: Mixture, end: int) -> Asking[list[Pair]]:
    """Return which pattern each sibling of the stretch belongs to, in their order."""
    start, table = mixture
    pairs: list[Pair] = []
    places = assign(table.within(start, end), row.required(start, end)) or {}
    for at, slot in sorted(places.items()):
        for pattern in table.slots[slot].patterns:
            if (yield from row.holds(pattern, at)):
                pairs.append((pattern, row.nodes[at]))
                break
    return pairs


def _served(row: Row, table: _Table, start: int, ends: range) -> range:
    def fills(end: int) -> bool:
        return can_fill(table.within(start, end))

    def overflows(end: int) -> bool:
        return not can_place(table.within(start, end), row.required(start, end))

    first = bisect_left(ends, True, key=fills)
    return ends[first : bisect_left(ends, True, first, key=overflows)]


def _table(row: Row, slots: list[Slot], start: int, end: int) -> Asking[_Table]:
    takes: list[list[int]] = []
    for slot in slots:
        taken: set[int] = set()
        for pattern in slot.patterns:
            for at in row.candidates(pattern, start, end):
                if at not in taken and (yield from row.holds(pattern, at)):
                    taken.add(at)
        takes.append(sorted(taken))
    edges = Slots(least=[s.least for s in slots], most=[s.most for s in slots], takes=takes)
    return _Table(slots, edges, range(start, end))
