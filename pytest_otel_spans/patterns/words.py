"""Hold the words that stand for a value which a test does not spell out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, final

from pytest_otel_spans.patterns.shapes import ValueMatcher, describe

__all__ = ["Absent", "absent", "json_value", "maybe", "same"]


@final
class Absent(ValueMatcher):
    """The type of `absent`, which stands for an attribute that is not there.

    It is what to expect of a key that must not be set, and what the matcher reports as the
    actual value of one that is not. `None` is a value, and not absent.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "absent"


absent: Final = Absent()


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class maybe(ValueMatcher):  # noqa: N801 - a word of the language in which tests are written
    """Equal if present: the attribute may be missing, and else must match `expected`."""

    expected: Any

    def __repr__(self) -> str:
        return f"maybe({describe(self.expected)})"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class json_value(ValueMatcher):  # noqa: N801 - as above
    """A string that holds JSON, compared by what it says.

    As with attributes, the keys given are a subset of an object's keys, at every depth, unless
    `only=True` says that they are all of them. Lists have the length given. Every value may be
    a matcher.
    """

    expected: Any
    only: bool = False

    def __repr__(self) -> str:
        return f"json_value({describe(self.expected)}{', only=True' if self.only else ''})"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class same(ValueMatcher):  # noqa: N801 - as above
    """The same value wherever this label stands, whatever the value is."""

    label: str

    def __post_init__(self) -> None:
        __tracebackhide__ = True
        if not isinstance(self.label, str):
            raise TypeError(f"same() takes a label such as same('run'), not {self.label!r}")

    def labels(self) -> frozenset[str]:
        """The one label."""
        return frozenset((self.label,))

    def __repr__(self) -> str:
        return f"same({self.label!r})"
