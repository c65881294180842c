"""Hold the groups of expected siblings: any order, one of several, never."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from pytest_otel_spans.patterns.composite import Composite, Expectation, comma_separated

__all__ = ["AnyOrder", "Never", "OneOf"]

P = TypeVar("P", bound=Expectation)
"""The pattern of one span."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AnyOrder(Expectation, Generic[P]):
    """Members that cover one stretch of siblings in whatever order; made by `any_order`.

    Attributes:
        members: What stands there. An `any_order` among those given is merged into this one.
        nevers: What must not stand below the node whose children these are.
        opened: Whether `...` was among the members, which opens that node.
    """

    OWN: ClassVar = ("opened",)
    INNER: ClassVar = ("members", "nevers")

    members: tuple[P | OneOf[P], ...]
    nevers: tuple[P, ...] = ()
    opened: bool = False

    def pieces(self) -> Iterator[str | Composite]:
        """Yield the parts of `any_order(...)`."""
        dots = ["..."] if self.opened else []
        yield "any_order("
        yield from comma_separated([*self.members, *(Never((one,)) for one in self.nevers), *dots])
        yield ")"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class OneOf(Expectation, Generic[P]):
    """One position among siblings that one of the alternatives takes; made by `one_of`.

    Attributes:
        alternatives: What may stand there; one with a count takes as many siblings. No
            alternative is a `OneOf`, those of one that was given are among these.
    """

    INNER: ClassVar = ("alternatives",)

    alternatives: tuple[P | AnyOrder[P], ...]

    def pieces(self) -> Iterator[str | Composite]:
        """Yield the parts of `one_of(...)`."""
        yield "one_of("
        yield from comma_separated(self.alternatives)
        yield ")"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Never(Composite, Generic[P]):
    """A span that must not stand anywhere below the node; it takes no position among siblings."""

    INNER: ClassVar = ("patterns",)

    patterns: tuple[P]

    @property
    def pattern(self) -> P:
        """The pattern that nothing may match."""
        return self.patterns[0]

    def pieces(self) -> Iterator[str | Composite]:
        """Yield the parts of `never(...)`."""
        yield from ("never(", self.pattern, ")")
