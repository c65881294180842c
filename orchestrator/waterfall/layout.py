"""Which columns a width leaves room for, and how wide they are."""

from dataclasses import dataclass
from typing import Final

TIME: Final = 9
SHARE: Final = 6
TOKENS: Final = 14
_FEWEST_CELLS: Final = 8
"""Bars of fewer cells show nothing that the figures do not say better."""
_CELLS_BESIDE_TOKENS: Final = 12
_CELLS_BESIDE_SHARES: Final = 16
"""Shorter bars than these take the room of a column that the headline sums up anyway."""
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

    Which call, of which model, how long and how dear is always said, and next to it when it ran:
    shares go first, then tokens, then bars. Where the room is ample, names grow.

    Args:
        width: of the terminal.
        needed: by the longest name, its marks abbreviated.
        wanted: by the longest name, its marks in words.
        cost: of the column of costs; 0 where nothing cost anything.
    """
    names = min(needed, width - TIME - cost)
    rest = width - names - TIME - cost - 1
    tokens = TOKENS if rest >= TOKENS + _CELLS_BESIDE_TOKENS else 0
    rest -= tokens
    share = SHARE if rest >= SHARE + _CELLS_BESIDE_SHARES else 0
    rest -= share
    reserve = _ENOUGH_CELLS if rest >= _FEWEST_CELLS else 0
    grown = min(max(wanted - names, 0), max(rest - reserve, 0))
    bars = rest - grown if reserve else 0
    return Layout(names=names + grown, bars=bars, share=share, tokens=tokens, cost=cost)
