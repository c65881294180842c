"""Hold what a test expects of a span and of those around it: a pattern with all its verbs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import EllipsisType
from typing import Any, ClassVar, NamedTuple, TypeAlias

from pytest_otel_spans.nodes import SpanNode
from pytest_otel_spans.patterns.composite import Composite
from pytest_otel_spans.patterns.expectations import NOTHING, merged
from pytest_otel_spans.patterns.groups import AnyOrder, Never, OneOf
from pytest_otel_spans.patterns.names import Name, is_name
from pytest_otel_spans.patterns.paths import Path
from pytest_otel_spans.patterns.single import SingleSpan, named, selecting
from pytest_otel_spans.patterns.spelling import spelled

__all__ = [
    "NO_LITERAL",
    "Body",
    "ChildPart",
    "Member",
    "Part",
    "PatternLike",
    "SpanPattern",
    "as_pattern",
    "as_selector",
    "body_of",
]


NO_LITERAL = (
    "{0} cannot be compared with a pattern by ==: write assert_span_tree(spans.all('name'), "
    "span(…)) for a whole tree, or spans.all('name').each(span(…)) for what must fit"
)
"""What is said to who compares less than a whole capture with a literal."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SpanPattern(SingleSpan):
    """One expected span; made by `span`, refined by verbs that each return a new pattern.

    Attributes:
        children: What stands below it, in start order.
        opened: Whether `...` stood among the parts: other children may stand anywhere.
        links: A pattern for the target of some link each.
        descendants: What must stand somewhere below it.
        nevers: What must not stand anywhere below it.
        listed: The children where they can be compared one by one, None where they cannot.
        has_relatives: Whether it speaks of links, descendants or what never stands below.
    """

    OWN: ClassVar = (*SingleSpan.OWN, "opened")
    INNER: ClassVar = ("children", "links", "descendants", "nevers")

    children: tuple[Member, ...] = ()
    opened: bool = False
    links: tuple[SpanPattern, ...] = ()
    descendants: tuple[SpanPattern, ...] = ()
    nevers: tuple[SpanPattern, ...] = ()
    listed: tuple[SpanPattern, ...] | None = field(init=False)
    has_relatives: bool = field(init=False)

    def __eq__(self, other: object) -> bool:
        """Whether it is the same pattern.

        Raises:
            TypeError: It is a span, which would never be equal and never say so.
        """
        __tracebackhide__ = True
        if isinstance(other, SpanNode):
            raise TypeError(NO_LITERAL.format("one span"))
        return SingleSpan.__eq__(self, other)

    __hash__ = SingleSpan.__hash__

    def __post_init__(self) -> None:
        SingleSpan.__post_init__(self)
        singles = [one for one in self.children if isinstance(one, SpanPattern) and not one.counted]
        listed = None if self.opened or len(singles) < len(self.children) else tuple(singles)
        object.__setattr__(self, "listed", listed)
        has_relatives = bool(self.links or self.descendants or self.nevers)
        object.__setattr__(self, "has_relatives", has_relatives)

    def says(self) -> tuple[frozenset[str], frozenset[str], bool]:
        """Return the labels of its own values and its own name, and whether it forbids spans."""
        labels, aliases, _ = SingleSpan.says(self)
        return labels, aliases, bool(self.nevers)

    @property
    def has_body(self) -> bool:
        """Whether children were given; where a pattern selects, one without is open."""
        return bool(self.children) or self.opened

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

    def link_to(self, pattern: PatternLike, /) -> SpanPattern:
        """Expect a link to a captured span like this."""
        __tracebackhide__ = True
        return replace(self, links=(*self.links, as_selector(pattern, ".link_to()")))

    def __truediv__(self, below: PatternLike | Path[SpanPattern]) -> Path[SpanPattern]:
        __tracebackhide__ = True
        return _path_of(self) / below

    def __floordiv__(self, below: PatternLike | Path[SpanPattern]) -> Path[SpanPattern]:
        __tracebackhide__ = True
        return _path_of(self) // below

    def __rtruediv__(self, above: Name) -> Path[SpanPattern]:
        __tracebackhide__ = True
        return _path_of(as_selector(above, "a path")) / self

    def __rfloordiv__(self, above: Name) -> Path[SpanPattern]:
        __tracebackhide__ = True
        return _path_of(as_selector(above, "a path")) // self

    def pieces(self) -> Iterator[str | Composite]:
        """Yield the parts of `span(...)` and of the verbs that follow it."""
        verbs = (
            ("descendant", self.descendants),
            ("never", self.nevers),
            ("link_to", self.links),
        )
        return spelled(self, (*self.children, *(["..."] if self.opened else [])), verbs)


Member: TypeAlias = SpanPattern | AnyOrder[SpanPattern] | OneOf[SpanPattern]
"""What takes a position among siblings."""
PatternLike: TypeAlias = SpanPattern | Name
"""A pattern, or the name that is all it says."""
ChildPart: TypeAlias = Member | Name | Never[SpanPattern] | EllipsisType
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
    return named(SpanPattern, value, where)


def as_selector(value: PatternLike, where: str) -> SpanPattern:
    """Return the pattern as one that selects spans one by one, and so has no count."""
    __tracebackhide__ = True
    return selecting(SpanPattern, value, where)


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


def _path_of(value: SpanPattern) -> Path[SpanPattern]:
    __tracebackhide__ = True
    return Path(("anywhere",), (as_selector(value, "a path"),))
