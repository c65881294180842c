"""Draw entries as the lines of one tree, with remarks in a column to the right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

__all__ = ["Branch", "draw"]

_DEEPEST: Final = 24
"""Levels that are indented; below, lines say their level, or a deep tree would be all margin."""

_WIDEST: Final = 44
"""Where the column of remarks starts at the latest; a longer line pushes its remark out."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Branch:
    """One entry of a drawn tree.

    Attributes:
        text: The entry, in one line.
        remark: What is said about it, to its right.
        below: Lines about it that stand under it, before its children.
        children: The entries under it.
    """

    text: str
    remark: str = ""
    below: tuple[str, ...] = ()
    children: tuple[Branch, ...] = ()


def draw(branches: Iterable[Branch]) -> list[str]:
    """Draw the trees, one under the other.

    The drawing is Unicode whatever the terminal: where it cannot be printed pytest escapes it.
    """
    lines = list(_lines(branches))
    width = min(_WIDEST, max((len(left) for left, remark in lines if remark), default=0))
    return [f"{left:<{width}}  {remark}" if remark else left for left, remark in lines]


def _lines(branches: Iterable[Branch]) -> Iterator[tuple[str, str]]:
    waiting = [(branch, "", "", 0) for branch in reversed(list(branches))]
    while waiting:
        branch, lead, margin, level = waiting.pop()
        yield lead + _at(level) + branch.text, branch.remark
        rule = "│   " if branch.children else "    "
        for line in branch.below:
            yield margin + rule + line, ""
        for child, last in reversed(list(_with_last(branch.children))):
            if level < _DEEPEST:
                fork, under = ("└─ ", "   ") if last else ("├─ ", "│  ")
                waiting.append((child, margin + fork, margin + under, level + 1))
            else:
                waiting.append((child, margin, margin, level + 1))


def _at(level: int) -> str:
    return f"(level {level}) " if level > _DEEPEST else ""


def _with_last(branches: tuple[Branch, ...]) -> Iterator[tuple[Branch, bool]]:
    for branch, _ in pairwise(branches):
        yield branch, False
    if branches:
        yield branches[-1], True
