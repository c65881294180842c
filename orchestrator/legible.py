"""How text, money, time and counts are said to a person.

A text that a model wrote is data, never a terminal command: it is printed without the characters
that could be one.
"""

from decimal import Decimal
from typing import Final

_KEPT_IN_BLOCKS: Final = frozenset("\n\t")
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_NOTHING: Final = Decimal(0)


def line(text: str, width: int | None = None) -> str:
    """One line without control, direction or other unprintable characters, cut to `width`."""
    joined = " ".join(text.split())
    clean = "".join(char if char.isprintable() else _REPLACEMENT for char in joined)
    if width is None or len(clean) <= width:
        return clean
    return clean[: max(width - 1, 0)] + "…"


def block(text: str) -> str:
    """Several lines without the characters that could command a terminal."""
    unix = text.replace("\r\n", "\n")
    return "".join(char if _is_harmless(char) else _REPLACEMENT for char in unix)


def usd(amount: Decimal, estimated: Decimal = _NOTHING) -> str:
    """Dollars to four decimals, ``≈`` where a part of them is estimated.

    What is less than that, but not nothing, says so.
    """
    about = "≈ " if estimated else ""
    if 0 < amount < Decimal("0.0001"):
        return f"{about}<$0.0001"
    return f"{about}${amount:.4f}"


def duration(seconds: float) -> str:
    """Seconds as a person says them: ``0.3 s``, ``12.0 s``, ``4 min 05 s``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.1f} s"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """``1 task``, ``2 tasks``; a noun that takes no ``s`` brings its plural."""
    return f"{number} {noun}" if number == 1 else f"{number} {plural or f'{noun}s'}"


def _is_harmless(char: str) -> bool:
    """C0 and C1 controls and DEL command terminals; all else is text, in whatever language."""
    return char in _KEPT_IN_BLOCKS or not (char < " " or "\x7f" <= char <= "\x9f")
