"""Ask whether a name that no span bears is a slip of the keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from itertools import islice
from typing import Final

from pytest_otel_spans.patterns.expected import SpanPattern
from pytest_otel_spans.patterns.names import LiteralName, Name, name_matches
from pytest_otel_spans.tree import Forest

__all__ = ["Slips", "close_names", "likeness"]

_SLIP: Final = 0.75  # from 0 to 1: a letter or two, not another word
_DIGITS: Final = re.compile(r"\d+")
_MOST_NAMES: Final = 2_000
_MOST_QUESTIONS: Final = 100


class Slips:
    """The names that the spans of a forest bear; it answers the first questions, not thousands."""

    def __init__(self, forest: Forest) -> None:
        self._names = dict.fromkeys(node.name for node in forest.nodes)
        self._questions = _MOST_QUESTIONS

    def ask(self, patterns: Iterable[SpanPattern]) -> str:
        """Name the name that was meant, "" where there is none, or some span bears the name."""
        for pattern in patterns:
            self._questions -= 1
            if self._questions < 0 or self._is_borne(pattern):
                continue
            names = close_names(pattern.name, self._names, _SLIP)
            for close in [one for one in names if not _is_next_number(pattern.name, one)][:1]:
                return f"no span is named {pattern.name!r}: did you mean {close!r}?"
        return ""

    def _is_borne(self, pattern: SpanPattern) -> bool:
        if pattern.fixed is not None:
            return pattern.fixed in self._names
        return any(name_matches(pattern.name, one) for one in self._names)


def _is_next_number(name: Name, text: str) -> bool:
    """Whether only digits differ: `task:t2` is no slip for `task:t1` but another task."""
    written = name.text if isinstance(name, LiteralName) else name
    return isinstance(written, str) and _DIGITS.sub("0", written) == _DIGITS.sub("0", text)


def close_names(name: Name, names: Iterable[str], least: float) -> list[str]:
    """Return the names at least so like this one, the most alike first."""
    some = islice(names, _MOST_NAMES)
    rated = sorted(((likeness(name, one), one) for one in some), key=lambda pair: -pair[0])
    return [one for rate, one in rated if rate >= least]


def likeness(name: Name, text: str) -> float:
    """How like a text is to a name, from 0 to 1; a regular expression is like nothing."""
    if isinstance(name, re.Pattern):
        return 0.0
    written = name.text if isinstance(name, LiteralName) else name.replace("*", "")
    return SequenceMatcher(None, written, text).ratio()
