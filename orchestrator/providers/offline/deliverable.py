"""A result in parts, each of which answers one point that a review looks for."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

SHARE_AT_FIRST: Final = 3
"""A first draft has one in so many of the parts that are not basic; the rest is for revisions."""

_HEADING: Final = re.compile(r"^### (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One piece of a result; its text says its point on one line."""

    point: str
    text: str
    is_basic: bool = False
    """No draft goes without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliverable:
    """All that a finished result has, and how the parts become one text."""

    opening: str
    """The first line, by which an author knows a draft again."""
    parts: tuple[Part, ...]
    joined: Callable[[tuple[Part, ...]], str]

    @property
    def points(self) -> tuple[str, ...]:
        """What a review looks for, in order."""
        return tuple(part.point for part in self.parts)

    def first_draft(self) -> str:
        """The basic parts and the first of the others."""
        others = [part for part in self.parts if not part.is_basic]
        first = others[: len(others) // SHARE_AT_FIRST]
        return self._of([part.point for part in first], written={})

    def with_points(self, draft: str, wanted: Iterable[str]) -> str:
        """A draft with these points in it; one of another hand is kept, and added to."""
        if draft.startswith(self.opening):
            return self._of(wanted, written=_sections(draft))
        points = frozenset(wanted)
        added = tuple(part for part in self.parts if part.point in points)
        return f"{draft.rstrip()}\n\n{self.joined(added)}" if added else draft

    def _of(self, wanted: Iterable[str], *, written: Mapping[str, str]) -> str:
        points = frozenset(wanted)
        kept = tuple(
            replace(part, text=written.get(_heading(part.point), part.text))
            for part in self.parts
            if part.is_basic or part.point in points
        )
        return f"{self.opening}\n\n{self.joined(kept)}"


def in_sections(parts: tuple[Part, ...]) -> str:
    """Each part under its point as a heading."""
    return "\n\n".join(f"### {_heading(part.point)}\n\n{part.text}" for part in parts) + "\n"


def _sections(draft: str) -> dict[str, str]:
    """The texts of a draft by their headings: what nobody found fault with stays as it is."""
    _, *pieces = _HEADING.split(draft)
    texts = (piece.strip("\n") for piece in pieces[1::2])
    return dict(zip(pieces[::2], texts, strict=True))


def _heading(point: str) -> str:
    return point[:1].upper() + point[1:]
