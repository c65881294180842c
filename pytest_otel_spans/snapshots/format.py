"""Write a snapshot as text: one line a fact, told by indentation what it belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Final

from pytest_otel_spans.snapshots.rows import EXCEPTION, Row
from pytest_otel_spans.snapshots.spell import spell, spell_name
from pytest_otel_spans.snapshots.tokens import Token, Wild

__all__ = [
    "COMMENT",
    "DEEPEST",
    "DETAIL",
    "EXCEPTION_TYPE",
    "HEADER",
    "LEVEL",
    "MESSAGE",
    "TYPE",
    "format_rows",
]

HEADER: Final = "# spans v1"
COMMENT: Final = "#"
"""How a line begins, below the first, that a hand has written for readers."""
LEVEL: Final = 2
"""Spaces that a child stands further in than its parent."""
DETAIL: Final = 4
"""Spaces that an attribute stands further in than what has it."""
DEEPEST: Final = 40
"""Levels that are told by indentation; deeper ones are written out, or a deep tree would be
nothing but spaces."""

TYPE: Final = "exception.type"
MESSAGE: Final = "exception.message"
EXCEPTION_TYPE: Final = re.compile(r"[^\W\d][\w.<>]*")
_NO_KEY: Final = re.compile(" = ")
_NO_EVENT: Final = re.compile(f"^{EXCEPTION}.")


def format_rows(rows: Iterable[Row]) -> str:
    """Return the text of a snapshot; `parse_rows` reads it back."""
    lines = [HEADER]
    for row in rows:
        lines += _span_lines(row) if row.what == "span" else _remark_lines(row)
    return "\n".join([*lines, ""])


def _indent(level: int) -> str:
    """Return the margin of a span."""
    return " " * (LEVEL * min(level, DEEPEST))


def _span_lines(row: Row) -> Iterator[str]:
    margin = _indent(row.level)
    mark = f"(level {row.level}) " if row.level > DEEPEST else ""
    yield "  ".join([margin + mark + spell_name(row.name), *_marks(row)])
    yield from _attribute_lines(row.attributes.items(), margin)


def _marks(row: Row) -> Iterator[str]:
    if row.kind != "internal":
        yield f"({row.kind})"
    if row.status != "unset":
        said = "" if row.description is None else f" {spell(row.description)}"
        yield f"[{row.status}{said}]"
    if not row.ended:
        yield "(never ended)"


def _attribute_lines(attributes: Iterable[tuple[str, Token]], margin: str) -> Iterator[str]:
    for key, value in sorted(attributes, key=itemgetter(0)):
        yield f"{margin}{' ' * DETAIL}{spell_name(key, taken=_NO_KEY)} = {spell(value)}"


def _remark_lines(row: Row) -> Iterator[str]:
    margin = _indent(row.level - 1) + " " * DETAIL
    attributes = dict(row.attributes)
    if row.what == "link":
        yield f"{margin}~> {spell_name(row.name)}"
    elif row.name == EXCEPTION:
        yield f"{margin}! {EXCEPTION}{_exception(attributes)}"
    else:
        yield f"{margin}! {spell_name(row.name, taken=_NO_EVENT)}"
    yield from _attribute_lines(attributes.items(), margin)


def _exception(attributes: dict[str, Token]) -> str:
    """Take type and message out of the attributes, for the line of the exception."""
    kind = attributes.get(TYPE)
    if isinstance(kind, Wild):
        text = f" {spell(attributes.pop(TYPE))}"
    elif isinstance(kind, str) and EXCEPTION_TYPE.fullmatch(kind):
        text = f" {attributes.pop(TYPE)}"
    else:
        return ""
    return f"{text}: {spell(attributes.pop(MESSAGE))}" if MESSAGE in attributes else text
