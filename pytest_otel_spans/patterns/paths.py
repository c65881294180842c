"""Hold paths that join patterns: where a span stands, seen from another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Generic, Literal, TypeAlias, TypeVar

from pytest_otel_spans.patterns.composite import Composite
from pytest_otel_spans.patterns.names import Name
from pytest_otel_spans.patterns.single import SingleSpan, selecting

__all__ = ["Axis", "Path"]

Axis: TypeAlias = Literal["anywhere", "root", "child", "descendant"]
P = TypeVar("P", bound=SingleSpan)
"""The pattern of one span."""

_SEPARATORS = {"root": "/ ", "child": " / ", "descendant": " // "}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Path(Composite, Generic[P]):
    """Spans by where they stand: `span("a") / "b"` is a child, `span("a") // "b"` further below.

    Attributes:
        axes: Where each step stands, seen from the step before it.
        patterns: What each step is.
    """

    OWN: ClassVar = ("axes",)
    INNER: ClassVar = ("patterns",)

    axes: tuple[Axis, ...]
    patterns: tuple[P, ...]

    def __truediv__(self, below: P | Name | Path[P]) -> Path[P]:
        __tracebackhide__ = True
        return self._joined("child", self._path_of(below))

    def __floordiv__(self, below: P | Name | Path[P]) -> Path[P]:
        __tracebackhide__ = True
        return self._joined("descendant", self._path_of(below))

    def __rtruediv__(self, above: Name) -> Path[P]:
        __tracebackhide__ = True
        return self._path_of(above)._joined("child", self)

    def __rfloordiv__(self, above: Name) -> Path[P]:
        __tracebackhide__ = True
        return self._path_of(above)._joined("descendant", self)

    def _path_of(self, value: P | Name | Path[P]) -> Path[P]:
        __tracebackhide__ = True
        if isinstance(value, Path):
            return value
        return Path(("anywhere",), (selecting(type(self.patterns[0]), value, "a path"),))

    def _joined(self, axis: Axis, rest: Path[P]) -> Path[P]:
        return Path((*self.axes, axis, *rest.axes[1:]), self.patterns + rest.patterns)

    def pieces(self) -> Iterator[str | Composite]:
        """Yield the steps with their separators."""
        for axis, pattern in zip(self.axes, self.patterns, strict=True):
            yield _SEPARATORS.get(axis, "")
            yield pattern
