"""The outline: every span in its tree, as text."""

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.util.types import AnyValue

from pytest_otel_spans import SpanTreeMismatch, assert_span_tree, span
from pytest_otel_spans.capturing.capture import SpanCapture
from pytest_otel_spans.text.layout import Branch, draw
from pytest_otel_spans.text.render import outline, path_text
from pytest_otel_spans.tree import grow

TRACER = trace.get_tracer(__name__)


def text(*lines: str) -> str:
    return "\n".join(lines)


def test_the_outline_says_all_but_ids_and_times(spans: SpanCapture) -> None:
    with (  # noqa: PT012 - the spans of an error are what is wanted
        pytest.raises(RuntimeError),
        TRACER.start_as_current_span("run_project", attributes={"project": "p1", "n": 2}),
    ):
        with TRACER.start_as_current_span("task:t1", kind=SpanKind.CLIENT) as task:
            task.add_event("retry", {"attempt": 2})
            task.set_status(trace.StatusCode.OK)
        TRACER.start_span("stream", links=[Link(task.get_span_context(), {"why": "input"})])
        raise RuntimeError("boom")
    assert outline(spans.forest) == text(
        "run_project  [error 'RuntimeError: boom']  {project='p1', n=2}",
        "│   ! exception RuntimeError: 'boom'",
        "├─ task:t1  (client)  [ok]",
        "│      ! retry  {attempt=2}",
        "└─ stream  (never ended)",
        "       ~> run_project/task:t1  {why='input'}",
    )


def test_many_attributes_stand_a_line_each_and_long_values_are_cut(spans: SpanCapture) -> None:
    attributes: dict[str, AnyValue] = {
        "model": "gpt-4o",
        "prompt": "write " * 50,
        "temperature": 0.5,
        "tools": ["a"],
    }
    with TRACER.start_as_current_span("llm_call", attributes=attributes):
        pass
    assert outline(spans.forest) == text(
        "llm_call",
        "    model='gpt-4o'",
        "    prompt='write write write write write write…rite write write ' (300 characters)",
        "    temperature=0.5",
        "    tools=('a',)",
    )


def test_roots_of_several_traces_are_numbered(spans: SpanCapture) -> None:
    for name in ("a", "b"):
        with TRACER.start_as_current_span(name):
            pass
    assert outline(spans.forest) == text("a  (trace 1)", "b  (trace 2)")


def test_a_parent_from_elsewhere_is_marked(spans: SpanCapture) -> None:
    def under(*, is_remote: bool) -> context.Context:
        parent = SpanContext(7, 9, is_remote, TraceFlags(TraceFlags.SAMPLED))
        return set_span_in_context(NonRecordingSpan(parent), context.Context())

    provider = TracerProvider(shutdown_on_exit=False)
    tracer = provider.get_tracer(__name__)
    served = tracer.start_span("served", context=under(is_remote=True))
    lost = tracer.start_span("lost", context=under(is_remote=False))
    assert isinstance(served, ReadableSpan)
    assert isinstance(lost, ReadableSpan)
    assert outline(grow([served, lost])) == text(
        "served  (remote parent)  (never ended)",
        "lost  (never ended)  (orphan: its parent was not captured)",
    )


def test_a_name_that_would_blur_the_line_is_quoted(spans: SpanCapture) -> None:
    for name in ("", " a", "two\nlines", "wide  gap"):
        TRACER.start_span(name).end()
    names = [line.partition("  (trace")[0] for line in outline(spans.forest).splitlines()]
    assert names == ["''", "' a'", r"'two\nlines'", "'wide  gap'"]


def test_nothing_in_a_span_breaks_a_line_or_steers_the_terminal(spans: SpanCapture) -> None:
    with TRACER.start_as_current_span("SELECT *\nFROM t"):
        query = TRACER.start_span("row", attributes={"k\n": "v\n", "\x1b[2J": 1})
        query.add_event("exception", {"exception.type": "a\nb", "\x07": "\x07"})
        query.end()

    with pytest.raises(AssertionError) as failed:
        spans.all("row").each(span("row", {"k\n": 1}))
    with pytest.raises(SpanTreeMismatch) as mismatch:
        assert_span_tree(spans, span("SELECT *", span("row", {"k\n": "w"}).error().never("x")))

    for said in (str(failed.value), str(mismatch.value), spans.text()):
        assert not [line for line in said.split("\n") if not line.isprintable()]
    assert str(failed.value).splitlines()[1:4] == [
        r"  'SELECT *\nFROM t/row'",
        r"    'k\n'  - 1 (int)",
        r"           + 'v\n' (str)",
    ]
    assert spans.text().splitlines()[1] == r"└─ row  {'k\n'='v\n', '\x1b[2J'=1}"


def test_a_chain_of_20_000_is_drawn_without_drowning_in_margin(spans: SpanCapture) -> None:
    above = context.Context()
    for level in range(20_000):
        one = TRACER.start_span(f"n{level}", context=above)
        above = set_span_in_context(one, above)
    lines = outline(spans.forest).splitlines()
    assert len(lines) == 20_000
    assert max(map(len, lines)) < 150
    assert "(level 19999) n19999" in lines[-1]
    assert path_text(spans.forest.nodes[-1]) == (
        "n0/n1/n2/n3/… 19,992 levels …/n19996/n19997/n19998/n19999"
    )


def test_remarks_stand_in_one_column() -> None:
    branch = Branch(
        text="run",
        children=(
            Branch(text="task:t1", remark="+ unexpected"),
            Branch(text="t2", remark="- missing", below=("why",)),
        ),
    )
    assert draw([branch]) == [
        "run",
        "├─ task:t1  + unexpected",
        "└─ t2       - missing",
        "       why",
    ]
