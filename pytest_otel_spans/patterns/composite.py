"""Give nested values equality, a hash and their literal without recursion, at any depth."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Iterable, Iterator
from typing import ClassVar, Final

from pytest_otel_spans.patterns.shapes import value_key

__all__ = ["Composite", "Expectation", "comma_separated"]

_NONE: Final[frozenset[str]] = frozenset()


class Composite:
    """A frozen dataclass that holds others of its kind.

    Two are equal when their types, what is their own, and what they hold are equal. The `repr`
    is the literal that would build the value again. Compared with a foreign type the answer is
    `NotImplemented`, so that the other side may decide.

    Attributes:
        OWN: The fields whose values are hashable, and equal only when they are the same.
        VALUES: The fields that hold expected values.
        INNER: The fields that are tuples of composites.
    """

    __slots__ = ("_hash",)
    OWN: ClassVar[tuple[str, ...]] = ()
    VALUES: ClassVar[tuple[str, ...]] = ()
    INNER: ClassVar[tuple[str, ...]]
    _hash: int

    def inner(self) -> tuple[Composite, ...]:
        """The composites that the value holds."""
        return tuple([part for name in self.INNER for part in getattr(self, name)])

    def own(self) -> Hashable:
        """What the value is besides, and how many composites stand in which field."""
        return (
            *[getattr(self, name) for name in self.OWN],
            *[value_key(getattr(self, name)) for name in self.VALUES],
            *[len(getattr(self, name)) for name in self.INNER],
        )

    @abstractmethod
    def pieces(self) -> Iterable[str | Composite]:
        """The literal, with every composite in its place."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Composite):
            return NotImplemented
        pairs: list[tuple[Composite, Composite]] = [(self, other)]
        while pairs:
            one, two = pairs.pop()
            if one is two:
                continue
            if type(one) is not type(two) or hash(one) != hash(two) or one.own() != two.own():
                return False
            pairs.extend(zip(one.inner(), two.inner(), strict=True))
        return True

    def __hash__(self) -> int:
        waiting: list[Composite] = [self]
        while waiting:
            value = waiting[-1]
            inner = value.inner()
            unknown = [part for part in inner if not hasattr(part, "_hash")]
            if unknown:
                waiting.extend(unknown)
            else:
                known = tuple([part._hash for part in inner])  # noqa: SLF001 - one of our own
                object.__setattr__(value, "_hash", hash((type(value), value.own(), known)))
                waiting.pop()
        return self._hash

    def __deepcopy__(self, memo: object) -> Composite:
        return self  # as nothing can change it; inline-snapshot copies what it compares

    def __repr__(self) -> str:
        text: list[str] = []
        waiting: list[str | Composite] = [self]
        while waiting:
            piece = waiting.pop()
            if isinstance(piece, str):
                text.append(piece)
            else:
                waiting.extend(reversed(list(piece.pieces())))
        return "".join(text)


class Expectation(Composite):
    """What may be expected of spans; it knows the labels and names that stand anywhere in it.

    Attributes:
        labels: The labels of `same` in it.
        aliases: The names that `.as_` gives in it.
        forbids: Whether something in it says what must never stand somewhere.
    """

    __slots__ = ("aliases", "forbids", "labels")
    labels: frozenset[str]
    aliases: frozenset[str]
    forbids: bool

    def __post_init__(self) -> None:
        labels, aliases, forbids = self.says()
        for part in self.inner():
            if isinstance(part, Expectation):
                labels = labels | part.labels if part.labels else labels
                aliases = aliases | part.aliases if part.aliases else aliases
                forbids = forbids or part.forbids
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "aliases", aliases)
        object.__setattr__(self, "forbids", forbids)

    def says(self) -> tuple[frozenset[str], frozenset[str], bool]:
        """Return its own labels and names, and whether it forbids something itself."""
        return _NONE, _NONE, False


def comma_separated(parts: Iterable[str | Composite]) -> Iterator[str | Composite]:
    """Yield the parts with `", "` between them."""
    for index, part in enumerate(parts):
        if index:
            yield ", "
        yield part
