"""Stand for a value in a snapshot: a type, a regular expression, a label, a text with labels."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

from pytest_otel_spans.patterns.values import matches
from pytest_otel_spans.patterns.words import absent

__all__ = [
    "SHAPES",
    "TYPES",
    "Bound",
    "Found",
    "Json",
    "Label",
    "LabelKind",
    "Mixed",
    "Token",
    "Wild",
    "holds",
    "labels_in",
    "regex_of",
    "sightings",
]

LabelKind: TypeAlias = Literal["uuid", "hex", "time", "any"]

TYPES: Final[Mapping[str, type]] = {
    "any": object,
    "bool": bool,
    "float": float,
    "int": int,
    "str": str,
}
SHAPES: Final[Mapping[LabelKind, str]] = {
    "uuid": r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}",
    "time": (r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:[Zz]|[+-]\d\d(?::?\d\d)?)?"),
    "hex": r"0[xX][0-9A-Fa-f]{6,}|(?=[A-Fa-f]*[0-9])[0-9A-Fa-f]{16,}",
}
"""What a text looks like that a label of this kind stands for."""
_ANYTHING: Final = "(?s:.*)"


@dataclass(frozen=True, slots=True)
class Wild:
    """Any value of a type: `<int>`; `<any>` is whatever is there."""

    word: str


@dataclass(frozen=True, slots=True)
class Found:
    """A text in which a regular expression is found: `<re:^gpt-4>`."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Label:
    """The same text wherever the label stands: `<uuid:1>`.

    A time has no number and is any time: whether two events fall into one millisecond is chance.
    Nor has `<any>`, which a hand types where a part of a text may be anything.
    """

    kind: LabelKind
    number: int = 0


@dataclass(frozen=True, slots=True)
class Mixed:
    """A text with labels in it: `"run <uuid:1> failed"`."""

    pieces: tuple[str | Label, ...]


@dataclass(frozen=True, slots=True)
class Json:
    """A text that holds JSON, known by what it says: `json {"n": <int>}`."""

    content: Any


Token: TypeAlias = Any
"""A value as a snapshot has it: a plain value, `absent`, or one of the classes above; a tuple or
a dict may hold them."""
Bound: TypeAlias = Mapping[Label, str] | None
"""What each label stands for; None while nothing is known, when a label takes all of its kind."""


def holds(token: Token, actual: Any, bound: Bound) -> bool:
    """Whether the actual value (`absent` if there is none) is what the token stands for."""
    if token is absent or actual is absent:
        return token is actual
    test = _TESTS.get(type(token))
    return matches(token, actual) if test is None else test(token, actual, bound)


def _is_wild(token: Wild, actual: Any, _: Bound) -> bool:
    return matches(TYPES[token.word], actual)


def _is_found(token: Found, actual: Any, _: Bound) -> bool:
    return isinstance(actual, str) and re.search(token.pattern, actual) is not None


def _is_text(token: Label | Mixed, actual: Any, bound: Bound) -> bool:
    pairs = _assigned(token, actual)
    if pairs is None or bound is None:
        return pairs is not None
    return all(not label.number or bound.get(label) == text for label, text in pairs)


def _is_json(token: Json, actual: Any, bound: Bound) -> bool:
    return holds(token.content, _loaded(actual), bound)


def _loaded(actual: Any) -> Any:
    """Return what a text says as JSON; `absent`, which JSON cannot say, if it is no JSON."""
    try:
        return json.loads(actual)
    except (TypeError, ValueError, RecursionError):
        return absent


def _is_list(token: tuple[Token, ...], actual: Any, bound: Bound) -> bool:
    return (
        isinstance(actual, list | tuple)
        and len(token) == len(actual)
        and all(holds(one, other, bound) for one, other in zip(token, actual, strict=True))
    )


def _is_mapping(token: Mapping[str, Token], actual: Any, bound: Bound) -> bool:
    return isinstance(actual, Mapping) and all(
        holds(token.get(key, absent), actual.get(key, absent), bound) for key in {*token, *actual}
    )


_TESTS: Final[Mapping[type, Callable[[Any, Any, Bound], bool]]] = {
    Wild: _is_wild,
    Found: _is_found,
    Label: _is_text,
    Mixed: _is_text,
    Json: _is_json,
    tuple: _is_list,
    dict: _is_mapping,
}


def sightings(token: Token, actual: Any) -> Iterator[tuple[Label, str]]:
    """Yield what each numbered label in the token stands for in the actual value."""
    kind = type(token)
    if kind is Label or kind is Mixed:
        for label, text in _assigned(token, actual) or ():
            if label.number:
                yield label, text
    elif kind is Json:
        yield from sightings(token.content, _loaded(actual))
    elif kind is dict and isinstance(actual, Mapping):
        for key, value in token.items():
            yield from sightings(value, actual.get(key, absent))
    elif kind is tuple and isinstance(actual, list | tuple):
        for one, other in zip(token, actual, strict=False):
            yield from sightings(one, other)


def labels_in(token: Token) -> Iterator[Label]:
    """Yield every label with a number in the token, as often as it stands there."""
    if isinstance(token, Label):
        if token.number:
            yield token
    elif isinstance(token, Mixed):
        for piece in token.pieces:
            yield from labels_in(piece)
    elif isinstance(token, Json):
        yield from labels_in(token.content)
    elif isinstance(token, dict):
        for value in token.values():
            yield from labels_in(value)
    elif isinstance(token, tuple):
        for item in token:
            yield from labels_in(item)


def regex_of(token: Label | Mixed, bound: Bound) -> str:
    """Return a regular expression for the texts that the token stands for."""
    pieces = token.pieces if isinstance(token, Mixed) else (token,)
    return "".join(
        re.escape(piece) if isinstance(piece, str) else _group(piece, bound) for piece in pieces
    )


def _group(label: Label, bound: Bound) -> str:
    if bound is None or not label.number:
        return f"({SHAPES.get(label.kind, _ANYTHING)})"
    return f"({re.escape(bound[label])})" if label in bound else "((?!))"


@lru_cache(maxsize=1024)
def _compiled(token: Label | Mixed) -> re.Pattern[str]:
    return re.compile(regex_of(token, None))


def _assigned(token: Label | Mixed, actual: Any) -> list[tuple[Label, str]] | None:
    """Return what each label stands for in the text, None if the text is another one."""
    if not isinstance(actual, str):
        return None
    pieces = token.pieces if isinstance(token, Mixed) else (token,)
    found = _compiled(token).fullmatch(actual)
    if found is None:
        return None
    labels = [piece for piece in pieces if isinstance(piece, Label)]
    return list(zip(labels, found.groups(), strict=True))
