"""Hold what verbs ask for, and refuse what makes no sense with one sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from inspect import iscoroutinefunction
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

from pytest_otel_spans.patterns.names import LiteralName, Name, is_name
from pytest_otel_spans.patterns.shapes import freeze

__all__ = [
    "NOTHING",
    "ExpectedError",
    "ExpectedEvent",
    "Kind",
    "checked_count",
    "checked_error",
    "checked_kind",
    "checked_name",
    "merged",
]

Kind: TypeAlias = Literal["internal", "server", "client", "producer", "consumer"]
NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class ExpectedError(NamedTuple):
    """What `.error(type, match)` asks for."""

    type: type[BaseException] | str | None
    match: str | re.Pattern[str] | None

    @property
    def type_name(self) -> str | None:
        """The type as OpenTelemetry records it: qualified, but for a builtin."""
        if not isinstance(self.type, type):
            return self.type
        module, name = self.type.__module__, self.type.__qualname__
        return name if module == "builtins" else f"{module}.{name}"


class ExpectedEvent(NamedTuple):
    """What `.event(name, attributes)` asks for."""

    name: Name
    attributes: Mapping[str, Any]


def checked_name(name: Name, where: str) -> Name:
    """Return the name, a `literal` without a star as plain text."""
    __tracebackhide__ = True
    if not is_name(name):
        raise TypeError(
            f"{where} takes a name (a text, literal(...) or a compiled pattern), not {name!r}"
        )
    if isinstance(name, LiteralName) and "*" not in name.text:
        return name.text
    return name


def checked_kind(kind: Kind | None, where: str) -> Kind | None:
    """Return the kind, which is one that OpenTelemetry knows."""
    __tracebackhide__ = True
    if kind is not None and kind not in get_args(Kind):
        raise ValueError(f"{where} has no kind {kind!r}: a kind is one of {get_args(Kind)}")
    return kind


def checked_count(count: int, where: str) -> int:
    """Return the count, a whole number that is not negative."""
    __tracebackhide__ = True
    if not isinstance(count, int) or isinstance(count, bool):
        raise TypeError(f"{where} takes a whole number, not {count!r}")
    if count < 0:
        raise ValueError(f"{where} takes 0 or more, not {count}")
    return count


def checked_error(
    type_: type[BaseException] | str | None, match: str | re.Pattern[str] | None
) -> ExpectedError:
    """Return the error to expect: its type by class or name, and a regular expression."""
    __tracebackhide__ = True
    if not (
        type_ is None
        or isinstance(type_, str)
        or (isinstance(type_, type) and issubclass(type_, BaseException))
    ):
        raise TypeError(f".error() takes an exception class or its name, not {type_!r}")
    text = match.pattern if isinstance(match, re.Pattern) else match
    if not (text is None or isinstance(text, str)):
        raise TypeError(f".error(match=...) takes a regular expression, not {match!r}")
    try:
        re.compile(text or "")
    except re.error as wrong:
        raise ValueError(
            f".error(match={match!r}) is no regular expression: {wrong}; for a text as it stands, "
            "say re.escape(...)"
        ) from None
    return ExpectedError(type_, match)


def merged(one: Mapping[str, Any], two: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """Return both mappings as one, the second deciding, closed to changes from outside."""
    __tracebackhide__ = True
    if not isinstance(two, Mapping):
        raise TypeError(f"{where} takes a mapping of attributes, not {two!r}")
    for key, value in two.items():
        if not isinstance(key, str):
            raise TypeError(f"{where} takes attribute keys that are texts, not {key!r}")
        if value is ...:
            raise TypeError(
                f"{where} takes no ... for a value, as {key!r} has: `object` is any that is set"
            )
        if iscoroutinefunction(value):
            raise TypeError(
                f"{where} takes predicates that are no coroutines: {key!r} has {value!r}"
            )
    return MappingProxyType({**one, **{key: freeze(value) for key, value in two.items()}})
