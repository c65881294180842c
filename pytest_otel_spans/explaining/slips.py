"""Ask whether a name that no span bears is a slip of the keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from functools import cached_property
from itertools import islice
from typing import Final, NamedTuple

from pytest_otel_spans.patterns.expected import SpanPattern
from pytest_otel_spans.patterns.names import LiteralName, Name, name_matches
from pytest_otel_spans.tree import Forest

__all__ = ["Slip", "Slips", "close_names", "likeness"]

_SLIP: Final = 0.75  # from 0 to 1: a letter or two, not another word
_DIGITS: Final = re.compile(r"\d+")
_WORDS: Final = re.compile(r"[^\W_]+|[\W_]")
_MOST_NAMES: Final = 2_000
_MOST_QUESTIONS: Final = 100


class Slip(NamedTuple):
    """A name that no span bears, and the one that was meant."""

    name: Name
    meant: str

    @property
    def sentence(self) -> str:
        """Ask whether it was meant."""
        return f"no span is named {self.name!r}: did you mean {self.meant!r}?"


class Slips:
    """The names that the spans of a forest bear; it answers the first questions, not thousands."""

    def __init__(self, forest: Forest) -> None:
        self._forest = forest
        self._questions = _MOST_QUESTIONS

    @cached_property
    def _names(self) -> dict[str, None]:
        return dict.fromkeys(node.name for node in self._forest.nodes)

    def ask(self, patterns: Iterable[SpanPattern]) -> Slip | None:
        """Return the first name among these that no span bears, and that was likely a slip."""
        for pattern in patterns:
            self._questions -= 1
            if self._questions < 0 or self._is_borne(pattern):
                continue
            for close in close_names(pattern.name, self._names, _SLIP):
                if _is_slip(pattern.name, close):
                    return Slip(pattern.name, close)
        return None

    def _is_borne(self, pattern: SpanPattern) -> bool:
        if pattern.fixed is not None:
            return pattern.fixed in self._names
        return any(name_matches(pattern.name, one) for one in self._names)


def _is_slip(name: Name, text: str) -> bool:
    """Whether a letter or two differ, or their case or place, and not a whole word, nor a number.

    `task:t2` is another task than `task:t1`, and `reserve:mug` something else than `reserve:cup`:
    what two names share says nothing about the words in which they differ.
    """
    one, two = _WORDS.findall(_written(name)), _WORDS.findall(text)
    while one and two and one[0] == two[0]:
        one, two = one[1:], two[1:]
    while one and two and one[-1] == two[-1]:
        one, two = one[:-1], two[:-1]
    mine, other = "".join(one), "".join(two)
    if _DIGITS.sub("0", mine) == _DIGITS.sub("0", other):
        return False
    swapped = sorted(mine.casefold()) == sorted(other.casefold())
    return swapped or SequenceMatcher(None, mine, other).ratio() >= _SLIP


def _written(name: Name) -> str:
    """Return the letters of a name; a regular expression has none."""
    if isinstance(name, re.Pattern):
        return ""
    return name.text if isinstance(name, LiteralName) else name.replace("*", "")


def close_names(name: Name, names: Iterable[str], least: float) -> list[str]:
    """Return the names at least so like this one, the most alike first."""
    some = islice(names, _MOST_NAMES)
    rated = sorted(((likeness(name, one), one) for one in some), key=lambda pair: -pair[0])
    return [one for rate, one in rated if rate >= least]


def likeness(name: Name, text: str) -> float:
    """How like a text is to a name, from 0 to 1; a regular expression is like nothing."""
    written = _written(name).casefold()
    return SequenceMatcher(None, written, text.casefold()).ratio() if written else 0.0
