"""The literal that `suggest` prints: what it says, how it looks, and that it holds."""

import subprocess
import sys
import uuid
from contextlib import ExitStack

import pytest
from opentelemetry import trace
from opentelemetry.trace import Link, SpanKind
from opentelemetry.util.types import AnyValue

from pytest_otel_spans.capturing.capture import SpanCapture

TRACER = trace.get_tracer(__name__)


def is_met(spans: SpanCapture, *, exact: bool = False) -> None:
    source = spans.suggest(exact=exact)
    exec(source, {"spans": spans})  # the import line included: what a reader would paste


def test_a_small_tree_is_one_line(spans: SpanCapture) -> None:
    with TRACER.start_as_current_span("task:t1"), TRACER.start_as_current_span("llm_call"):
        pass
    assert spans.suggest() == (
        "from pytest_otel_spans import assert_span_tree, span\n"
        "\n"
        'assert_span_tree(spans, span("task:t1", span("llm_call")))'
    )


def test_what_changes_from_run_to_run_is_a_type(spans: SpanCapture) -> None:
    volatile: dict[str, AnyValue] = {
        "project_id": str(uuid.uuid4()),
        "request": "req 0af7651916cd43dd8448eb211c80319c",
        "at": "2026-01-02T03:04:05Z",
        "created": 1_700_000_000,
        "created_ns": 1_700_000_000_000_000_000,
        "latency_ms": 12.5,
        "duration": 3,
        "model": "gpt-4o",
        "tokens": 17,
        "cached": True,
    }
    with TRACER.start_as_current_span(f"job {uuid.uuid4()}", attributes=volatile):
        pass
    assert spans.suggest().partition("\n\n")[2] == (
        "assert_span_tree(\n"
        "    spans,\n"
        "    span(\n"
        '        "job *",\n'
        "        {\n"
        '            "project_id": str,\n'
        '            "request": str,\n'
        '            "at": str,\n'
        '            "created": int,\n'
        '            "created_ns": int,\n'
        '            "latency_ms": float,\n'
        '            "duration": int,\n'
        '            "model": "gpt-4o",\n'
        '            "tokens": 17,\n'
        '            "cached": True,\n'
        "        },\n"
        "    ),\n"
        ")"
    )
    is_met(spans)


def test_overlapping_siblings_stand_in_any_order(spans: SpanCapture) -> None:
    with TRACER.start_as_current_span("run", start_time=0) as run:
        first = TRACER.start_span("prepare", start_time=1)
        first.end(2)
        one, two = (
            TRACER.start_span("task:t1", start_time=3),
            TRACER.start_span("task:t2", start_time=4),
        )
        one.end(9)
        two.end(8)
        run.end(10)
    assert 'span("prepare"), any_order(span("task:t1"), span("task:t2"))' in spans.suggest()
    is_met(spans)


def test_equal_neighbours_are_counted(spans: SpanCapture) -> None:
    with TRACER.start_as_current_span("run"):
        for _ in range(3):
            with TRACER.start_as_current_span("poll"):
                pass
    assert 'span("poll").times(3)' in spans.suggest()
    is_met(spans)


def test_everything_that_a_verb_can_say_is_said(spans: SpanCapture) -> None:
    with TRACER.start_as_current_span("SELECT * FROM t", kind=SpanKind.CLIENT) as query:
        query.add_event("retry", {"attempt": 2})
    with (  # noqa: PT012 - the spans of an error are what is wanted
        pytest.raises(ValueError),
        TRACER.start_as_current_span("report", links=[Link(query.get_span_context())]),
    ):
        TRACER.start_span("stream")
        raise ValueError("no (such) row")
    literal_text = spans.suggest()
    for said in (
        'span(literal("SELECT * FROM t"), kind="client").event("retry", {"attempt": 2})',
        'span("stream").unfinished()',
        '.error("ValueError")',
        '.link_to(span(literal("SELECT * FROM t")))',
    ):
        assert said in literal_text
    is_met(spans)
    is_met(spans, exact=True)


def test_exact_says_every_value_kind_and_status(spans: SpanCapture) -> None:
    with TRACER.start_as_current_span("a", attributes={"latency_ms": 1.5}):
        pass
    assert spans.suggest(exact=True).endswith(
        'assert_span_tree(spans, span("a", {"latency_ms": 1.5}, kind="internal", only=True).ok())'
    )
    is_met(spans, exact=True)


def test_no_span_at_all_is_suggested_as_such(spans: SpanCapture) -> None:
    assert spans.suggest() == "spans.assert_empty()"


def test_a_chain_too_deep_for_brackets_is_written_with_variables(spans: SpanCapture) -> None:
    with ExitStack() as stack:
        for level in range(300):
            stack.enter_context(TRACER.start_as_current_span(f"level:{level}"))
    assert "deep_29 = span(" in spans.suggest()
    is_met(spans)


def test_the_literal_is_formatted(spans: SpanCapture) -> None:
    with TRACER.start_as_current_span("run", kind=SpanKind.SERVER, attributes={"a" * 30: "b" * 50}):
        with TRACER.start_as_current_span(
            "x" * 40, attributes={"t": ["it's", 'say "hi"']}
        ) as span_:
            span_.add_event("retry", {"attempt": 1e22, "why": b"x"})
            span_.add_event("gave up", {"after": "a long while, which took many words to tell"})
        with TRACER.start_as_current_span("y" * 90):
            pass
        with TRACER.start_as_current_span("z" * 60) as span_:
            span_.add_event("told", {"what": "so much that it does not fit", "why": "no one knows"})
    for exact in (False, True):
        source = spans.suggest(exact=exact) + "\n"
        ruff = subprocess.run(
            [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length=100", "-"],
            input=source,
            capture_output=True,
            text=True,
            check=True,
        )
        assert ruff.stdout == source
