"""Write down the spans that a test expects: `span`, and the groups of siblings."""

from __future__ import annotations

from types import EllipsisType
from typing import Never as Nothing

from pytest_otel_spans.patterns.expectations import Kind, checked_kind, checked_name
from pytest_otel_spans.patterns.expected import (
    ChildPart,
    Member,
    Part,
    PatternLike,
    SpanPattern,
    as_selector,
    body_of,
)
from pytest_otel_spans.patterns.groups import AnyOrder, Never, OneOf
from pytest_otel_spans.patterns.names import Name, literal
from pytest_otel_spans.patterns.paths import Path
from pytest_otel_spans.patterns.slots import MOST_CHOICES, how_many_choices

__all__ = [
    "AnyOrder",
    "ChildPart",
    "Kind",
    "Member",
    "Name",
    "Never",
    "OneOf",
    "Part",
    "Path",
    "PatternLike",
    "SpanPattern",
    "any_order",
    "as_roots",
    "literal",
    "never",
    "one_of",
    "span",
]


def span(
    name: Name,
    /,
    *parts: Part,
    kind: Kind | None = None,
    only: bool = False,
    **others: Nothing,
) -> SpanPattern:
    """Expect a span.

    Args:
        name: The name: a text in which `*` is a wildcard, a `literal`, or a compiled pattern.
        parts: Mappings of attributes, and the children: patterns, names, groups. In a literal
            those given are all the children, in the order in which they started, and none given
            means a leaf. `...` allows others anywhere among them.
        kind: The span kind, any if not given.
        only: Whether the attributes given are all that the span may have.
        others: None; who looks for one is told how it is written.

    Raises:
        TypeError: Something else was given.
        ValueError: There is no such kind.
    """
    __tracebackhide__ = True
    where = f"span({name!r})"
    for key in others:
        raise TypeError(
            f"{where} takes no {key}=: attributes are a mapping and children patterns, as in "
            f"span({name!r}, {{'key': 1}}, span('child')), all else is a verb, as in .ok()"
        )
    body = body_of(parts, where)
    return SpanPattern(
        name=checked_name(name, "span()"),
        attributes=body.attributes,
        children=body.children,
        nevers=body.nevers,
        opened=body.opened,
        kind=checked_kind(kind, where),
        only=bool(only),
    )


def any_order(*parts: ChildPart) -> AnyOrder[SpanPattern]:
    """Expect these siblings in whatever order they started.

    In an ordered list they cover one stretch of siblings. Each span satisfies one pattern, and
    an assignment is found if there is one, whatever the order of the patterns.
    """
    __tracebackhide__ = True
    body = body_of(parts, "any_order()")
    if body.attributes:
        raise TypeError("any_order() takes patterns; attributes belong to a span(...)")
    members: list[SpanPattern | OneOf[SpanPattern]] = []
    for child in body.children:
        members += child.members if isinstance(child, AnyOrder) else [child]
    group = AnyOrder(tuple(members), body.nevers, body.opened)
    if how_many_choices(group) > MOST_CHOICES:
        raise ValueError(
            f"any_order() would have to try more than {MOST_CHOICES} ways to choose what its "
            "one_of members stand for: give them alternatives without a count"
        )
    return group


def one_of(*alternatives: Member | Name) -> OneOf[SpanPattern]:
    """Expect one of these in one position; an alternative with a count takes that many."""
    __tracebackhide__ = True
    body = body_of(alternatives, "one_of()")
    if body.attributes or body.opened or body.nevers or not body.children:
        raise TypeError(
            "one_of() takes one or more patterns; `...`, never(...) and attributes stand beside it"
        )
    members: list[SpanPattern | AnyOrder[SpanPattern]] = []
    for child in body.children:
        members += child.alternatives if isinstance(child, OneOf) else [child]
    return OneOf(tuple(members))


def never(pattern: PatternLike, /) -> Never[SpanPattern]:
    """Expect no such span anywhere below the span whose part this is; among roots, anywhere."""
    __tracebackhide__ = True
    return Never((as_selector(pattern, "never()"),))


def as_roots(other: object) -> list[ChildPart] | None:
    """Return the roots that a literal gives: a pattern, a group, or a list of them; else None."""
    given = other if isinstance(other, list | tuple) else [other]
    roots: list[ChildPart] = [
        root
        for root in given
        if isinstance(root, SpanPattern | AnyOrder | OneOf | Never | str | EllipsisType)
    ]
    says_something = any(not isinstance(root, str | EllipsisType) for root in roots)
    return roots if says_something and len(roots) == len(given) else None
