"""Say which siblings stand in another order than expected, and whether that was chance."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple

from pytest_otel_spans.matching.seats import seats_of
from pytest_otel_spans.matching.siblings import Pair
from pytest_otel_spans.nodes import had_ended
from pytest_otel_spans.patterns.expected import Member, SpanPattern
from pytest_otel_spans.text.render import name_text
from pytest_otel_spans.tree import SpanNode

__all__ = ["Misorder", "misorder"]

_MOST_REMARKS: Final = 100


class Misorder(NamedTuple):
    """Siblings of which each is expected, but not in this order.

    Attributes:
        remarks: What to say of each sibling that stands in a wrong place.
        sentence: What to say of all.
    """

    remarks: dict[SpanNode, str]
    sentence: str


def misorder(members: Sequence[Member], pairs: Sequence[Pair]) -> Misorder:
    """Compare the order of siblings with the order of the members that they belong to.

    Args:
        members: What was expected, in order.
        pairs: Each sibling with its pattern, in the order of the siblings.
    """
    ranks = _ranks(members, pairs)
    staying = _longest_ascent(ranks)
    misplaced = [at for at in range(len(pairs)) if at not in staying]
    remarks: dict[SpanNode, str] = {}
    sentence = "same spans, different order"
    for at in misplaced[:_MOST_REMARKS]:
        node = pairs[at][1]
        other = _overtaken(at, ranks, pairs)
        side = "before" if other.order < node.order else "after"
        remarks[node] = f"~ expected {side} {name_text(other.step)}"
        if len(remarks) == 1:
            sentence += _chance(*sorted((node, other), key=lambda one: one.order))
    return Misorder(remarks, sentence)


def _ranks(members: Sequence[Member], pairs: Sequence[Pair]) -> list[int]:
    """Give each pair the place of its member; of equal patterns, the first place is taken first."""
    places: dict[SpanPattern, list[int]] = {}
    for place, member in enumerate(members):
        for seat in seats_of([member]):
            for pattern in seat.patterns:
                places.setdefault(pattern, []).append(place)
    ranks: list[int] = []
    for pattern, _ in pairs:
        free = places[pattern]
        ranks.append(free.pop(0) if len(free) > 1 else free[0])
    return ranks


def _longest_ascent(ranks: Sequence[int]) -> set[int]:
    """Return the positions of as many ranks as possible that do not fall."""
    tails: list[int] = []
    ends: list[int] = []
    before: list[int | None] = []
    for at, rank in enumerate(ranks):
        length = bisect_right(tails, rank)
        before.append(ends[length - 1] if length else None)
        tails[length : length + 1] = [rank]
        ends[length : length + 1] = [at]
    kept: set[int] = set()
    last = ends[-1] if ends else None
    while last is not None:
        kept.add(last)
        last = before[last]
    return kept


def _overtaken(at: int, ranks: Sequence[int], pairs: Sequence[Pair]) -> SpanNode:
    """Return the first sibling on whose wrong side this one stands."""
    earlier = next((one for one in range(at) if ranks[one] > ranks[at]), None)
    if earlier is None:
        later = range(len(ranks) - 1, at, -1)
        earlier = next(one for one in later if ranks[one] < ranks[at])
    return pairs[earlier][1]


def _chance(first: SpanNode, second: SpanNode) -> str:
    """Say whether the order of two spans was more than chance."""
    names = f"{name_text(first.step)} and {name_text(second.step)}"
    if had_ended(first, second):
        return (
            f"; {name_text(first.step)} had ended when {name_text(second.step)} started "
            "→ expect them in this order, or in any_order(...)"
        )
    if first.start_ns == second.start_ns and None in {first.sequence, second.sequence}:
        return f"; {names} started at the same time → any_order(...)"
    return f"; {names} overlapped in time → any_order(...)"
