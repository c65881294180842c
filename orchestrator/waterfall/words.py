"""Cells and figures: how the view says times, counts and shares in few characters."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

ON_PATH: Final = "█"
BESIDE: Final = "░"
BAD: Final = "bold red"
GOOD: Final = "bold green"
CRITICAL: Final = "bold yellow"
QUIET: Final = "dim"
STYLE_OF: Final = {ON_PATH: "yellow", BESIDE: "cyan", " ": ""}
"""Of the cells of bars."""

_HALF: Final = 0.5
_TEN_MS: Final = 10
_SECOND_MS: Final = 1_000
_LONG_MS: Final = 100_000
_THOUSANDS: Final = 10_000
_MILLIONS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a line, and how it looks where colour is to be had."""

    text: str
    style: str = ""


Line = tuple[Part, ...]


def cell(text: str, width: int) -> str:
    """The text, cut or filled to a width."""
    return text.ljust(width) if len(text) <= width else f"{text[: max(width - 1, 0)]}…"


def length(parts: Iterable[Part]) -> int:
    """How many characters they take."""
    return sum(len(part.text) for part in parts)


def filled(phrases: Iterable[str], width: int) -> list[str]:
    """Phrases with commas between them, on as many lines as they need; none is broken."""
    lines: list[str] = []
    for phrase in phrases:
        if lines and len(lines[-1]) + len(", ,") + len(phrase) <= width:
            lines[-1] += f", {phrase}"
        else:
            lines[-1:] = [f"{lines[-1]},", phrase] if lines else [phrase]
    return lines


def duration(length_ns: int) -> str:
    """A time as a person reads it: ``0.4 ms``, ``412 ms``, ``12.4 s``, ``3 m 05 s``."""
    milliseconds = length_ns / 1e6
    if milliseconds < _TEN_MS:
        return f"{milliseconds:.1f} ms"
    if milliseconds < _SECOND_MS:
        return f"{milliseconds:.0f} ms"
    if milliseconds < _LONG_MS:
        return f"{milliseconds / 1000:.1f} s"
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    return f"{minutes} m {seconds:02d} s"


def percent(part: int | Decimal, whole: int | Decimal) -> str:
    """A share: ``24 %``; what is less than half of one, but not nothing, says so."""
    share = 100 * part / (whole or 1)
    return "<1 %" if 0 < share < _HALF else f"{share:.0f} %"


def tokens(sent: int, received: int) -> str:
    """Both directions, or nothing when nothing went over."""
    return f"{_short(sent)}→{_short(received)}" if sent or received else ""


def _short(number: int) -> str:
    """At most five characters, up to a thousand million."""
    if number < _THOUSANDS:
        return f"{number:,}"
    return f"{number / 1e3:.0f}k" if number < _MILLIONS else f"{number / 1e6:.1f}M"
