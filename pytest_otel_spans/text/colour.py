"""Colour the message of a failed assertion where pytest writes it to a terminal that has colours.

The message itself is plain: it goes to files and over wires, too. Whether a terminal has colours,
and whether they are wanted (`--color`, `NO_COLOR`), is what pytest's terminal writer knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

__all__ = ["coloured", "paint"]

_OURS: Final = re.compile(r"\bSpan(?:Tree|Schema)Mismatch: ")
_FAILURE: Final = re.compile(r"E {3}")
"""How pytest starts each line of what was raised."""
_PARTS: Final = re.compile(
    r"(?P<fine>(?<= {2})ok(, with [\d,]+ spans? below)?$|… .* ok$)"
    r"|(?P<remark>(?<= {2})[-+~] [^→]*)"
    r"|(?P<hint>→ .*)"
)
_SIGNS: Final = {"-": "red", "+": "green", "~": "yellow"}


def coloured(account: Any) -> Any:
    """Return a report's account of a failure (its `longrepr`) as one that is written in colours.

    The account of another failure than one of ours is returned as it is.
    """
    crash = getattr(account, "reprcrash", None)
    return _Painted(account) if _OURS.search(getattr(crash, "message", "")) else account


def paint(line: str, markup: Callable[..., str]) -> str:
    """Return a line of the message with what is as expected faint, and signs and hints in colour.

    Args:
        line: The line.
        markup: Writes a text in the colour or style of the keyword that is true.
    """
    if _OURS.search(line):
        return markup(line, red=True, bold=True)

    def marked(found: re.Match[str]) -> str:
        text = found.group()
        if found.lastgroup == "remark":
            return markup(text, **{_SIGNS[text[0]]: True})
        return markup(text, light=True) if found["fine"] else markup(text, cyan=True)

    return _PARTS.sub(marked, line)


class _Painted:
    """An account in colours; it is the plain one in all but how it is written to a terminal."""

    def __init__(self, account: Any) -> None:
        self._account = account

    def toterminal(self, writer: Any) -> None:
        """Write the account."""
        self._account.toterminal(_Writer(writer) if writer.hasmarkup else writer)

    def __str__(self) -> str:
        return str(self._account)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._account, name)


class _Writer:
    """A terminal writer that colours the lines of what was raised by what they say."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def line(self, text: str = "", **style: bool) -> None:
        """Write a line."""
        if _FAILURE.match(text):
            self._writer.line(paint(text, self._writer.markup))
        else:
            self._writer.line(text, **style)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)
