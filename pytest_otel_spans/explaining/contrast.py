"""Write an expected and an actual value so that a reader sees in what they differ."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any, Final

from pytest_otel_spans.patterns.shapes import describe, family
from pytest_otel_spans.patterns.values import Indecision, matches, trouble
from pytest_otel_spans.patterns.words import absent, json_value
from pytest_otel_spans.text.render import value_text

__all__ = ["contrast"]

_LONG: Final = 72
_BEFORE: Final = 16
_AFTER: Final = 40
_CUT: Final = (str, bytes, list, tuple, Mapping)
_PLAIN: Final = (bool, int, float, type(None), *_CUT)

_Part = tuple[Any, Any, Any]
"""A key, and what was expected and is there under it."""


def contrast(expected: Any, actual: Any) -> tuple[str, str]:
    """Return both as texts: with their types where these differ, long ones where they part."""
    if expected is absent or actual is absent:
        return _expectation(expected), value_text(actual)
    if isinstance(expected, json_value) and isinstance(actual, str | bytes):
        return _json(expected, actual)
    if not isinstance(expected, _PLAIN):
        return _expectation(expected), _answer(expected, actual)
    if not _are_of_a_kind(expected, actual):
        types = _type(expected), _type(actual)
        return f"{_expectation(expected)} ({types[0]})", f"{value_text(actual)} ({types[1]})"
    if isinstance(expected, _CUT) and max(len(describe(expected)), len(repr(actual))) > _LONG:
        return _where_they_part(expected, actual)
    return _expectation(expected) + _tolerance(expected, actual), value_text(actual)


def _answer(expected: Any, actual: Any) -> str:
    """Write what a type, a predicate or another matcher did not take."""
    if isinstance(expected, re.Pattern) and isinstance(actual, str):
        return value_text(actual)
    error = trouble(expected, actual)
    aside = f"; comparing raised {type(error).__name__}: {error}" if error else ""
    aside = f"; {error}" if isinstance(error, Indecision) else aside
    return f"{value_text(actual)} ({_type(actual)}{aside})"


def _tolerance(expected: Any, actual: Any) -> str:
    """Say how to expect a float that differs by rounding only."""
    near = isinstance(expected, float) and math.isclose(expected, actual)
    return f"  → pytest.approx({expected!r})" if near else ""


def _expectation(expected: Any) -> str:
    text = describe(expected)
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"


def _type(value: Any) -> str:
    return type(value).__name__


def _are_of_a_kind(expected: Any, actual: Any) -> bool:
    return family(expected) is family(actual) or any(
        isinstance(expected, kinds) and isinstance(actual, kinds)
        for kinds in ((list, tuple), Mapping)
    )


def _where_they_part(expected: Any, actual: Any) -> tuple[str, str]:
    if isinstance(expected, str | bytes):
        return _pieces(expected, actual)
    for key, wanted, there in _parts(expected, actual):
        if not matches(wanted, there):
            one, two = contrast(wanted, there)
            return f"[{key!r}] {one}", f"[{key!r}] {two}"
    return _expectation(expected), value_text(actual)


def _pieces(expected: Sequence[Any], actual: Sequence[Any]) -> tuple[str, str]:
    """Cut both texts to the same stretch, around the first character that differs."""
    pairs = zip(expected, actual, strict=False)
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    start, end = max(0, alike - _BEFORE), alike + _AFTER
    one, two = (
        f"{'…' if start else ''}{text[start:end]!r}{'…' if end < len(text) else ''}"
        for text in (expected, actual)
    )
    return f"{one}  (from character {alike:,})", two


def _json(expected: json_value, actual: str | bytes) -> tuple[str, str]:
    """Follow the JSON down to the first place where it differs."""
    try:
        there = json.loads(actual)
    except ValueError as error:
        return _expectation(expected), f"{value_text(actual)} (no JSON: {error})"
    wanted, place = expected.expected, ""
    while steps := _json_steps(wanted, there, only=expected.only):
        key, wanted, there = steps[0]
        place += f"[{key!r}]"
    texts = contrast(wanted, there)
    return (f"{place} {texts[0]}", f"{place} {texts[1]}") if place else texts


def _json_steps(expected: Any, actual: Any, *, only: bool) -> list[_Part]:
    """Return the parts that differ."""
    is_object = isinstance(expected, Mapping)
    return [
        (key, wanted, there)
        for key, wanted, there in _parts(expected, actual)
        if not (is_object and wanted is absent and key not in expected and not only)
        and not _json_holds(wanted, there, only=only)
    ]


def _json_holds(expected: Any, actual: Any, *, only: bool) -> bool:
    if expected is absent or actual is absent:
        return matches(expected, actual)
    return matches(json_value(expected, only), json.dumps(actual))


def _parts(expected: Any, actual: Any) -> Iterator[_Part]:
    """Yield the keys of two mappings, or the places of two lists, with what stands there."""
    if isinstance(expected, list | tuple) and isinstance(actual, list | tuple):
        expected, actual = dict(enumerate(expected)), dict(enumerate(actual))
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for key in dict.fromkeys((*expected, *actual)):
            yield key, expected.get(key, absent), actual.get(key, absent)
