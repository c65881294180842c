"""Hold what a test expects of spans: a pattern with its verbs, and paths that join patterns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import EllipsisType
from typing import Any, ClassVar, Final, Literal, NamedTuple, TypeAlias

from pytest_otel_spans.patterns.composite import Composite
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
from pytest_otel_spans.patterns.groups import AnyOrder, Member, Never, OneOf
from pytest_otel_spans.patterns.names import Name, fixed_name, is_name, is_path
from pytest_otel_spans.patterns.shapes import labels_in
from pytest_otel_spans.patterns.spelling import spelled
from pytest_otel_spans.patterns.values import absent

__all__ = [
    "Axis",
    "Body",
    "ChildPart",
    "Part",
    "Path",
    "PatternLike",
    "SpanPattern",
    "as_pattern",
    "as_selector",
    "body_of",
]

Axis: TypeAlias = Literal["anywhere", "root", "child", "descendant"]
_NONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SpanPattern(Composite):
    """One expected span; made by `span`, refined by verbs that each return a new pattern.

    Attributes:
        name: A text in which `*` is a wildcard, a `literal`, or a compiled pattern.
        attributes: What is expected of each attribute named.
        children: What stands below it, in start order.
        opened: Whether `...` stood among the parts: other children may stand anywhere.
        kind: The span kind, None for any.
        only: Whether the attributes named are all that there may be.
        status: `"ok"`, the error expected, or None for any status.
        events: What is expected of some event each.
        links: A pattern for the target of some link each.
        descendants: What must stand somewhere below it.
        nevers: What must not stand anywhere below it.
        least: How many such spans there must be at least.
        most: How many such spans there may be at most, None for any number.
        counted: Whether a verb set `least` and `most`.
        never_ended: Whether the span must never have ended.
        alias: The name by which a match knows the span.
        fixed: The one name that the pattern takes, None where it takes several.
        labels: The labels of `same` in the pattern and below it.
        aliases: The names that `.as_` gives in the pattern and below it.
        listed: The children where they can be compared one by one, None where they cannot.
        has_relatives: Whether it speaks of links, descendants or what never stands below.
        forbids: Whether it, or a pattern below it, says what never stands there.
    """

    OWN: ClassVar = (
        *("name", "opened", "kind", "only", "status"),
        *("least", "most", "counted", "never_ended", "alias"),
    )
    VALUES: ClassVar = ("attributes", "events")
    INNER: ClassVar = ("children", "links", "descendants", "nevers")

    name: Name
    attributes: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    children: tuple[Member, ...] = ()
    opened: bool = False
    kind: Kind | None = None
    only: bool = False
    status: Literal["ok"] | ExpectedError | None = None
    events: tuple[ExpectedEvent, ...] = ()
    links: tuple[SpanPattern, ...] = ()
    descendants: tuple[SpanPattern, ...] = ()
    nevers: tuple[SpanPattern, ...] = ()
    least: int = 1
    most: int | None = 1
    counted: bool = False
    never_ended: bool = False
    alias: str | None = None
    fixed: str | None = field(init=False)
    labels: frozenset[str] = field(init=False)
    aliases: frozenset[str] = field(init=False)
    listed: tuple[SpanPattern, ...] | None = field(init=False)
    has_relatives: bool = field(init=False)
    forbids: bool = field(init=False)

    def __post_init__(self) -> None:
        labels = _NONE
        aliases = _NONE if self.alias is None else frozenset((self.alias,))
        for values in (self.attributes, *(event.attributes for event in self.events)):
            labels = labels.union(*map(labels_in, values.values())) if values else labels
        forbids = bool(self.nevers)
        for part in (*self.children, *self.links, *self.descendants, *self.nevers):
            labels = labels | part.labels if part.labels else labels
            aliases = aliases | part.aliases if part.aliases else aliases
            forbids = forbids or part.forbids
        object.__setattr__(self, "fixed", fixed_name(self.name))
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "aliases", aliases)
        singles = [one for one in self.children if isinstance(one, SpanPattern) and not one.counted]
        listed = None if self.opened or len(singles) < len(self.children) else tuple(singles)
        object.__setattr__(self, "listed", listed)
        has_relatives = bool(self.links or self.descendants or self.nevers)
        object.__setattr__(self, "has_relatives", has_relatives)
        object.__setattr__(self, "forbids", forbids)

    @property
    def has_body(self) -> bool:
        """Whether children were given; where a pattern selects, one without is open."""
        return bool(self.children) or self.opened

    def with_attributes(self, attributes: Mapping[str, Any], /) -> SpanPattern:
        """Expect these attributes too; a key that was given before takes the new value."""
        __tracebackhide__ = True
        return replace(self, attributes=merged(self.attributes, attributes, ".with_attributes()"))

    def without_attributes(self, *keys: str) -> SpanPattern:
        """Expect that none of these attributes is set."""
        __tracebackhide__ = True
        gone = dict.fromkeys(keys, absent)
        return replace(self, attributes=merged(self.attributes, gone, ".without_attributes()"))

    def having_children(self, *parts: ChildPart) -> SpanPattern:
        """Add children, groups or `...` to those given."""
        __tracebackhide__ = True
        body = body_of(parts, ".having_children()")
        if body.attributes:
            raise TypeError(
                ".having_children() takes children; attributes go to .with_attributes()"
            )
        return replace(
            self,
            children=self.children + body.children,
            nevers=self.nevers + body.nevers,
            opened=self.opened or body.opened,
        )

    def descendant(self, pattern: PatternLike, /) -> SpanPattern:
        """Expect such a span somewhere below: at least one, unless `pattern` has a count."""
        __tracebackhide__ = True
        return replace(self, descendants=(*self.descendants, as_pattern(pattern, ".descendant()")))

    def never(self, pattern: PatternLike, /) -> SpanPattern:
        """Expect no such span anywhere below."""
        __tracebackhide__ = True
        return replace(self, nevers=(*self.nevers, as_selector(pattern, ".never()")))

    def times(self, n: int, /, max: int | None = None) -> SpanPattern:  # noqa: A002 - the word fits
        """Expect exactly `n` such spans, or from `n` to `max` of them.

        This counts in an open node too: a child left over that matches is one too many.
        """
        __tracebackhide__ = True
        most = checked_count(n if max is None else max, ".times()")
        if most < checked_count(n, ".times()"):
            raise ValueError(f".times({n}, max={max}) asks for more than it allows")
        return replace(self, least=n, most=most, counted=True)

    def at_least(self, n: int, /) -> SpanPattern:
        """Expect `n` such spans or more."""
        __tracebackhide__ = True
        return replace(self, least=checked_count(n, ".at_least()"), most=None, counted=True)

    def optional(self) -> SpanPattern:
        """Expect one such span or none."""
        return replace(self, least=0, most=1, counted=True)

    def ok(self) -> SpanPattern:
        """Expect that the span ended, and that its status is not ERROR."""
        return replace(self, status="ok")

    def error(
        self,
        type: type[BaseException] | str | None = None,  # noqa: A002 - the word fits
        match: str | re.Pattern[str] | None = None,
    ) -> SpanPattern:
        """Expect the status ERROR.

        Args:
            type: The type of a recorded exception, or the attribute `error.type`: a class, by
                its qualified name exactly, or a text in which `*` is a wildcard.
            match: A regular expression that is found in the message of a recorded exception or
                in the status description.
        """
        __tracebackhide__ = True
        return replace(self, status=checked_error(type, match))

    def event(self, name: Name, attributes: Mapping[str, Any] = NOTHING, /) -> SpanPattern:
        """Expect an event of this name that has these attributes, among others."""
        __tracebackhide__ = True
        event = ExpectedEvent(
            checked_name(name, ".event()"), merged(NOTHING, attributes, ".event()")
        )
        return replace(self, events=(*self.events, event))

    def link_to(self, pattern: PatternLike, /) -> SpanPattern:
        """Expect a link to a captured span like this."""
        __tracebackhide__ = True
        return replace(self, links=(*self.links, as_selector(pattern, ".link_to()")))

    def unfinished(self) -> SpanPattern:
        """Expect that the span never ended."""
        return replace(self, never_ended=True)

    def as_(self, alias: str, /) -> SpanPattern:
        """Name the span that matches: `match["author"]` is the one of `.as_("author")`."""
        __tracebackhide__ = True
        if not isinstance(alias, str) or not alias:
            raise TypeError(f".as_() takes a name such as .as_('author'), not {alias!r}")
        return replace(self, alias=alias)

    def __truediv__(self, below: PatternLike | Path) -> Path:
        __tracebackhide__ = True
        return _path_of(self) / below

    def __floordiv__(self, below: PatternLike | Path) -> Path:
        __tracebackhide__ = True
        return _path_of(self) // below

    def __rtruediv__(self, above: Name) -> Path:
        __tracebackhide__ = True
        return _path_of(above) / self

    def __rfloordiv__(self, above: Name) -> Path:
        __tracebackhide__ = True
        return _path_of(above) // self

    def pieces(self) -> Iterator[str | Composite]:
        """Yield the parts of `span(...)` and of the verbs that follow it."""
        return spelled(self)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Path(Composite):
    """Spans by where they stand: `span("a") / "b"` is a child, `span("a") // "b"` further below.

    Attributes:
        axes: Where each step stands, seen from the step before it.
        patterns: What each step is.
    """

    OWN: ClassVar = ("axes",)
    INNER: ClassVar = ("patterns",)

    axes: tuple[Axis, ...]
    patterns: tuple[SpanPattern, ...]

    def __truediv__(self, below: PatternLike | Path) -> Path:
        __tracebackhide__ = True
        return self._joined("child", below)

    def __floordiv__(self, below: PatternLike | Path) -> Path:
        __tracebackhide__ = True
        return self._joined("descendant", below)

    def __rtruediv__(self, above: Name) -> Path:
        __tracebackhide__ = True
        return _path_of(above) / self

    def __rfloordiv__(self, above: Name) -> Path:
        __tracebackhide__ = True
        return _path_of(above) // self

    def _joined(self, axis: Axis, below: PatternLike | Path) -> Path:
        __tracebackhide__ = True
        rest = below if isinstance(below, Path) else _path_of(below)
        return Path((*self.axes, axis, *rest.axes[1:]), self.patterns + rest.patterns)

    def pieces(self) -> Iterator[str | Composite]:
        """Yield the steps with their separators."""
        if self.axes[0] == "root":
            yield "/ "
        for axis, pattern in zip(self.axes, self.patterns, strict=True):
            yield {"child": " / ", "descendant": " // "}.get(axis, "")
            yield pattern


PatternLike: TypeAlias = SpanPattern | Name
"""A pattern, or the name that is all it says."""
ChildPart: TypeAlias = PatternLike | AnyOrder | OneOf | Never | EllipsisType
"""What may stand among children, and among roots."""
Part: TypeAlias = ChildPart | Mapping[str, Any]
"""What may stand in the brackets of `span(name, ...)`."""


class Body(NamedTuple):
    """What parts say of a level of siblings.

    Attributes:
        children: What takes positions there.
        nevers: What must not stand at that level or anywhere below it.
        opened: Whether other siblings may stand anywhere.
        attributes: The attributes of the span above it.
    """

    children: tuple[Member, ...]
    nevers: tuple[SpanPattern, ...]
    opened: bool
    attributes: Mapping[str, Any]


def as_pattern(value: PatternLike, where: str) -> SpanPattern:
    """Return the pattern, or the pattern that a name stands for."""
    __tracebackhide__ = True
    if isinstance(value, SpanPattern):
        return value
    if not is_name(value):
        raise TypeError(f"{where} takes a pattern or a name, not {value!r}")
    if is_path(value):
        raise ValueError(
            f"{where} takes a pattern, and {value!r} is a path; paths belong to queries: nest "
            f"patterns instead, or write literal({value!r}) for a span of that name"
        )
    return SpanPattern(name=checked_name(value, where))


def as_selector(value: PatternLike, where: str) -> SpanPattern:
    """Return the pattern as one that selects spans one by one, and so has no count."""
    __tracebackhide__ = True
    pattern = as_pattern(value, where)
    if pattern.counted:
        raise ValueError(
            f"{where} looks at one span at a time: {pattern!r} cannot have a count there"
        )
    return pattern


def body_of(parts: Iterable[Part], where: str) -> Body:
    """Sort parts into children, nevers, attributes and `...`.

    Args:
        parts: What was given.
        where: What it was given to, as the sentence of an error begins.

    Raises:
        TypeError: A part is none of these.
    """
    __tracebackhide__ = True
    children: list[Member] = []
    nevers: list[SpanPattern] = []
    attributes, opened = NOTHING, False
    for part in parts:
        if isinstance(part, SpanPattern | OneOf):
            children.append(part)
        elif isinstance(part, Mapping):
            attributes = merged(attributes, part, where)
        elif part is ...:
            opened = True
        elif isinstance(part, AnyOrder):
            children.append(replace(part, nevers=(), opened=False))
            nevers += part.nevers
            opened = opened or part.opened
        elif isinstance(part, Never):
            nevers.append(part.pattern)
        elif is_name(part):
            children.append(as_pattern(part, where))
        else:
            raise TypeError(f"{where} cannot take {part!r}{_advice(part)}")
    return Body(tuple(children), tuple(nevers), opened, attributes)


def _advice(part: object) -> str:
    if isinstance(part, Iterable):
        return ": unpack it with *, as in span('a', *children)"
    return ": a part is a mapping of attributes, a pattern, a name, a group or ..."


def _path_of(value: PatternLike) -> Path:
    __tracebackhide__ = True
    return Path(("anywhere",), (as_selector(value, "a path"),))
