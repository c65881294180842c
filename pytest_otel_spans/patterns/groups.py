"""Hold the groups of expected siblings: any order, one of several, never."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

from pytest_otel_spans.patterns.composite import Composite, comma_separated

if TYPE_CHECKING:  # groups hold patterns, and patterns groups
    from pytest_otel_spans.patterns.expected import SpanPattern

__all__ = ["AnyOrder", "Member", "Never", "OneOf"]

Member: TypeAlias = "SpanPattern | AnyOrder | OneOf"
"""What takes a position among siblings."""

_NONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AnyOrder(Composite):
    """Members that cover one stretch of siblings in whatever order; made by `any_order`.

    Attributes:
        members: What stands there. An `any_order` among those given is merged into this one.
        nevers: What must not stand below the node whose children these are.
        opened: Whether `...` was among the members, which opens that node.
        labels: The labels of `same` in the members.
        aliases: The names that `.as_` gives in the members.
        forbids: Whether a member, or a pattern below it, says what never stands there.
    """

    OWN: ClassVar = ("opened",)
    INNER: ClassVar = ("members", "nevers")

    members: tuple[SpanPattern | OneOf, ...]
    nevers: tuple[SpanPattern, ...] = ()
    opened: bool = False
    labels: frozenset[str] = field(init=False)
    aliases: frozenset[str] = field(init=False)
    forbids: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", _NONE.union(*(one.labels for one in self.members)))
        object.__setattr__(self, "aliases", _NONE.union(*(one.aliases for one in self.members)))
        object.__setattr__(self, "forbids", any(one.forbids for one in self.members))

    def pieces(self) -> Iterator[str | Composite]:
        """Yield the parts of `any_order(...)`."""
        dots = ["..."] if self.opened else []
        yield "any_order("
        yield from comma_separated([*self.members, *(Never((one,)) for one in self.nevers), *dots])
        yield ")"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class OneOf(Composite):
    """One position among siblings that one of the alternatives takes; made by `one_of`.

    Attributes:
        alternatives: What may stand there; one with a count takes as many siblings. No
            alternative is a `OneOf`, those of one that was given are among these.
        labels: The labels of `same` in the alternatives.
        aliases: The names that `.as_` gives in the alternatives.
        forbids: Whether an alternative, or a pattern below it, says what never stands there.
    """

    INNER: ClassVar = ("alternatives",)

    alternatives: tuple[SpanPattern | AnyOrder, ...]
    labels: frozenset[str] = field(init=False)
    aliases: frozenset[str] = field(init=False)
    forbids: bool = field(init=False)

    def __post_init__(self) -> None:
        options = self.alternatives
        object.__setattr__(self, "labels", _NONE.union(*(one.labels for one in options)))
        object.__setattr__(self, "aliases", _NONE.union(*(one.aliases for one in options)))
        object.__setattr__(self, "forbids", any(one.forbids for one in options))

    def pieces(self) -> Iterator[str | Composite]:
        """Yield the parts of `one_of(...)`."""
        yield "one_of("
        yield from comma_separated(self.alternatives)
        yield ")"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Never(Composite):
    """A span that must not stand anywhere below the node; it takes no position among siblings."""

    INNER: ClassVar = ("patterns",)

    patterns: tuple[SpanPattern]

    @property
    def pattern(self) -> SpanPattern:
        """The pattern that nothing may match."""
        return self.patterns[0]

    def pieces(self) -> Iterator[str | Composite]:
        """Yield the parts of `never(...)`."""
        yield from ("never(", self.pattern, ")")
