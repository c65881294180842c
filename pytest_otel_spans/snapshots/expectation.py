"""Turn the rows of a snapshot into the patterns that the matcher takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from pytest_otel_spans.patterns.expected import Member, SpanPattern
from pytest_otel_spans.patterns.groups import AnyOrder
from pytest_otel_spans.patterns.names import Name, literal
from pytest_otel_spans.patterns.words import json_value
from pytest_otel_spans.snapshots.rows import Row
from pytest_otel_spans.snapshots.spell import spell
from pytest_otel_spans.snapshots.stand_in import SIGNS, spoken_attributes
from pytest_otel_spans.snapshots.story import ROOTS, is_unordered
from pytest_otel_spans.snapshots.tokens import (
    Bound,
    Found,
    Json,
    Label,
    Mixed,
    Token,
    Wild,
    holds,
    labels_in,
    regex_of,
)

__all__ = ["Expectation", "expect"]


class Expectation(NamedTuple):
    """What the matcher expects.

    Attributes:
        roots: The patterns of the roots.
        positions: At which row each pattern was made, by the id of the pattern.
        patterns: All of them: while they live no other object has the id of one.
    """

    roots: tuple[Member, ...]
    positions: Mapping[int, int]
    patterns: tuple[SpanPattern, ...]


def expect(rows: Sequence[Row], unordered: Sequence[str], bound: Bound) -> Expectation:
    """Make the patterns, the deepest first.

    Args:
        rows: The snapshot.
        unordered: The names of the spans whose children have no order.
        bound: What the labels stand for.
    """
    below: dict[int, list[tuple[Row, SpanPattern]]] = {}
    positions: dict[int, int] = {}
    patterns: list[SpanPattern] = []
    for position in reversed(range(len(rows))):
        row = rows[position]
        brood = below.pop(row.level + 1, [])[::-1]
        members = _members(brood, unordered=is_unordered(row.name, unordered))
        pattern = _pattern(row, members, bound)
        positions[id(pattern)] = position
        patterns.append(pattern)
        below.setdefault(row.level, []).append((row, pattern))
    roots = _members(below.pop(0, [])[::-1], unordered=ROOTS in unordered)
    return Expectation(roots, positions, tuple(patterns))


def _members(brood: Sequence[tuple[Row, SpanPattern]], *, unordered: bool) -> tuple[Member, ...]:
    if not unordered:
        return tuple([pattern for _, pattern in brood])
    remarks = [pattern for row, pattern in brood if row.what != "span"]
    spans = tuple([pattern for row, pattern in brood if row.what == "span"])
    return (*remarks, AnyOrder(spans)) if len(spans) > 1 else (*remarks, *spans)


def _pattern(row: Row, children: tuple[Member, ...], bound: Bound) -> SpanPattern:
    spoken = spoken_attributes(row, row.attributes.items())
    kind: Any = row.kind if row.what == "span" else row.what
    return SpanPattern(
        name=_name(row, bound),
        attributes=MappingProxyType({key: _expected(value, bound) for key, value in spoken}),
        children=children,
        kind=kind,
        only=True,
        never_ended=not row.ended,
    )


def _name(row: Row, bound: Bound) -> Name:
    sign, name = SIGNS[row.what], row.name
    if isinstance(name, str):
        return literal(sign + name) if "*" in name else sign + name
    if isinstance(name, Found):
        anywhere = "" if name.pattern.startswith("^") else ".*"
        return re.compile(f"^{sign}{anywhere}(?:{name.pattern.removeprefix('^')})")
    if isinstance(name, Label | Mixed):
        return re.compile(f"^{sign}{regex_of(name, bound)}$")
    return re.compile(f"^{sign}")


def _expected(token: Token, bound: Bound) -> Any:
    if isinstance(token, Json):
        return json_value(_expected(token.content, bound), only=True)
    if isinstance(token, list | tuple):
        return tuple([_expected(item, bound) for item in token])
    if isinstance(token, Mapping):
        return {key: _expected(value, bound) for key, value in token.items()}
    if isinstance(token, Wild | Found | Label | Mixed):
        return _Word(token, bound)
    return token


class _Word:
    """A word of a snapshot as the matcher takes it: it decides for itself what it equals."""

    __slots__ = ("_bound", "_token")

    def __init__(self, token: Wild | Found | Label | Mixed, bound: Bound) -> None:
        self._token = token
        self._bound = bound

    def __eq__(self, other: object) -> bool:
        if isinstance(other, _Word):
            return self._token == other._token
        return holds(self._token, other, self._bound)

    def __hash__(self) -> int:
        return hash(self._token)

    def __repr__(self) -> str:
        return spell(self._token) + "".join(self._meanings())

    def _meanings(self) -> Iterator[str]:
        """Say what the labels stand for, so that a reader sees why another text is wrong."""
        for label in labels_in(self._token):
            if self._bound is not None and label in self._bound:
                yield f", elsewhere {self._bound[label]!r}"
            elif self._bound is not None:
                yield ", a text that no other label has"
