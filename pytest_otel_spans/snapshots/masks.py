"""Mask what changes from run to run: say of which type a value is, label ids, know JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from pytest_otel_spans.patterns.names import name_matches
from pytest_otel_spans.patterns.shapes import family
from pytest_otel_spans.patterns.values import matches
from pytest_otel_spans.patterns.words import absent
from pytest_otel_spans.snapshots.spell import spell
from pytest_otel_spans.snapshots.tokens import (
    SHAPES,
    TYPES,
    Found,
    Json,
    Label,
    LabelKind,
    Mixed,
    Token,
    Wild,
)
from pytest_otel_spans.text.volatile import is_volatile

__all__ = ["Masks", "Numbering"]

_TEXT: Final = re.compile(
    "|".join(
        f"(?<![0-9A-Za-z])(?P<{kind}>{shape})(?![0-9A-Za-z])" for kind, shape in SHAPES.items()
    )
)
_WORDS: Final = {kind: word for word, kind in TYPES.items()}
_DEEPEST_JSON: Final = 32
"""Levels to which a text is read as JSON; what is deeper stands as the text that it is."""


class Numbering:
    """Which label stands for which text; a text that has none gets the next free number."""

    def __init__(self, bound: Mapping[Label, str], used: Iterable[Label]) -> None:
        self._labels = {(label.kind, text): label for label, text in bound.items()}
        self._last: dict[LabelKind, int] = {}
        for label in used:
            self._last[label.kind] = max(self._last.get(label.kind, 0), label.number)

    def label(self, kind: LabelKind, text: str) -> Label:
        """Return the label of the text."""
        if kind == "time":
            return Label("time")
        if (kind, text) not in self._labels:
            self._last[kind] = number = self._last.get(kind, 0) + 1
            self._labels[kind, text] = Label(kind, number)
        return self._labels[kind, text]


@dataclass(frozen=True, slots=True, kw_only=True)
class Masks:
    """What is masked besides what always is.

    Always masked are uuids, hexadecimal ids of sixteen digits or more, addresses and times, in
    any text; numbers that are times; and every value whose key ends in `_ms`, `_ns` or
    `duration`.

    Attributes:
        typed: The type that the values must have whose key is this, by key; `*` is a wildcard.
    """

    typed: Mapping[str, type] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key, kind in self.typed.items():
            if not isinstance(key, str) or kind not in _WORDS:
                words = ", ".join(one for one in TYPES if one != "any")
                raise TypeError(
                    f"mask={{{key!r}: {kind!r}}} gives no key and type: a mask is a key, in which "
                    f"`*` is a wildcard, and one of {words}"
                )

    def wrong(self, key: str, actual: Any) -> str | None:
        """Say what is wrong with a value that a mask says the type of; None if nothing is."""
        for name, kind in self.typed.items():
            if key and name_matches(name, key):
                values = actual if isinstance(actual, list | tuple) else [actual]
                if not all(matches(kind, value) for value in values):
                    return (
                        f"{key} = {spell(actual)}, which mask={{{name!r}: {_WORDS[kind]}}} forbids"
                    )
        return None

    def token(self, key: str, actual: Any, numbering: Numbering) -> Token:
        """Return what a snapshot says of a value.

        Args:
            key: Its key, "" for a text that has none; what stands in JSON under a key has both,
                with a dot between them.
            actual: The value.
            numbering: Knows the labels.
        """
        kind = family(actual)
        if kind in _WORDS:
            if key and self._is_masked(key):
                return Wild(_WORDS[kind])
            if kind is str:
                return self._text(key, str(actual), numbering)
            return Wild(_WORDS[kind]) if is_volatile("", actual) else actual
        if isinstance(actual, list | tuple):
            return tuple([self.token(key, item, numbering) for item in actual])
        if isinstance(actual, Mapping):
            return {
                name: self.token(f"{key}.{name}", item, numbering) for name, item in actual.items()
            }
        return actual

    def meant(self, key: str, token: Token) -> Token:
        """Return what a snapshot means by a value: any of its type, once a mask says so.

        What a hand typed there is meant as it stands.
        """
        kind = self._type_of(key)
        if isinstance(token, tuple):
            return tuple([self.meant(key, item) for item in token])
        if isinstance(token, dict):
            return {name: self.meant(f"{key}.{name}", item) for name, item in token.items()}
        if isinstance(token, Json) and kind is None:
            return Json(self.meant(key, token.content))
        return token if kind is None or _is_typed_by_hand(token) else Wild(_WORDS[kind])

    def _is_masked(self, key: str) -> bool:
        return _always_masked(key) or self._type_of(key) is not None

    def _type_of(self, key: str) -> type | None:
        """Return the type that a mask says, None where none does."""
        return next((kind for name, kind in self.typed.items() if name_matches(name, key)), None)

    def _text(self, key: str, text: str, numbering: Numbering) -> Token:
        content = _json(text) if text[:1] in {"{", "["} and key else None
        if content is not None:
            return Json(self.token(key, content, numbering))
        pieces: list[str | Label] = []
        end = 0
        for found in _TEXT.finditer(text):
            pieces += [text[end : found.start()], numbering.label(_kind(found), found[0])]
            end = found.end()
        if not pieces:
            return text
        pieces = [piece for piece in (*pieces, text[end:]) if piece != ""]
        return pieces[0] if len(pieces) == 1 else Mixed(tuple(pieces))


def _is_typed_by_hand(token: Token) -> bool:
    if isinstance(token, Mixed):
        return Label("any") in token.pieces
    return token is absent or isinstance(token, Wild | Found)


@lru_cache(maxsize=1024)
def _always_masked(key: str) -> bool:
    return is_volatile(key, None)


def _kind(found: re.Match[str]) -> LabelKind:
    return next(kind for kind in SHAPES if found[kind] is not None)


def _json(text: str) -> Any:
    """Return what a text says as JSON, None where reading it would lose something."""
    try:
        content = json.loads(text, object_pairs_hook=_mapping, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return content if _is_shallow(content, _DEEPEST_JSON) else None


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key stands twice")
    return content


def _refuse(word: str) -> None:
    raise ValueError(word)


def _is_shallow(content: Any, room: int) -> bool:
    if isinstance(content, list | dict):
        items = content.values() if isinstance(content, dict) else content
        return room > 0 and all(_is_shallow(item, room - 1) for item in items)
    return not (isinstance(content, float) and content in {float("inf"), float("-inf")})
