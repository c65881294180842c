"""Remember verdicts, by pattern and node."""

from __future__ import annotations

from pytest_otel_spans.matching.facts import Mode
from pytest_otel_spans.matching.level import Question
from pytest_otel_spans.patterns.expected import SpanPattern

__all__ = ["Memory"]


class Memory:
    """The verdicts of a judge on nodes of one forest.

    Attributes:
        hits: Where in the walk of the forest those lie that a pattern selects.
    """

    __slots__ = ("_patterns", "_verdicts", "hits")

    def __init__(self) -> None:
        self.hits: dict[SpanPattern, list[int]] = {}
        self._verdicts: dict[tuple[int, int, Mode], bool] = {}
        self._patterns: dict[int, SpanPattern] = {}

    def recall(self, question: Question) -> bool | None:
        """Return the verdict, None where there is none yet."""
        pattern, node, mode = question
        return self._verdicts.get((id(pattern), node.order, mode))

    def keep(self, question: Question, verdict: bool) -> None:  # noqa: FBT001 - it is the value
        """Remember the verdict."""
        pattern, node, mode = question
        self._patterns[id(pattern)] = pattern  # while it lives, no other has its id
        self._verdicts[id(pattern), node.order, mode] = verdict
