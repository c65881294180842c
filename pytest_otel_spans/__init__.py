"""Test OpenTelemetry spans with pytest: write the tree you expect, read the tree you got."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_otel_spans.assertions import Match, SpanTreeMismatch, assert_span_tree
    from pytest_otel_spans.capturing.capture import SpanCapture
    from pytest_otel_spans.capturing.selection import Selection
    from pytest_otel_spans.patterns.pattern import (
        SpanPattern,
        any_order,
        literal,
        never,
        one_of,
        span,
    )
    from pytest_otel_spans.patterns.words import absent, json_value, maybe, same
    from pytest_otel_spans.receiving.otlp import OtlpCapture
    from pytest_otel_spans.registries.account import SpanSchemaMismatch
    from pytest_otel_spans.snapshots.extension import SpanSnapshot
    from pytest_otel_spans.tree import SpanNode

__all__ = [
    "Match",
    "OtlpCapture",
    "Selection",
    "SpanCapture",
    "SpanNode",
    "SpanPattern",
    "SpanSchemaMismatch",
    "SpanSnapshot",
    "SpanTreeMismatch",
    "absent",
    "any_order",
    "assert_span_tree",
    "json_value",
    "literal",
    "maybe",
    "never",
    "one_of",
    "same",
    "span",
]

# A name is imported when it is asked for: pytest imports this package in every run, also in those
# that test no span.
_ROOMS = {
    "assertions": ("Match", "SpanTreeMismatch", "assert_span_tree"),
    "capturing.capture": ("SpanCapture",),
    "patterns.pattern": ("SpanPattern", "any_order", "literal", "never", "one_of", "span"),
    "capturing.selection": ("Selection",),
    "tree": ("SpanNode",),
    "receiving.otlp": ("OtlpCapture",),
    "registries.account": ("SpanSchemaMismatch",),
    "snapshots.extension": ("SpanSnapshot",),
    "patterns.words": ("absent", "json_value", "maybe", "same"),
}
_HOMES = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
