"""Hold one line of a snapshot with what belongs to it; a snapshot is rows, each before its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from pytest_otel_spans.snapshots.tokens import Label, Token, labels_in

__all__ = ["EXCEPTION", "Row", "What", "labels_of", "texts_of"]

What: TypeAlias = Literal["span", "event", "link"]
EXCEPTION: Final = "exception"
"""The name of the event that a recorded exception is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A span, an event or a link.

    Attributes:
        level: How deep it stands: 0 for a root, one more than its span for an event or a link.
        what: Which of the three it is. Events and links stand before the child spans.
        name: The name; for a link the path of its target.
        attributes: The attributes.
        kind: The span kind.
        status: `"unset"`, `"ok"` or `"error"`.
        description: What the status says, None if nothing.
        ended: Whether the span ended.
    """

    level: int
    what: What
    name: Token
    attributes: Mapping[str, Token] = field(default_factory=lambda: MappingProxyType({}))
    kind: str = "internal"
    status: str = "unset"
    description: Token = None
    ended: bool = True


def texts_of(row: Row) -> Iterator[tuple[str, Token]]:
    """Yield every value in the row with its key; the name and the description have none."""
    yield "", row.name
    if row.description is not None:
        yield "", row.description
    yield from row.attributes.items()


def labels_of(rows: Sequence[Row]) -> Iterator[Label]:
    """Yield every numbered label in the rows, as often as it stands there, as one reads."""
    for row in rows:
        for _, token in texts_of(row):
            yield from labels_in(token)
