"""Which columns a width leaves room for, and how wide they are."""

from dataclasses import dataclass
from typing import Final

TIME: Final = 9
SHARE: Final = 6
TOKENS: Final = 13
_FEWEST_CELLS: Final = 8
"""Bars of fewer cells show nothing that the figures do not say better."""
_ENOUGH_CELLS: Final = 24
"""Beyond these, room serves names better than bars."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Widths in characters; a column of width 0 is not there."""

    names: int
    bars: int
    share: int
    tokens: int
    cost: int


def layout_of(width: int, *, needed: int, wanted: int, cost: int) -> Layout:
    """Lay out a tree.

    Which call, of which model, how long and how dear is always said. Where the room is short,
    bars shrink first, then shares go, then bars, then tokens; where it is ample, names grow.

    Args:
        width: of the terminal.
        needed: by the longest name, its marks abbreviated.
        wanted: by the longest name, its marks in words.
        cost: of the column of costs; 0 where nothing cost anything.
    """
    names = min(needed, width - TIME - cost)
    rest = width - names - TIME - cost
    tokens = TOKENS if rest >= TOKENS else 0
    rest -= tokens
    share = SHARE if rest > SHARE + _FEWEST_CELLS else 0
    rest -= share
    reserve = 1 + _ENOUGH_CELLS if rest > _FEWEST_CELLS else 0
    grown = min(max(wanted - names, 0), max(rest - reserve, 0))
    bars = rest - 1 - grown if reserve else 0
    return Layout(names=names + grown, bars=bars, share=share, tokens=tokens, cost=cost)
