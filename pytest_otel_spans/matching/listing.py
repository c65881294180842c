"""Align a list of siblings with a list of seats, keeping the order of both."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final

from pytest_otel_spans.matching.seats import Seat, Usher
from pytest_otel_spans.nodes import SpanNode
from pytest_otel_spans.patterns.expected import SpanPattern

__all__ = ["MOST_CELLS", "align_in_order"]

MOST_CELLS: Final = 40_000
"""Up to so many seats times siblings the alignment is the cheapest; above, a greedy one."""
_AHEAD: Final = 32


def align_in_order(usher: Usher) -> dict[int, int]:
    """Return which seat each sibling is nearest to, both by position; some have none.

    What fits at both ends is taken off first: usually little is left.
    """
    seats, nodes = usher.seats, usher.level.nodes
    places: dict[int, int] = {}
    start, stop = 0, min(len(seats), len(nodes))
    while start < stop and _is_single(seats[start]) and usher.fits(seats[start], nodes[start]):
        places[start] = start
        start += 1
    end = 0
    while end < stop - start and _is_single(seats[~end]) and usher.fits(seats[~end], nodes[~end]):
        places[len(nodes) + ~end] = len(seats) + ~end
        end += 1
    some_seats, some_nodes = seats[start : len(seats) - end], nodes[start : len(nodes) - end]
    small = len(some_seats) * len(some_nodes) <= MOST_CELLS
    rest = (_cheapest if small else _greedy)(usher, some_seats, some_nodes)
    return places | {start + node: start + seat for node, seat in rest.items()}


def _is_single(seat: Seat) -> bool:
    return (seat.least, seat.most) == (1, 1)


def _cheapest(usher: Usher, seats: Sequence[Seat], nodes: Sequence[SpanNode]) -> dict[int, int]:
    """Fill a table from its end: what it costs to align the seats and the siblings from here on.

    A seat that stays empty costs 1 where it must not, a sibling without a seat costs 1 where
    others are not allowed, and a pair costs how far it is apart.
    """
    stray = 0.0 if usher.level.opened else 1.0
    table = _Table(seats, nodes, stray)
    for at in reversed(range(len(seats))):
        table.fill(at, [usher.best(seats[at], node) for node in nodes])
    return table.read()


class _Table:
    """`cost[at][taken][node]`: the least cost from a seat and a sibling on.

    `taken` says whether somebody sits on the seat already.
    """

    def __init__(self, seats: Sequence[Seat], nodes: Sequence[SpanNode], stray: float) -> None:
        self.seats = seats
        self.size = len(nodes)
        self.stray = stray
        past = [stray * (self.size - node) for node in range(self.size + 1)]
        self.cost: dict[int, tuple[list[float], list[float]]] = {len(seats): (past, past)}
        self.apart: dict[int, list[float]] = {}

    def fill(self, at: int, nearest: list[tuple[float, SpanPattern] | None]) -> None:
        """Fill in the costs of one seat; those of the next one stand already."""
        self.apart[at] = [inf if one is None else one[0] for one in nearest]
        self.cost[at] = ([inf] * (self.size + 1), [inf] * (self.size + 1))
        for node in reversed(range(self.size + 1)):
            for taken in (1, 0):
                self.cost[at][taken][node] = min(self._options(at, taken, node))

    def _options(self, at: int, taken: int, node: int) -> tuple[float, float, float]:
        """What it costs to seat the sibling, to go on to the next seat, to leave it standing."""
        seat = self.seats[at]
        leave = self.cost[at + 1][0][node] + (not taken and seat.least > 0)
        if node == self.size:
            return inf, leave, inf
        room = not taken or seat.most != 1
        sit = self.apart[at][node] + self.cost[at][1][node + 1] if room else inf
        return sit, leave, self.stray + self.cost[at][taken][node + 1]

    def read(self) -> dict[int, int]:
        """Return the seats of the siblings along the cheapest way."""
        places: dict[int, int] = {}
        at = taken = node = 0
        while at < len(self.seats):
            sit, leave, stand = self._options(at, taken, node)
            if sit <= min(leave, stand):
                places[node] = at
                taken, node = 1, node + 1
            elif leave <= stand:
                at, taken = at + 1, 0
            else:
                node += 1
        return places


def _greedy(usher: Usher, seats: Sequence[Seat], nodes: Sequence[SpanNode]) -> dict[int, int]:
    """Walk along both lists; where they part, look a little ahead for where they meet again."""
    places: dict[int, int] = {}
    at = node = 0
    while at < len(seats) and node < len(nodes):
        skipped = _meeting(usher, seats[at : at + _AHEAD], nodes[node : node + _AHEAD])
        at, node = at + skipped[0], node + skipped[1]
        seated = usher.best(seats[at], nodes[node]) is not None
        if seated:
            places[node] = at
        node += 1
        goes_on = seated and seats[at].most != 1 and node < len(nodes)
        if not (goes_on and usher.fits(seats[at], nodes[node])):
            at += 1
    return places


def _meeting(usher: Usher, seats: Sequence[Seat], nodes: Sequence[SpanNode]) -> tuple[int, int]:
    """Return how many seats or siblings to skip, as few as possible, so that the next two fit."""
    for skip in range(_AHEAD):
        if skip < len(nodes) and usher.fits(seats[0], nodes[skip]):
            return 0, skip
        if skip < len(seats) and usher.fits(seats[skip], nodes[0]):
            return skip, 0
    return 0, 0
