"""Bring a snapshot up to date: keep what was typed and still holds, and write the rest anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from pytest_otel_spans.patterns.words import absent
from pytest_otel_spans.snapshots.compare import Disagreement
from pytest_otel_spans.snapshots.masks import Masks, Numbering
from pytest_otel_spans.snapshots.rows import Row, labels_of
from pytest_otel_spans.snapshots.story import ROOTS, Story, is_unordered, masked
from pytest_otel_spans.snapshots.tokens import Token, holds

__all__ = ["fresh", "merge"]


def fresh(story: Story, masks: Masks) -> tuple[Row, ...]:
    """Return the rows of a snapshot that has not been written yet."""
    numbering = Numbering({}, ())
    return tuple([masked(row, masks, numbering) for row in story.rows])


def merge(found: Disagreement, masks: Masks, unordered: Sequence[str] = ()) -> tuple[Row, ...]:
    """Return the rows of a snapshot brought up to date.

    Values that hold stand as they are spelled, wildcards typed by hand and labels among them.
    What has no partner in the snapshot is written as it would be in a new one. Children that
    have no order stand where they stood, and new ones behind them.
    """
    numbering = Numbering(found.bound, labels_of(found.rows))
    partners = {actual: standing for standing, actual in found.pairs}
    rows = [
        _merged(found, partners.get(index), row, masks, numbering)
        for index, row in enumerate(found.story.rows)
    ]
    if not unordered:
        return tuple(rows)
    return tuple([rows[index] for index in _order(found.story, partners, unordered)])


def _merged(
    found: Disagreement, partner: int | None, row: Row, masks: Masks, numbering: Numbering
) -> Row:
    if partner is None:
        return masked(row, masks, numbering)
    standing = found.rows[partner]

    def kept(key: str, token: Token, actual: Any) -> Token:
        if holds(token, actual, found.bound):
            return token
        return masks.token(key, actual, numbering)

    attributes = {
        key: kept(key, standing.attributes.get(key, absent), value)
        for key, value in sorted(row.attributes.items())
    }
    denied = {
        key: absent
        for key, token in standing.attributes.items()
        if token is absent and key not in row.attributes
    }
    return replace(
        row,
        name=kept("", standing.name, row.name),
        description=kept("", standing.description, row.description),
        attributes=MappingProxyType(attributes | denied),
    )


def _order(story: Story, partners: Mapping[int, int], unordered: Sequence[str]) -> list[int]:
    """Return the positions of the rows in the order in which they are to stand."""
    broods: dict[int, list[int]] = {}
    lineage: list[int] = []
    for index, row in enumerate(story.rows):
        del lineage[row.level :]
        broods.setdefault(lineage[-1] if lineage else -1, []).append(index)
        lineage.append(index)

    def place(index: int) -> tuple[int, int]:
        if story.rows[index].what != "span":
            return 0, index
        return (1, partners[index]) if index in partners else (2, index)

    order: list[int] = []
    waiting = [-1]
    while waiting:
        index = waiting.pop()
        name = ROOTS if index < 0 else story.rows[index].name
        brood = broods.get(index, [])
        if (ROOTS in unordered) if index < 0 else is_unordered(name, unordered):
            brood = sorted(brood, key=place)
        waiting += reversed(brood)
        if index >= 0:
            order.append(index)
    return order
