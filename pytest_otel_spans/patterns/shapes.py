"""Take an expected value apart: whether it decides for itself, its key, its text, its labels."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from types import BuiltinMethodType, MappingProxyType, MethodType, MethodWrapperType, UnionType
from typing import Any, Final, Union, get_origin

__all__ = [
    "FAMILIES",
    "ValueMatcher",
    "decides_equality",
    "describe",
    "family",
    "freeze",
    "labels_in",
    "value_key",
]

FAMILIES: Final = (bool, int, float, str, bytes)  # in this order: to isinstance a bool is an int
_PLAIN_EQUALITIES: Final = frozenset(
    kind.__eq__
    for kind in (
        *(object, *FAMILIES, list, tuple, dict, set, frozenset, MappingProxyType),
        *(re.Pattern, MethodType, BuiltinMethodType, MethodWrapperType),
    )
)
_NO_LABELS: Final[frozenset[str]] = frozenset()


class ValueMatcher:
    """A word of ours that stands for a value; equal when its parts are."""

    __slots__: tuple[str, ...] = ()

    def parts(self) -> tuple[Any, ...]:
        """What the matcher is made of; expected values among them are taken apart in turn."""
        return tuple(getattr(self, name) for name in self.__slots__)

    def labels(self) -> frozenset[str]:
        """The labels of `same` in its parts."""
        return labels_in(self.parts())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ValueMatcher):
            return NotImplemented
        return value_key(self) == value_key(other)

    def __hash__(self) -> int:
        return hash(value_key(self))


@dataclass(frozen=True, slots=True, eq=False)
class _Itself:
    """The key of an object without a hash: nothing else is known to be like it."""

    value: object

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def decides_equality(value: object) -> bool:
    """Whether `value` brings an `__eq__` of its own: `pytest.approx`, `ANY`, dirty-equals."""
    return (
        type(value).__eq__ not in _PLAIN_EQUALITIES
        and not isinstance(value, ValueMatcher)
        and get_origin(value) not in {Union, UnionType}
        and not isinstance(value, UnionType)
    )


def family(value: object) -> type:
    """The type that strictness is about: a member of a `StrEnum` is a `str`, a bool no `int`."""
    kind = type(value)
    if kind in FAMILIES:
        return kind
    return next((family for family in FAMILIES if isinstance(value, family)), kind)


def value_key(value: Any) -> Hashable:
    """Return what makes two values the same one, strict as matching is: a bool is no int."""
    kind = family(value)
    if kind in FAMILIES:
        return kind, value
    if isinstance(value, ValueMatcher):
        return kind, tuple(map(value_key, value.parts()))
    if isinstance(value, list | tuple):
        return list, tuple(map(value_key, value))
    if isinstance(value, Mapping):
        return dict, frozenset((key, value_key(item)) for key, item in value.items())
    try:
        hash(value)
    except TypeError:
        return _Itself(value)
    return value  # type: ignore[no-any-return]  # hashable, as was just tried


def describe(expected: Any) -> str:
    """Write an expected value as a test would: a type by its name, a predicate by its own."""
    if isinstance(expected, list | tuple):
        inside = ", ".join(map(describe, expected))
        return f"({inside},)" if len(expected) == 1 else f"({inside})"
    if isinstance(expected, Mapping):
        return "{" + ", ".join(f"{key!r}: {describe(v)}" for key, v in expected.items()) + "}"
    if isinstance(expected, type) and not decides_equality(expected):
        return "None" if expected is type(None) else expected.__qualname__
    if not decides_equality(expected) and callable(expected) and hasattr(expected, "__name__"):
        return str(expected.__name__)
    return repr(expected)


def freeze(value: Any) -> Any:
    """Copy the plain containers in `value`, so that nobody changes it from outside."""
    if type(value) in {list, tuple}:
        return tuple(map(freeze, value))
    if type(value) is dict:
        return MappingProxyType({key: freeze(item) for key, item in value.items()})
    return value


def labels_in(expected: Any) -> frozenset[str]:
    """Return the labels of `same` in an expected value."""
    if isinstance(expected, ValueMatcher):
        return expected.labels()
    if isinstance(expected, list | tuple):
        return _NO_LABELS.union(*map(labels_in, expected))
    if isinstance(expected, dict | MappingProxyType):
        return _NO_LABELS.union(*map(labels_in, expected.values()))
    return _NO_LABELS
