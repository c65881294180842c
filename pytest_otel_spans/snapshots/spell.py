"""Spell one value of a snapshot as text: JSON, and words in angle brackets."""

from __future__ import annotations

import json
import math
import re
from functools import lru_cache
from typing import Any, Final

from pytest_otel_spans.patterns.shapes import family
from pytest_otel_spans.patterns.words import absent
from pytest_otel_spans.snapshots.tokens import Found, Json, Label, Mixed, Token, Wild

__all__ = ["LABEL", "is_bare", "spell", "spell_name"]

LABEL: Final = re.compile(r"<(?:(uuid|hex):([1-9][0-9]*)|(time|any))>")
_OPENING: Final = frozenset("_./:*@$%&+-~")
"""With these, a letter or a digit a name may begin that stands without quotes. The other signs
begin marks, events, wildcards, or what a merge leaves behind."""


def spell(token: Token) -> str:
    """Return the text of a value."""
    if isinstance(token, Json):
        return f"json {spell(token.content)}"
    if isinstance(token, dict):
        items = sorted(token.items())
        return "{" + ", ".join(f"{_quoted(key)}: {spell(value)}" for key, value in items) + "}"
    if isinstance(token, tuple):
        return "[" + ", ".join(map(spell, token)) + "]"
    return _spell_atom(token)


def _spell_atom(token: Token) -> str:
    if isinstance(token, Wild):
        return f"<{token.word}>"
    if isinstance(token, Found):
        return f"<re:{token.pattern}>"
    if isinstance(token, Label):
        return _label(token)
    if isinstance(token, Mixed):
        return _quoted(token)
    return "<absent>" if token is absent else _spell_plain(token)


def _spell_plain(value: Any) -> str:
    kind = family(value)
    if kind is str:
        return _quoted(value)
    if kind is bytes:
        return f"<bytes:{value.hex()}>"
    if kind is float:
        return _spell_float(value)
    if kind is int:
        return int.__repr__(value)
    return json.dumps(value)


def _spell_float(value: float) -> str:
    if math.isfinite(value):
        return float.__repr__(value)
    return "NaN" if value != value else ("Infinity" if value > 0 else "-Infinity")  # noqa: PLR0124


@lru_cache(maxsize=4096)
def spell_name(name: Token, *, taken: re.Pattern[str] | None = None) -> str:
    """Return the text of a name, a key or a path, without quotes where it cannot be misread.

    Args:
        name: The name.
        taken: What a text must not match to stand without quotes.
    """
    if isinstance(name, Label):
        name = Mixed((name,))
    if not isinstance(name, str | Mixed):
        return spell(name)
    literal = name if isinstance(name, str) else "".join(map(_letter, name.pieces))
    if is_bare(literal) and not (taken and taken.search(literal)):
        return str(name) if isinstance(name, str) else "".join(map(_piece, name.pieces))
    return _quoted(name)


def is_bare(text: str) -> bool:
    """Whether a text can stand as a name without quotes."""
    return (
        text != ""
        and (text[0].isalnum() or text[0] in _OPENING)
        and not text.startswith("~>")
        and text.isprintable()
        and not text.endswith(" ")
        and "  " not in text
        and LABEL.search(text) is None
    )


def _letter(piece: str | Label) -> str:
    return piece if isinstance(piece, str) else "x"


def _piece(piece: str | Label) -> str:
    return piece if isinstance(piece, str) else _label(piece)


def _label(label: Label) -> str:
    return f"<{label.kind}:{label.number}>" if label.number else f"<{label.kind}>"


def _quoted(text: str | Mixed) -> str:
    pieces = (text,) if isinstance(text, str) else text.pieces
    inside = (_escaped(piece) if isinstance(piece, str) else _label(piece) for piece in pieces)
    return f'"{"".join(inside)}"'


def _escaped(text: str) -> str:
    code = json.dumps(text, ensure_ascii=False)[1:-1]
    if not code.isprintable():
        code = "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in code)
    return LABEL.sub(lambda found: r"\u003c" + found[0][1:], code)
