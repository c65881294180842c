"""Turn the members of an `any_order` into slots, equal members into one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, product
from math import prod
from typing import Final, NamedTuple

from pytest_otel_spans.patterns.expected import Member, SpanPattern
from pytest_otel_spans.patterns.groups import AnyOrder, OneOf

__all__ = [
    "MOST_CHOICES",
    "Slot",
    "choices",
    "how_many_choices",
    "least_of",
    "most_of",
    "spelled_out",
]

MOST_CHOICES: Final = 256
"""How many ways to choose the alternatives of its `one_of` members an `any_order` may have."""

_MOST_SPELLED: Final = 32


class Slot(NamedTuple):
    """What may stand in one place of a group, and how often.

    Attributes:
        patterns: The patterns of which a span must match one.
        least: How many spans there must be at least.
        most: How many spans there may be at most, None for any number.
    """

    patterns: tuple[SpanPattern, ...]
    least: int
    most: int | None


def choices(group: AnyOrder[SpanPattern]) -> Iterator[list[Slot]]:
    """Yield the slots of the group, once for each choice of what its `one_of` members stand for.

    A `one_of` of single spans is one slot that takes either, and no choice.
    """
    for choice in product(*map(_options, group.members)):
        slots: dict[tuple[SpanPattern, ...], Slot] = {}
        for slot in chain.from_iterable(choice):
            known = slots.get(slot.patterns)
            slots[slot.patterns] = slot if known is None else _together(known, slot)
        yield list(slots.values())


def how_many_choices(group: AnyOrder[SpanPattern]) -> int:
    """Count what `choices` would yield."""
    return prod(len(_options(member)) for member in group.members)


def spelled_out(members: Sequence[Member]) -> list[tuple[Member, ...]]:
    """Return the members once for each choice of a `one_of` with an alternative of several spans.

    There are none where no such choice is, or more than anyone could try one by one.
    """
    options = [_spelled(member) for member in members]
    if not 1 < prod(map(len, options)) <= _MOST_SPELLED:
        return []
    return list(product(*options))


def _spelled(member: Member) -> list[Member]:
    if isinstance(member, AnyOrder):
        inner = [_spelled(one) for one in member.members]
        if prod(map(len, inner)) > _MOST_SPELLED:
            return [member]
        return [AnyOrder(tuple(chain.from_iterable(map(_flat, some)))) for some in product(*inner)]
    if isinstance(member, SpanPattern) or _is_single(member):
        return [member]
    return list(chain.from_iterable(map(_spelled, member.alternatives)))


def _flat(member: Member) -> tuple[SpanPattern | OneOf[SpanPattern], ...]:
    return member.members if isinstance(member, AnyOrder) else (member,)


def _is_single(member: OneOf[SpanPattern]) -> bool:
    return all(isinstance(one, SpanPattern) and not one.counted for one in member.alternatives)


def least_of(member: Member) -> int:
    """How many siblings the member takes at least."""
    if isinstance(member, SpanPattern):
        return member.least
    if isinstance(member, AnyOrder):
        return sum(map(least_of, member.members))
    return min(map(least_of, member.alternatives))


def most_of(member: Member) -> int | None:
    """How many siblings the member takes at most, None for any number."""
    if isinstance(member, SpanPattern):
        return member.most
    parts = member.members if isinstance(member, AnyOrder) else member.alternatives
    counts = [most_of(part) for part in parts]
    known = [count for count in counts if count is not None]
    if len(known) < len(counts):
        return None
    return sum(known) if isinstance(member, AnyOrder) else max(known)


def _options(member: Member) -> list[list[Slot]]:
    if isinstance(member, SpanPattern):
        return [[Slot((member,), member.least, member.most)]]
    if isinstance(member, AnyOrder):
        return [list(chain.from_iterable(some)) for some in product(*map(_options, member.members))]
    singles = [
        one for one in member.alternatives if isinstance(one, SpanPattern) and not one.counted
    ]
    if len(singles) == len(member.alternatives):
        return [[Slot(tuple(singles), 1, 1)]]
    return list(chain.from_iterable(map(_options, member.alternatives)))


def _together(one: Slot, two: Slot) -> Slot:
    most = None if one.most is None or two.most is None else one.most + two.most
    return Slot(one.patterns, one.least + two.least, most)
