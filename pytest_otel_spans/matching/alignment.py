"""Align siblings that match no arrangement with the members that they come closest to."""

from __future__ import annotations

from collections import Counter, deque
from typing import Final, NamedTuple

from pytest_otel_spans.matching.assignment import Slots, place_most
from pytest_otel_spans.matching.cheapest import cheapest
from pytest_otel_spans.matching.judge import Judge
from pytest_otel_spans.matching.level import Level, Pair
from pytest_otel_spans.matching.listing import align_in_order
from pytest_otel_spans.matching.seats import Usher
from pytest_otel_spans.nodes import SpanNode
from pytest_otel_spans.patterns.expected import Member, SpanPattern
from pytest_otel_spans.patterns.groups import AnyOrder, OneOf
from pytest_otel_spans.patterns.slots import MOST_CHOICES, how_many_choices, spelled_out

__all__ = ["Alignment", "Missing", "align"]

MOST_EDGES: Final = 200_000
"""Up to so many pairs of a pattern and a sibling every one of them is judged."""
MOST_DISTANCES: Final = 10_000
"""Up to so many chairs times siblings the nearest are paired."""


class Missing(NamedTuple):
    """A member that has too few siblings.

    Attributes:
        member: The pattern, or the `one_of`.
        found: How many siblings it has.
        before: The position in the siblings before which the missing ones should stand.
    """

    member: SpanPattern | OneOf[SpanPattern]
    found: int
    before: int


class Alignment(NamedTuple):
    """The members of a level beside its siblings.

    Attributes:
        holds: Whether this is an arrangement in which everything below holds, too.
        pairs: What belongs together, in the order of the siblings; where the level does not hold
            the pattern of a pair need not hold for its node.
        missing: The members that have too few siblings, in their order.
        unexpected: The siblings that nobody expects, those beyond a count included.
        others: The siblings that `...` allows.
        reordered: Whether all would hold if the members stood in any order.
        chosen: The members with the alternative in place that comes closest, where a `one_of` has
            alternatives of several siblings; else none.
    """

    holds: bool
    pairs: tuple[Pair, ...]
    missing: tuple[Missing, ...]
    unexpected: tuple[SpanNode, ...]
    others: tuple[SpanNode, ...]
    reordered: bool
    chosen: tuple[Member, ...] = ()


def align(judge: Judge, level: Level) -> Alignment:
    """Put the members of a level beside its siblings, as close as they come.

    Where the level holds, this is an arrangement. Where it would hold in another order, it is
    that one. Else a list keeps its order, at the least cost; a level with a group in any order
    pairs first what holds, as much of it as possible, and of the rest what is nearest. What
    belongs together in one alternative of a `one_of` is not mixed with another's: each is tried.
    """
    if (pairs := judge.arrange(level)) is not None:
        return _settled(level, pairs, holds=True)
    if tried := spelled_out(level.members):
        some = [_at_worst(judge, level._replace(members=one))._replace(chosen=one) for one in tried]
        return min(some, key=lambda one: _distance(judge, level, one))
    return _at_worst(judge, level)


def _distance(judge: Judge, level: Level, alignment: Alignment) -> int:
    wrong = sum(not judge.holds(pattern, node, level.mode) for pattern, node in alignment.pairs)
    return len(alignment.missing) + len(alignment.unexpected) + wrong + alignment.reordered


def _at_worst(judge: Judge, level: Level) -> Alignment:
    usher = Usher(judge, level)
    thorough = usher.edges() <= MOST_EDGES
    if thorough and (pairs := _in_any_order(usher)) is not None:
        return _settled(level, pairs, holds=False)
    in_order = not any(isinstance(member, AnyOrder) for member in level.members)
    places = align_in_order(usher) if in_order else _align_freely(usher, thorough=thorough)
    return _told(usher, places)


def _settled(level: Level, pairs: list[Pair], *, holds: bool) -> Alignment:
    seated = {node for _, node in pairs}
    others = tuple(node for node in level.nodes if node not in seated)
    return Alignment(holds, tuple(pairs), (), (), others, not holds)


def _in_any_order(usher: Usher) -> list[Pair] | None:
    group = AnyOrder(tuple(seat.member for seat in usher.seats))
    if how_many_choices(group) > MOST_CHOICES:
        return None
    return usher.judge.arrange(usher.level._replace(members=(group,)))


def _align_freely(usher: Usher, *, thorough: bool) -> dict[int, int]:
    nodes = usher.level.nodes
    places: dict[int, int] = {}
    if thorough:
        takes = [
            [at for at, node in enumerate(nodes) if usher.fits(seat, node)] for seat in usher.seats
        ]
        slots = Slots(
            least=[seat.least for seat in usher.seats],
            most=[seat.most for seat in usher.seats],
            takes=takes,
        )
        places = place_most(slots, range(len(nodes)))
    standing = [at for at in range(len(nodes)) if at not in places]
    taken = Counter(places.values())
    chairs: list[int] = []
    for at, seat in enumerate(usher.seats):
        lacking = max(seat.least - taken[at], 0) or int(seat.most is None or not taken[at])
        chairs += [at] * min(lacking, len(standing))
    return places | _seat_nearest(usher, chairs, standing)


def _seat_nearest(usher: Usher, chairs: list[int], standing: list[int]) -> dict[int, int]:
    """Seat who is standing where the name is right: the nearest, or of many the first."""
    nodes = usher.level.nodes
    if len(chairs) * len(standing) > MOST_DISTANCES:
        return _seat_first(usher, chairs, standing)
    nearest = [[usher.best(usher.seats[chair], nodes[at]) for at in standing] for chair in chairs]
    costs = [[None if one is None else one[0] for one in row] for row in nearest]
    return {standing[column]: chairs[row] for row, column in cheapest(costs)}


def _seat_first(usher: Usher, chairs: list[int], standing: list[int]) -> dict[int, int]:
    free: dict[str | None, deque[int]] = {}
    for chair in chairs:
        patterns = usher.seats[chair].patterns
        free.setdefault(patterns[0].fixed if len(patterns) == 1 else None, deque()).append(chair)
    places: dict[int, int] = {}
    wild = free.pop(None, deque())
    for at in standing:
        node = usher.level.nodes[at]
        if namesakes := free.get(node.name):
            places[at] = namesakes.popleft()
        elif wild and usher.best(usher.seats[wild[0]], node) is not None:
            places[at] = wild.popleft()
    return places


def _told(usher: Usher, places: dict[int, int]) -> Alignment:
    """Say who sits where, who is one too many, and which seats are left."""
    pairs: list[Pair] = []
    unexpected: list[SpanNode] = []
    others: list[SpanNode] = []
    found: Counter[int] = Counter()
    for at, node in enumerate(usher.level.nodes):
        seat = places.get(at)
        most = usher.seats[seat].most if seat is not None else 0
        if seat is not None and (most is None or found[seat] < most):
            found[seat] += 1
            pairs.append(usher.pair(usher.seats[seat], node))
        elif seat is None and usher.allows(node):
            others.append(node)
        else:
            unexpected.append(node)
    missing = _missing(usher, places, found)
    return Alignment(False, tuple(pairs), missing, tuple(unexpected), tuple(others), False)


def _missing(usher: Usher, places: dict[int, int], found: Counter[int]) -> tuple[Missing, ...]:
    last_of: dict[int, int] = {seat: at for at, seat in sorted(places.items())}
    missing: list[Missing] = []
    before = 0
    for at, seat in enumerate(usher.seats):
        before = max(before, last_of.get(at, -1) + 1)
        if found[at] < seat.least:
            missing.append(Missing(seat.member, found[at], before))
    return tuple(missing)
