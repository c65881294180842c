"""See one difference where an attribute has another name than was expected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

from pytest_otel_spans.matching.facts import Difference
from pytest_otel_spans.patterns.values import matches
from pytest_otel_spans.patterns.words import absent, same

__all__ = ["SLIP", "Renamed", "joined"]

SLIP: Final = 0.7
"""How much alike two keys are, from 0 to 1, of which one may stand for the other: a letter or two
differ, or a part of the path."""


class Renamed(NamedTuple):
    """What there is instead of an attribute: its value, under a key much like the expected one."""

    key: str
    value: Any


def joined(differences: Iterable[Difference]) -> tuple[Difference, ...]:
    """Return the differences; of one key that is missing and one too many make one."""
    differences = tuple(differences)
    surplus = {one.key: one for one in differences if _is_surplus(one) and one.key is not None}
    renamed = dict(_renamed(differences, surplus))
    told = {other.key for other in renamed.values()}
    return tuple(
        [
            replace(one, actual=renamed[one.key]) if one.key in renamed else one
            for one in differences
            if not (_is_surplus(one) and one.key in told)
        ]
    )


def _is_surplus(one: Difference) -> bool:
    return one.aspect == "attribute" and one.expected is absent


def _renamed(
    differences: Iterable[Difference], surplus: dict[str, Difference]
) -> Iterator[tuple[str | None, Renamed]]:
    for one in differences:
        if one.aspect != "attribute" or one.actual is not absent or isinstance(one.expected, same):
            continue
        for close in get_close_matches(one.key or "", surplus, n=1, cutoff=SLIP):
            if matches(one.expected, surplus[close].actual):
                yield one.key, Renamed(close, surplus.pop(close).actual)
