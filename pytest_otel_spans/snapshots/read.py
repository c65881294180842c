"""Read one value of a snapshot from its text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from pytest_otel_spans.patterns.words import absent
from pytest_otel_spans.snapshots.spell import LABEL, is_bare
from pytest_otel_spans.snapshots.tokens import TYPES, Found, Json, Label, Mixed, Token, Wild

__all__ = ["Unreadable", "read", "read_name", "read_quoted"]

_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_NUMBER: Final = re.compile(r"-?(?:Infinity|[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)")
_WORD: Final = re.compile(r"<(\w+)>")
_BYTES: Final = re.compile(r"<bytes:((?:[0-9a-f]{2})*)>")
_ADVICE: Final = "Repair the line, or delete the file and run pytest with --snapshot-update."
_SPACE: Final = re.compile(r" *")
_CONSTANTS: Final = {"null": None, "true": True, "false": False, "NaN": float("nan")}


class Unreadable(ValueError):
    """A text that no snapshot has; the message is half a sentence that says why.

    Attributes:
        advice: What to do about it.
    """

    def __init__(self, why: str, advice: str = _ADVICE) -> None:
        super().__init__(why)
        self.advice = advice


class _Step(NamedTuple):
    """A value, and where the text goes on after it."""

    token: Token
    end: int


@lru_cache(maxsize=4096)
def read(text: str) -> Token:
    """Return the value that is all of the text.

    Raises:
        Unreadable: It is none.
    """
    try:
        token, end = _value(text, 0, inside=False)
    except Unreadable:
        raise
    except (RecursionError, ValueError):
        raise Unreadable("has a value that is too deep or too long") from None
    if end < len(text):
        raise Unreadable(f"has {text[end:]!r} after the value {text[:end]!r}")
    return token


@lru_cache(maxsize=4096)
def read_name(text: str) -> Token:
    """Return the name, key or path that is all of the text.

    Raises:
        Unreadable: It is none.
    """
    if text.startswith('"') or text == "<any>":
        return read(text)
    pieces = _pieces(text, lambda piece: piece)
    if is_bare("".join(piece if isinstance(piece, str) else "x" for piece in pieces)):
        return _text_of(pieces)
    token = read(text) if text.startswith("<") else None
    if isinstance(token, Found | Wild):
        return token
    raise Unreadable(f"has {text!r} where a name should be; in double quotes it can be one")


def read_quoted(text: str) -> tuple[Token, str]:
    """Return the text in quotes that begins a text, and the rest.

    Raises:
        Unreadable: The quotes are not closed.
    """
    token, end = _string(text, 0)
    return token, text[end:]


def _value(text: str, at: int, *, inside: bool) -> _Step:
    """Read the value that begins here; `inside` a list or a mapping others may follow."""
    if text.startswith("json ", at):
        token, end = _value(text, at + len("json "), inside=inside)
        return _Step(Json(token), end)
    for opening, reader in _READERS.items():
        if text.startswith(opening, at):
            return reader(text, at)
    if text.startswith("<", at):
        return _angled(text, at, inside=inside)
    for word, value in _CONSTANTS.items():
        if text.startswith(word, at):
            return _Step(value, at + len(word))
    if (number := _NUMBER.match(text, at)) is None:
        hint = "; in double quotes it can be one" if text[at:].strip() else ""
        raise Unreadable(f"has {text[at:]!r} where a value should be{hint}")
    code = number[0]
    return _Step(int(code) if code.lstrip("-").isdigit() else float(code), number.end())


def _string(text: str, at: int) -> _Step:
    found = _QUOTED.match(text, at)
    if found is None:
        raise Unreadable(f"has a text whose quotes are not closed: {text[at:]!r}")
    return _Step(_text_of(_pieces(found[0][1:-1], _unescaped)), found.end())


def _unescaped(code: str) -> str:
    try:
        return str(json.loads(f'"{code}"'))
    except ValueError:
        raise Unreadable(f"has a text that is no JSON: {code!r}") from None


def _pieces(code: str, literal: Callable[[str], str]) -> list[str | Label]:
    """Cut a text where labels stand."""
    pieces: list[str | Label] = []
    end = 0
    for found in LABEL.finditer(code):
        pieces += [literal(code[end : found.start()]), _label(found)]
        end = found.end()
    pieces.append(literal(code[end:]))
    return [piece for piece in pieces if piece != ""]


def _label(found: re.Match[str]) -> Label:
    kind, number, word = found.groups()
    if word:
        return Label("any" if word == "any" else "time")
    return Label("uuid" if kind == "uuid" else "hex", int(number))


def _text_of(pieces: list[str | Label]) -> Token:
    if not any(isinstance(piece, Label) for piece in pieces):
        return "".join(map(str, pieces))
    if len(pieces) == 1 and pieces[0] != Label("any"):  # in quotes it is any text, not any value
        return pieces[0]
    return Mixed(tuple(pieces))


def _list(text: str, at: int) -> _Step:
    items: list[Token] = []
    at = _skip(text, at + 1)
    while not text.startswith("]", at):
        token, at = _value(text, at, inside=True)
        items.append(token)
        at = _next(text, at, "]")
    return _Step(tuple(items), at + 1)


def _mapping(text: str, at: int) -> _Step:
    items: dict[str, Token] = {}
    at = _skip(text, at + 1)
    while not text.startswith("}", at):
        key, at = _string(text, at)
        at = _skip(text, at)
        if not isinstance(key, str) or not text.startswith(":", at):
            raise Unreadable(f"has {text[at:]!r} where a key and a colon should be")
        items[key], at = _value(text, _skip(text, at + 1), inside=True)
        at = _next(text, at, "}")
    return _Step(items, at + 1)


def _next(text: str, at: int, closing: str) -> int:
    """Step over a comma; return where the next item or the closing bracket is."""
    at = _skip(text, at)
    if text.startswith(",", at):
        return _skip(text, at + 1)
    if not text.startswith(closing, at):
        raise Unreadable(f"has {text[at:]!r} where a comma or {closing!r} should be")
    return at


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _angled(text: str, at: int, *, inside: bool) -> _Step:
    """Read what stands in angle brackets."""
    if text.startswith("<re:", at):
        return _regex(text, at, inside=inside)
    if (found := LABEL.match(text, at)) is not None and found[3] != "any":
        return _Step(_label(found), found.end())
    if (found := _BYTES.match(text, at)) is not None:
        return _Step(bytes.fromhex(found[1]), found.end())
    found = _WORD.match(text, at)
    if found is not None and found[1] == "absent":
        return _Step(absent, found.end())
    if found is None or found[1] not in TYPES:
        words = ", ".join(f"<{word}>" for word in (*TYPES, "absent", "re:..."))
        raise Unreadable(f"has {text[at:]!r}, which is none of {words}")
    return _Step(Wild(found[1]), found.end())


def _regex(text: str, at: int, *, inside: bool) -> _Step:
    """Read a regular expression: it ends where the text, or its place among others, ends."""
    start = at + len("<re:")
    ending = r">(?=\s*[,\]}])" if inside else r">$"
    found = re.compile(ending).search(text, start)
    if found is None:
        raise Unreadable(f"has a regular expression that no '>' ends: {text[at:]!r}")
    pattern = text[start : found.start()]
    try:
        re.compile(pattern)
    except re.error as error:
        raise Unreadable(f"has the regular expression {pattern!r}: {error}") from None
    return _Step(Found(pattern), found.end())


_READERS: Final[dict[str, Callable[[str, int], _Step]]] = {
    '"': _string,
    "[": _list,
    "{": _mapping,
}
