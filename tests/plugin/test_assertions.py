"""`assert_span_tree` from outside: what it takes, returns and raises, and how pytest shows it."""

import asyncio
import pickle
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry import trace

from pytest_otel_spans import (
    SpanCapture,
    SpanTreeMismatch,
    any_order,
    assert_span_tree,
    never,
    span,
)
from pytest_otel_spans.receiving.otlp import OtlpCapture
from pytest_otel_spans.text.colour import paint

TRACER = trace.get_tracer(__name__)
Run = Callable[..., pytest.RunResult]


def leaf(name: str) -> None:
    TRACER.start_span(name).end()


# --- what it returns


def test_a_match_knows_the_spans_that_patterns_named(spans: SpanCapture) -> None:
    with TRACER.start_as_current_span("run"):
        for name in ("task:t1", "task:t2", "author"):
            leaf(name)
    match = assert_span_tree(
        spans,
        span("run", span("task:*").times(2).as_("task"), span("author").as_("who")).as_("run"),
    )
    assert match["who"] is spans.one("author")
    assert match["run"].children[-1] is match["who"]
    assert [node.name for node in match.all("task")] == ["task:t1", "task:t2"]
    assert sorted(match.keys()) == ["run", "task", "who"]
    assert "who" in match
    assert "whom" not in match


def test_a_name_that_nothing_bears_is_told_with_those_that_are(spans: SpanCapture) -> None:
    leaf("run")
    match = assert_span_tree(spans, span("run").as_("root"))
    with pytest.raises(KeyError, match="no span is named 'author'; the names are: 'root'"):
        match["author"]


def test_a_name_of_several_spans_is_not_one_span(spans: SpanCapture) -> None:
    leaf("a")
    leaf("a")
    match = assert_span_tree(spans, span("a").times(2).as_("a"))
    with pytest.raises(KeyError, match=re.escape("2 spans are named 'a': use match.all('a')")):
        match["a"]


# --- what it takes


def test_spans_of_other_processes_are_a_capture_too(otlp_spans: OtlpCapture) -> None:
    with pytest.raises(SpanTreeMismatch) as error:
        assert_span_tree(otlp_spans, span("run"), wait=0.01)
    assert otlp_spans.why_empty() in str(error.value)


def test_no_root_at_all_is_no_expectation(spans: SpanCapture) -> None:
    with pytest.raises(TypeError, match=re.escape("spans.assert_empty()")):
        assert_span_tree(spans)


def test_the_roots_are_all_the_roots_in_start_order_but_where_a_part_says_otherwise(
    spans: SpanCapture,
) -> None:
    for name in ("boot", "run", "halt"):
        leaf(name)
    for roots in (
        ["boot", "run", "halt"],
        [any_order("halt", "boot", "run")],
        [any_order("run", "boot"), span("halt")],
        ["boot", ...],
        [..., "run", ..., never("crash")],
        [span("*").times(3)],
    ):
        assert_span_tree(spans, *roots)
    for roots in (["boot", "run"], ["run", "boot", "halt"], ["boot", "run", never("halt"), ...]):
        with pytest.raises(SpanTreeMismatch):
            assert_span_tree(spans, *roots)


def test_what_holds_no_spans_is_refused() -> None:
    with pytest.raises(TypeError, match=r"come first, are the fixture `spans` .* not 'run'$"):
        assert_span_tree("run", span("run"))  # type: ignore[arg-type]  # the point
    with pytest.raises(TypeError, match=r"come first, .* not span\('run'\)$"):
        assert_span_tree(span("run"), [])  # type: ignore[arg-type]  # the wrong way round
    with pytest.raises(TypeError, match=r"come first, .* not span\('run'\)$"):
        assert_span_tree(span("run"))  # type: ignore[arg-type]  # no spans at all
    with pytest.raises(TypeError, match=r"no list with span\('run'\) in it$"):
        assert_span_tree([span("run")], span("run"))  # type: ignore[list-item]  # the point


def test_what_a_query_found_is_a_tree_of_its_own(spans: SpanCapture) -> None:
    with TRACER.start_as_current_span("run"):
        for name in ("b", "a"):
            with TRACER.start_as_current_span(name):
                leaf("below")
        TRACER.start_span("open")

    assert_span_tree(spans.one("b"), span("b", "below"))
    assert_span_tree(spans.all("run / *"), span("b", "below"), span("a", "below"), ...)
    assert_span_tree(spans.all("run // *"), span("b", "below"), span("a", "below"), ...)
    assert_span_tree(spans.roots, span("run", ...))
    assert_span_tree(spans.one("run").children[:2], span("b", ...), span("a", ...))
    assert_span_tree(spans.one("open"), span("open").unfinished())
    with pytest.raises(SpanTreeMismatch, match=r"0 spans match 'task:\*'"):
        assert_span_tree(spans.all("task:*"), span("task:t1"))
    with pytest.raises(SpanTreeMismatch) as caught:
        assert_span_tree(spans.one("a"), span("a"))
    assert "orphan" not in str(caught.value)
    assert "1 root with" not in str(caught.value)


@pytest.mark.parametrize("literal", [span("run"), span("run").optional()])
def test_an_empty_list_and_an_empty_exporter_match_nothing(
    spans: SpanCapture, literal: object
) -> None:
    with pytest.raises(SpanTreeMismatch, match="The list of spans is empty"):
        assert_span_tree([], literal)  # type: ignore[arg-type]  # parametrised
    with pytest.raises(SpanTreeMismatch, match="The exporter holds no span that ended"):
        assert_span_tree(spans.exporter, literal)  # type: ignore[arg-type]  # parametrised


# --- waiting


def test_it_waits_until_the_spans_are_there(spans: SpanCapture) -> None:
    late = TRACER.start_span("late")
    timer = threading.Timer(0.05, late.end)
    timer.start()
    with pytest.raises(SpanTreeMismatch, match="never ended"):
        assert_span_tree(spans, span("late"))
    assert_span_tree(spans, span("late"), wait=30)
    timer.join()


def test_it_says_how_long_it_waited_in_vain(spans: SpanCapture) -> None:
    leaf("run")
    with pytest.raises(SpanTreeMismatch, match=r"\nnotes: waited 0\.01 s$"):
        assert_span_tree(spans, span("task"), wait=0.01)


async def test_on_an_event_loop_a_thread_may_wait(spans: SpanCapture) -> None:
    late = TRACER.start_span("late")

    async def end() -> None:
        late.end()

    ending = asyncio.ensure_future(end())
    with pytest.raises(SpanTreeMismatch, match=r"await asyncio\.to_thread"):
        assert_span_tree(spans, span("late"), wait=0.01)
    await asyncio.to_thread(assert_span_tree, spans, span("late"), wait=30)
    await ending


def test_nobody_waits_for_a_list(spans: SpanCapture) -> None:
    leaf("run")
    with pytest.raises(TypeError, match=r"wait=1 needs a capture.*InMemorySpanExporter"):
        assert_span_tree(spans.exporter, span("run"), wait=1)


# --- what it raises


def test_the_differences_are_there_as_values(spans: SpanCapture) -> None:
    with TRACER.start_as_current_span("run", attributes={"n": 1}):
        leaf("extra")
    with pytest.raises(SpanTreeMismatch) as error:
        assert_span_tree(spans, span("run", {"n": 2}, span("task")))
    assert [(one.what, one.path, one.key, one.expected) for one in error.value.differences] == [
        ("attribute", "run", "n", 2),
        ("missing", "run", None, span("task")),
        ("unexpected", "run/extra", None, None),
    ]
    assert error.value.differences[2].actual is spans.one("extra")


def test_the_error_survives_a_pickle() -> None:
    error = SpanTreeMismatch("why")
    copied = pickle.loads(pickle.dumps(error))
    assert (type(copied), str(copied), copied.differences) == (SpanTreeMismatch, "why", ())


def test_a_message_ends_after_200_lines_and_names_the_file_of_the_rest(spans: SpanCapture) -> None:
    with TRACER.start_as_current_span("run"):
        for number in range(300):
            leaf(f"task:t{number}")
    with pytest.raises(SpanTreeMismatch) as error:
        assert_span_tree(spans, span("run"))
    lines = str(error.value).splitlines()
    assert len(lines) == 200
    assert lines[0] == "300 differences in 1 trace (301 spans)"
    found = re.fullmatch(r"  … (\d+) more lines; all of them are in (.+\.txt)", lines[-1])
    assert found is not None
    file = Path(found[2])
    whole = file.read_text(encoding="utf-8").splitlines()
    file.unlink()
    assert len(whole) == 199 + int(found[1])
    assert whole[:199] == lines[:199]
    assert sum("+ unexpected child" in line for line in whole) == 300


def test_a_tie_is_noted_where_nobody_saw_which_span_came_first(spans: SpanCapture) -> None:
    with TRACER.start_as_current_span("run", start_time=1):
        for name in ("b", "a"):
            TRACER.start_span(name, start_time=5).end(5)
    literal = span("run", span("a"), span("b"))
    with pytest.raises(SpanTreeMismatch, match="b and a started at the same time"):
        assert_span_tree(list(spans.exporter.get_finished_spans()), literal)


# --- how pytest shows it

FAILING = """
    from opentelemetry import trace
    from pytest_otel_spans import assert_span_tree, span

    def test_fails(spans):
        with trace.get_tracer("app").start_as_current_span("run", attributes={"n": 1}):
            pass
        assert_span_tree(spans, span("run", {"n": 2}, span("task")))
"""

SHOWN = [
    '>       assert_span_tree(spans, span("run", {"n": 2}, span("task")))',
    "E       pytest_otel_spans.SpanTreeMismatch: 2 differences in 1 trace (1 span)",
    "E         run",
    "E         │   n  - 2",
    "E         │      + 1",
    "E         └─ task  - missing, expected exactly 1",
]


def test_the_traceback_ends_at_the_callers_line(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(FAILING)
    result = run("--tb=long")
    result.stdout.fnmatch_lines(
        [re.sub(r"([\[\]*?])", "[\\1]", line) for line in SHOWN], consecutive=True
    )
    assert "assertions.py" not in result.stdout.str()


def test_colours_change_no_letter(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(FAILING)
    plain = run("--color=no").stdout.str()
    bright = run("--color=yes").stdout.str()
    assert "\x1b[31m- missing, expected exactly 1\x1b[0m" in bright
    assert "\x1b[32m+ 1\x1b[0m" in bright
    seen = re.sub(r"\x1b\[[\d;]*m", "", bright)
    assert [line for line in seen.splitlines() if line.startswith("E ")] == [
        line for line in plain.splitlines() if line.startswith("E ")
    ]


def test_another_failure_keeps_its_colours(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("def test_fails(): assert '  - a' == '  + b'")
    with_us = run("--color=yes").stdout.str()
    without = run("--color=yes", "-p", "no:otel_spans").stdout.str()
    assert re.findall("^.*E  .*$", with_us, re.MULTILINE)
    assert re.findall("^.*E  .*$", with_us, re.MULTILINE) == re.findall(
        "^.*E  .*$", without, re.MULTILINE
    )


@pytest.mark.parametrize(
    ("line", "painted"),
    [
        (
            "E       x.SpanTreeMismatch: 1 difference",
            "<red bold:E       x.SpanTreeMismatch: 1 difference>",
        ),
        (
            "E       x.SpanSchemaMismatch: 1 deviation from a.yaml",
            "<red bold:E       x.SpanSchemaMismatch: 1 deviation from a.yaml>",
        ),
        ("E         ├─ task:t1  ok", "E         ├─ task:t1  <light:ok>"),
        ("E         ├─ … 41 spans ok", "E         ├─ <light:… 41 spans ok>"),
        ("E         └─ a  ~ expected after b", "E         └─ a  <yellow:~ expected after b>"),
        (
            "E         └─ a  + unexpected  → allow it",
            "E         └─ a  <green:+ unexpected  ><cyan:→ allow it>",
        ),
        ("E         n  - 1", "E         n  <red:- 1>"),
    ],
)
def test_paint_knows_signs_hints_and_what_holds(line: str, painted: str) -> None:
    assert paint(line, lambda text, **style: f"<{' '.join(style)}:{text}>") == painted
