"""Hold one difference between the spans that were expected and those that there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pytest_otel_spans.matching.facts import Aspect
from pytest_otel_spans.text.render import path_text
from pytest_otel_spans.tree import SpanNode

__all__ = ["Finding", "What"]

What: TypeAlias = Aspect | Literal["missing", "unexpected", "moved", "order", "label", "level"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One difference.

    Attributes:
        what: What differs: an aspect of a span, or where spans stand.
        node: The span that differs; for a missing one, the span above it. None among the roots.
        key: The attribute, where one differs.
        expected: The value, the pattern, or None where nothing was expected.
        actual: The value, the span or spans, or None where nothing is there.
    """

    what: What
    node: SpanNode | None
    key: str | None = None
    expected: Any = None
    actual: Any = None

    @property
    def path(self) -> str:
        """The path of the node, "" where there is none."""
        return "" if self.node is None else path_text(self.node)
