"""Hold what a test expects of one span by itself, whatever stands around it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Self, TypeVar

from pytest_otel_spans.patterns.composite import Expectation
from pytest_otel_spans.patterns.expectations import (
    NOTHING,
    ExpectedError,
    ExpectedEvent,
    Kind,
    checked_count,
    checked_error,
    checked_name,
    merged,
)
from pytest_otel_spans.patterns.names import Name, fixed_name, is_name, is_path
from pytest_otel_spans.patterns.shapes import labels_in
from pytest_otel_spans.patterns.words import absent

__all__ = ["SingleSpan", "named", "selecting"]

S = TypeVar("S", bound="SingleSpan")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SingleSpan(Expectation):
    """What is expected of one span by itself.

    Attributes:
        name: A text in which `*` is a wildcard, a `literal`, or a compiled pattern.
        attributes: What is expected of each attribute named.
        kind: The span kind, None for any.
        only: Whether the attributes named are all that there may be.
        status: `"ok"`, the error expected, or None for any status.
        events: What is expected of some event each.
        least: How many such spans there must be at least.
        most: How many such spans there may be at most, None for any number.
        counted: Whether a verb set `least` and `most`.
        never_ended: Whether the span must never have ended.
        alias: The name by which a match knows the span.
        fixed: The one name that the pattern takes, None where it takes several.
    """

    OWN: ClassVar[tuple[str, ...]] = (
        *("name", "kind", "only", "status"),
        *("least", "most", "counted", "never_ended", "alias"),
    )
    VALUES: ClassVar[tuple[str, ...]] = ("attributes", "events")

    name: Name
    attributes: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    kind: Kind | None = None
    only: bool = False
    status: Literal["ok"] | ExpectedError | None = None
    events: tuple[ExpectedEvent, ...] = ()
    least: int = 1
    most: int | None = 1
    counted: bool = False
    never_ended: bool = False
    alias: str | None = None
    fixed: str | None = field(init=False)

    def __post_init__(self) -> None:
        Expectation.__post_init__(self)  # `super()` knows no class that has got slots
        object.__setattr__(self, "fixed", fixed_name(self.name))

    def says(self) -> tuple[frozenset[str], frozenset[str], bool]:
        """Return the labels of its own values and its own name; by itself it forbids nothing."""
        labels: frozenset[str] = frozenset()
        for values in (self.attributes, *(event.attributes for event in self.events)):
            labels = labels.union(*map(labels_in, values.values())) if values else labels
        return labels, frozenset(() if self.alias is None else (self.alias,)), False

    def with_attributes(self, attributes: Mapping[str, Any], /) -> Self:
        """Expect these attributes too; a key that was given before takes the new value."""
        __tracebackhide__ = True
        return replace(self, attributes=merged(self.attributes, attributes, ".with_attributes()"))

    def without_attributes(self, *keys: str) -> Self:
        """Expect that none of these attributes is set."""
        __tracebackhide__ = True
        gone = dict.fromkeys(keys, absent)
        return replace(self, attributes=merged(self.attributes, gone, ".without_attributes()"))

    def times(self, n: int, /, max: int | None = None) -> Self:  # noqa: A002 - the word fits
        """Expect exactly `n` such spans, or from `n` to `max` of them.

        This counts in an open node too: a child left over that matches is one too many.
        """
        __tracebackhide__ = True
        most = checked_count(n if max is None else max, ".times()")
        if most < checked_count(n, ".times()"):
            raise ValueError(f".times({n}, max={max}) asks for more than it allows")
        return replace(self, least=n, most=most, counted=True)

    def at_least(self, n: int, /) -> Self:
        """Expect `n` such spans or more."""
        __tracebackhide__ = True
        return replace(self, least=checked_count(n, ".at_least()"), most=None, counted=True)

    def optional(self) -> Self:
        """Expect one such span or none."""
        return replace(self, least=0, most=1, counted=True)

    def ok(self) -> Self:
        """Expect that the span ended, and that its status is not ERROR."""
        return replace(self, status="ok")

    def error(
        self,
        type: type[BaseException] | str | None = None,  # noqa: A002 - the word fits
        match: str | re.Pattern[str] | None = None,
    ) -> Self:
        """Expect the status ERROR.

        Args:
            type: The type of a recorded exception, or the attribute `error.type`: a class, by
                its qualified name exactly, or a text in which `*` is a wildcard.
            match: A regular expression that is found in the message of a recorded exception or
                in the status description.
        """
        __tracebackhide__ = True
        return replace(self, status=checked_error(type, match))

    def event(self, name: Name, attributes: Mapping[str, Any] = NOTHING, /) -> Self:
        """Expect an event of this name that has these attributes, among others."""
        __tracebackhide__ = True
        event = ExpectedEvent(
            checked_name(name, ".event()"), merged(NOTHING, attributes, ".event()")
        )
        return replace(self, events=(*self.events, event))

    def unfinished(self) -> Self:
        """Expect that the span never ended."""
        return replace(self, never_ended=True)

    def as_(self, alias: str, /) -> Self:
        """Name the span that matches: `match["author"]` is the one of `.as_("author")`."""
        __tracebackhide__ = True
        if not isinstance(alias, str) or not alias:
            raise TypeError(f".as_() takes a name such as .as_('author'), not {alias!r}")
        return replace(self, alias=alias)


def named(kind: type[S], value: S | Name, where: str) -> S:
    """Return the pattern, or the one of this kind that a name stands for.

    Args:
        kind: The class of patterns.
        value: A pattern of this kind, or a name.
        where: What it was given to, as the sentence of an error begins.
    """
    __tracebackhide__ = True
    if isinstance(value, kind):
        return value
    if not is_name(value):
        raise TypeError(f"{where} takes a pattern or a name, not {value!r}")
    if is_path(value):
        raise ValueError(
            f"{where} takes a pattern, and {value!r} is a path; paths belong to queries: nest "
            f"patterns instead, or write literal({value!r}) for a span of that name"
        )
    return kind(name=checked_name(value, where))


def selecting(kind: type[S], value: S | Name, where: str) -> S:
    """Return the pattern as `named` does; as one that selects spans one by one it has no count."""
    __tracebackhide__ = True
    pattern = named(kind, value, where)
    if pattern.counted:
        raise ValueError(
            f"{where} looks at one span at a time: {pattern!r} cannot have a count there"
        )
    return pattern
