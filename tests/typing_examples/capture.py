"""What a type checker knows of a capture: this file is checked, and never run."""

from collections.abc import Mapping
from typing import Any, assert_type

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pytest_otel_spans import Selection, SpanCapture, SpanNode, SpanSchemaMismatch, span
from pytest_otel_spans.nodes import Event, Link, Status


def queries(spans: SpanCapture) -> None:
    assert_type(spans.one("run_project // llm_call:critique"), SpanNode)
    assert_type(spans.one(span("GET /") / span("db") // "x"), SpanNode)
    assert_type(spans.all(span("llm_call:*", {"model": "gpt-4o"})), Selection)
    assert_type(spans.none("remediation"), bool)
    assert_type(spans.wait_for("job", timeout=0.5), Selection)
    assert_type(spans.roots, tuple[SpanNode, ...])
    assert_type(spans.orphans, tuple[SpanNode, ...])
    assert_type(spans.unfinished, tuple[SpanNode, ...])
    assert_type(spans.wait_until(lambda: len(spans) > 3, 1), bool)
    assert_type(spans.notes, tuple[str, ...])
    assert_type(spans.text() + spans.suggest(exact=True) + spans.why_empty(), str)
    assert_type(spans.exporter, InMemorySpanExporter)
    spans.attach(TracerProvider())
    spans.clear()
    spans.assert_empty()
    spans.one(7)  # type: ignore[arg-type]  # a selector is a text or a pattern


def a_span(node: SpanNode) -> None:
    assert_type(node["model"], Any)
    assert_type(node.name, str)
    assert_type(node.kind, str)
    assert_type(node.parent, SpanNode | None)
    assert_type(node.children, tuple[SpanNode, ...])
    assert_type(node.attributes, Mapping[str, Any])
    assert_type(node.duration_ns, int | None)
    assert_type(node.status, Status)
    assert_type(node.events, tuple[Event, ...])
    assert_type(node.links, tuple[Link, ...])
    assert_type([link.target for link in node.links], list[SpanNode | None])


def several(calls: Selection) -> None:
    assert_type(calls.count, int)
    assert_type(calls.max_parallel, int)
    assert_type(calls.sum("cost_usd"), float)
    assert_type(calls.values("model"), list[Any])
    assert_type(calls.each(span("*").ok()), Selection)
    assert_type(calls.before("revise"), bool)
    assert_type(calls.before(calls), bool)
    assert_type(next(iter(calls)), SpanNode)
    assert_type(calls.conforms_to("shop.yaml"), bool)
    calls.nodes = ()  # type: ignore[misc]  # a selection is frozen


def habits(spans: SpanCapture, error: SpanSchemaMismatch) -> None:
    assert_type(spans.conforms_to({"groups": []}, groups={"GET *": "span.http.client"}), bool)
    assert_type(str(error), str)
    spans.get_finished_spans()  # type: ignore[attr-defined]  # it is no exporter
    spans.on("x")  # type: ignore[attr-defined]  # nothing else is there either
