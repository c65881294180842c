"""What a type checker knows of patterns, groups and matchers; checked, and never run."""

import re
from collections.abc import Sequence
from typing import assert_type

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pytest_otel_spans import (
    Match,
    SpanCapture,
    SpanNode,
    SpanPattern,
    SpanTreeMismatch,
    absent,
    any_order,
    assert_span_tree,
    json_value,
    literal,
    maybe,
    never,
    one_of,
    same,
    span,
)
from pytest_otel_spans.receiving.otlp import OtlpCapture
from pytest_otel_spans.snapshots.extension import SpanSnapshot


def patterns() -> None:
    assert_type(span("run_project"), SpanPattern)
    assert_type(span(re.compile("^task:")), SpanPattern)
    assert_type(span(literal("SELECT * FROM t"), kind="client", only=True), SpanPattern)
    assert_type(
        span("a", {"n": 1}, "b", span("c"), any_order("d", "e"), never("f"), ...), SpanPattern
    )
    span("a", kind="remote")  # type: ignore[arg-type]  # OpenTelemetry has five kinds
    span("a", 7)  # type: ignore[arg-type]  # a part is attributes, a child, a group or ...


def verbs(pattern: SpanPattern) -> None:
    assert_type(pattern.with_attributes({"model": str}), SpanPattern)
    assert_type(pattern.without_attributes("error.type", "retry"), SpanPattern)
    assert_type(pattern.having_children("a", span("b"), one_of("c", "d"), ...), SpanPattern)
    assert_type(pattern.descendant("validation").never("remediation"), SpanPattern)
    assert_type(pattern.times(2).times(2, max=3).at_least(1).optional(), SpanPattern)
    assert_type(pattern.ok().error().error(TimeoutError, match="slow"), SpanPattern)
    assert_type(pattern.error("app.Timeout", match=re.compile("slow")), SpanPattern)
    assert_type(pattern.event("retry", {"attempt": 1}).event("done"), SpanPattern)
    assert_type(pattern.link_to("other").unfinished().as_("author"), SpanPattern)
    pattern.with_attributes(model=str)  # type: ignore[call-arg]  # keys have dots: give a mapping
    pattern.name = "b"  # type: ignore[misc]  # a pattern is frozen


def values() -> None:
    span(
        "a", {"x": absent, "y": maybe(int), "z": same("run"), "j": json_value({"n": 1}, only=True)}
    )
    span("a", {"t": int, "u": int | str, "r": re.compile("x"), "p": lambda n: n > 0, "l": [1, str]})
    same(7)  # type: ignore[arg-type]  # a label is a text


def assertions(
    spans: SpanCapture,
    otlp_spans: OtlpCapture,
    exporter: InMemorySpanExporter,
    finished: Sequence[ReadableSpan],
) -> None:
    assert_type(assert_span_tree(spans, span("a"), "b", any_order("c", "d"), ...), Match)
    assert_type(assert_span_tree(otlp_spans.service("worker"), "a", wait=5), Match)
    assert_type(assert_span_tree(exporter, "a"), Match)
    assert_type(assert_span_tree(finished, "a"), Match)
    assert_type(otlp_spans.env(), dict[str, str])
    assert_type(otlp_spans.endpoint, str)


def what_came_of_it(match: Match, mismatch: SpanTreeMismatch) -> None:
    assert_type(match["author"], SpanNode)
    assert_type(match.all("author"), tuple[SpanNode, ...])
    assert_type(match.notes, tuple[str, ...])
    assert_type(len(mismatch.differences), int)


def snapshots(spans: SpanCapture, span_snapshot: SpanSnapshot) -> None:
    assert_type(span_snapshot(mask={"*.id": str}, unordered=["run"], name="first"), SpanSnapshot)
    assert spans == span_snapshot
    span_snapshot(unordered="run")
