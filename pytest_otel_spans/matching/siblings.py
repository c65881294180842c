"""Arrange siblings: which of the expected members does each of them belong to, in order.

Members cover stretches of siblings one after the other. For each member in turn, what is kept
is the set of positions at which it may end; a position that another one reaches by skipping
siblings nobody expects is dropped, so that few remain and the work is nearly linear.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple, TypeAlias

from pytest_otel_spans.matching.level import Asking, Court, Level, Pair, Row
from pytest_otel_spans.matching.mixture import Mixture, mixtures, pairs_of_mixture
from pytest_otel_spans.patterns.expected import Member, SpanPattern
from pytest_otel_spans.patterns.groups import AnyOrder
from pytest_otel_spans.patterns.slots import least_of, most_of

__all__ = ["Level", "Pair", "arrange"]


class _Run(NamedTuple):
    """Siblings from `start` on that match one pattern."""

    start: int
    pattern: SpanPattern


_Ends: TypeAlias = dict[int, _Run | Mixture]
"""Where a member may end, and what then lies before."""


def arrange(level: Level, court: Court) -> Asking[list[Pair] | None]:
    """Find the pattern that each sibling belongs to, in the order of the siblings.

    Args:
        level: The siblings and the members.
        court: Who answers the questions.

    Returns:
        The pairs, without the siblings that nobody expects; None if there is no arrangement.
    """
    row = Row(level, court)
    if level.opened:
        yield from row.find_solid()
    starts = [0]
    trail: list[_Ends] = []
    for member, low, high in _limited(level):
        ends = yield from _ends(row, member, starts, low, high)
        trail.append({end: before for end, before in ends.items() if low <= end <= high})
        starts = _undominated(row, trail[-1])
        if not starts:
            return None
    end = next((start for start in starts if row.solid[start] == len(level.nodes)), None)
    return None if end is None else (yield from _pairs(row, trail, end))


def _limited(level: Level) -> list[tuple[Member, int, int]]:
    """Return each member with the first and last position at which it may end."""
    limited: list[tuple[Member, int, int]] = []
    low: int | None = len(level.nodes)
    high = len(level.nodes)
    for member in reversed(level.members):
        limited.append((member, 0 if level.opened or low is None else max(low, 0), high))
        most = most_of(member)
        low = None if low is None or most is None else low - most
        high -= least_of(member)
    return limited[::-1]


def _undominated(row: Row, ends: _Ends) -> list[int]:
    """Drop each position that an earlier one reaches by skipping."""
    kept: list[int] = []
    for end in sorted(ends):
        if not kept or row.solid[kept[-1]] < end:
            kept.append(end)
    return kept


def _ends(row: Row, member: Member, starts: list[int], low: int, high: int) -> Asking[_Ends]:
    """Return where the member can end, if it begins at one of the starts."""
    ends: _Ends = {}
    if isinstance(member, AnyOrder):
        ends.update((yield from mixtures(row, member, starts, low, high)))
    elif isinstance(member, SpanPattern):
        ends.update((yield from (_runs if member.counted else _singles)(row, member, starts)))
    else:
        for alternative in member.alternatives:
            ends = (yield from _ends(row, alternative, starts, low, high)) | ends
    return ends


def _singles(row: Row, pattern: SpanPattern, starts: list[int]) -> Asking[_Ends]:
    """The first match that is reached by skipping, and the sibling that cannot be skipped."""
    ends: _Ends = {}
    for start in starts:
        solid = row.solid[start]
        for at in range(start, solid):
            if (yield from row.holds(pattern, at)):
                ends[at + 1] = _Run(start, pattern)
                break
        if solid < len(row.nodes) and (yield from row.holds(pattern, solid)):
            ends.setdefault(solid + 1, _Run(start, pattern))
    return ends


def _runs(row: Row, pattern: SpanPattern, starts: list[int]) -> Asking[_Ends]:
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
        while at < len(row.nodes) and (most is None or count - begun[-1][0] < most):
            if (yield from row.holds(pattern, at)):
                count += 1
                while first + 1 < len(begun) and begun[first + 1][0] <= count - least:
                    first += 1
                taken = count - begun[first][0]
                if least <= taken and (most is None or taken <= most):
                    ends.setdefault(at + 1, _Run(begun[first][1], pattern))
            elif row.solid[at] == at:
                break
            at += 1
            if waiting and waiting[0] == at:
                begun.append((count, waiting.popleft()))
                if least == 0:
                    ends.setdefault(at, _Run(at, pattern))
    return ends


def _pairs(row: Row, trail: list[_Ends], end: int) -> Asking[list[Pair]]:
    """Follow the trail back from the end, and pair what each stretch covers."""
    stretches: list[tuple[_Run | Mixture, int]] = []
    for ends in reversed(trail):
        stretches.append((ends[end], end))
        end = ends[end].start
    pairs: list[Pair] = []
    for stretch, stop in reversed(stretches):
        if isinstance(stretch, Mixture):
            pairs += yield from pairs_of_mixture(row, stretch, stop)
        elif stretch.pattern.counted:
            pairs += yield from _pairs_of_run(row, stretch, stop)
        else:
            pairs.append((stretch.pattern, row.nodes[stop - 1]))
    return pairs


def _pairs_of_run(row: Row, run: _Run, end: int) -> Asking[list[Pair]]:
    pairs: list[Pair] = []
    for at in range(run.start, end):
        if (yield from row.holds(run.pattern, at)):
            pairs.append((run.pattern, row.nodes[at]))  # noqa: PERF401 - nothing yields in a list
    return pairs
