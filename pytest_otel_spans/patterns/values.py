"""Compare one value with what was expected of it: types, predicates, matchers, strict equality."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from inspect import iscoroutine
from types import MappingProxyType, UnionType
from typing import Any, Final, Union, get_args, get_origin

from pytest_otel_spans.patterns.shapes import decides_equality, describe, family, value_key
from pytest_otel_spans.patterns.words import absent, json_value, maybe, same

__all__ = [
    "UNBOUND",
    "Indecision",
    "Labels",
    "describe",
    "label_values",
    "matches",
    "trouble",
]

Labels = Mapping[str, Hashable]
"""The labels of `same` that are bound, each with the `value_key` of its value."""

_SCALARS: Final = frozenset({str, int, float, bool, bytes, type(None)})
UNBOUND: Final[Labels] = MappingProxyType({})


class Indecision(TypeError):
    """What was expected answers neither True nor False."""


def matches(expected: Any, actual: Any, labels: Labels = UNBOUND) -> bool:
    """Whether `actual` (`absent` for a missing attribute) is what was `expected`.

    The first that applies decides: an object or class with an `__eq__` of its own; `absent`,
    `maybe`, `json_value`, `same`; a type (`int` takes no bool, and `float` no int, as `1` is
    not `1.0`; `list` and `tuple` take either; a union takes what one of its members takes); a
    compiled pattern, found in a string; a predicate; a plain value, strict about its type,
    whose items may be matchers. What raises does not match: see `trouble`.

    Args:
        expected: The value or matcher.
        actual: The value that the span has.
        labels: What the labels of `same` are bound to; one that is not bound takes every value
            that is present.
    """
    kind = type(expected)
    if kind in _SCALARS and type(actual) is kind:
        return bool(expected == actual) or (expected != expected and actual != actual)  # noqa: PLR0124 - NaN
    if actual is absent or expected is absent:
        return expected is actual or kind is maybe
    try:
        return _matches_present(expected, actual, labels)
    except Exception:  # noqa: BLE001 - a predicate meets values that it was not written for
        return False


def trouble(expected: Any, actual: Any) -> Exception | None:
    """Return what a predicate or an `__eq__` raised for `actual`, None when it raised nothing."""
    try:
        _matches_present(expected, actual, UNBOUND)
    except Exception as error:  # noqa: BLE001 - whatever it was, the reader wants to see it
        return error
    return None


def label_values(expected: Any, actual: Any) -> Iterator[tuple[str, Any]]:
    """Yield what each label of `same` in `expected` stands for in `actual`, where it is there."""
    if actual is absent:
        return
    if isinstance(expected, same):
        yield expected.label, actual
    elif isinstance(expected, maybe):
        yield from label_values(expected.expected, actual)
    elif isinstance(expected, json_value):
        try:
            yield from label_values(expected.expected, json.loads(actual))
        except (TypeError, ValueError, RecursionError):
            return
    elif isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for key, value in expected.items():
            yield from label_values(value, actual.get(key, absent))
    elif isinstance(expected, list | tuple) and isinstance(actual, list | tuple):
        for one, other in zip(expected, actual, strict=False):
            yield from label_values(one, other)


def _matches_present(expected: Any, actual: Any, labels: Labels) -> bool:
    if decides_equality(expected):
        if (generic := get_origin(expected)) is not None:  # as list[str] is equal only to itself
            name = getattr(generic, "__name__", generic)
            raise Indecision(f"a generic type is no matcher: expect {name}, or a predicate")
        return bool(expected == actual)
    for kind, test in _TESTS:
        if isinstance(expected, kind):
            return test(expected, actual, labels)
    if get_origin(expected) is Union:
        return _is_member(expected, actual, labels)
    if callable(expected):
        return _is_affirmed(expected, actual)
    return family(expected) is family(actual) and bool(expected == actual)


def _is_affirmed(predicate: Callable[[Any], Any], actual: Any) -> bool:
    """Ask a predicate, which answers True or False: that a `Mock` is truthy says nothing."""
    answer = predicate(actual)
    if iscoroutine(answer):
        answer.close()
    if type(answer) is not bool:
        raise Indecision(f"{describe(predicate)} returned {answer!r}; return True or False")
    return answer


def _is_maybe(expected: maybe, actual: Any, labels: Labels) -> bool:
    return matches(expected.expected, actual, labels)


def _is_same(expected: same, actual: Any, labels: Labels) -> bool:
    return expected.label not in labels or labels[expected.label] == value_key(actual)


def _is_json(expected: json_value, actual: Any, labels: Labels) -> bool:
    if not isinstance(actual, str | bytes):
        return False
    return _holds(expected.expected, json.loads(actual), labels, only=expected.only)


def _holds(expected: Any, actual: Any, labels: Labels, *, only: bool) -> bool:
    if isinstance(expected, Mapping):
        return (
            isinstance(actual, Mapping)
            and not (only and actual.keys() - expected.keys())
            and all(
                _holds(item, actual.get(key, absent), labels, only=only)
                for key, item in expected.items()
            )
        )
    if isinstance(expected, list | tuple):
        return (
            isinstance(actual, list)
            and len(actual) == len(expected)
            and all(map(lambda e, a: _holds(e, a, labels, only=only), expected, actual))
        )
    if isinstance(expected, maybe):
        return actual is absent or _holds(expected.expected, actual, labels, only=only)
    return matches(expected, actual, labels)


def _is_instance(expected: type, actual: Any, _: Labels) -> bool:
    if expected is int:
        return isinstance(actual, int) and not isinstance(actual, bool)
    if expected in {list, tuple}:
        return isinstance(actual, list | tuple)
    return isinstance(actual, Mapping if expected is dict else expected)


def _is_member(expected: Any, actual: Any, labels: Labels) -> bool:
    return any(matches(member, actual, labels) for member in get_args(expected))


def _is_found(expected: re.Pattern[Any], actual: Any, _: Labels) -> bool:
    return isinstance(actual, str | bytes) and expected.search(actual) is not None


def _is_sequence(expected: Any, actual: Any, labels: Labels) -> bool:
    return (
        isinstance(actual, list | tuple)
        and len(expected) == len(actual)
        and all(map(lambda e, a: matches(e, a, labels), expected, actual))
    )


def _is_mapping(expected: Mapping[Any, Any], actual: Any, labels: Labels) -> bool:
    return (
        isinstance(actual, Mapping)
        and not actual.keys() - expected.keys()
        and all(matches(item, actual.get(key, absent), labels) for key, item in expected.items())
    )


_TESTS: Final[tuple[tuple[type, Callable[[Any, Any, Labels], bool]], ...]] = (
    (maybe, _is_maybe),
    (same, _is_same),
    (json_value, _is_json),
    (type, _is_instance),
    (UnionType, _is_member),
    (re.Pattern, _is_found),
    (list, _is_sequence),
    (tuple, _is_sequence),
    (Mapping, _is_mapping),
)
