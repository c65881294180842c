"""The cases that must hold, each by its number; what a person reads is kept in `messages/`.

A change of wording fails the test that has it. With REWRITE_MESSAGES=1 in the environment this
file's tests write the messages anew, by hand only: then read the diff as a person would whose own
test failed.
Rows 2 and 5 pass and have no message. How the files of rows 14 and 15 are written and read is in
test_snapshot.py.
"""

import difflib
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from opentelemetry import trace
from opentelemetry.util.types import AnyValue

from pytest_otel_spans import (
    SpanCapture,
    SpanTreeMismatch,
    any_order,
    assert_span_tree,
    never,
    same,
    span,
)
from pytest_otel_spans.matching.match import match_roots
from pytest_otel_spans.snapshots.lock import Terms, Told
from pytest_otel_spans.snapshots.parse import SnapshotSyntaxError, parse_rows
from pytest_otel_spans.sources import source_of
from pytest_otel_spans.tree import grow
from tests.plugin.groves import plant, spans_of

TRACER = trace.get_tracer(__name__)
MESSAGES = Path(__file__).with_name("messages")
inside = TRACER.start_as_current_span


def leaf(name: str, **attributes: AnyValue) -> None:
    with inside(name, attributes=attributes):
        pass


def told(case: str, error: pytest.ExceptionInfo[Exception]) -> str:
    """Return the message, after a comparison with the one that was reviewed."""
    name = f"{error.type.__name__}: " if error.type is not AssertionError else ""
    return assert_reviewed(case, f"{name}{error.value}")


def assert_reviewed(case: str, message: str) -> str:
    file = MESSAGES / f"{case}.txt"
    if os.environ.get("REWRITE_MESSAGES"):
        file.write_text(f"{message}\n", encoding="utf-8")
    assert f"{message}\n" == file.read_text(encoding="utf-8")
    return message


def test_case_01_two_patterns_do_not_share_a_span(spans: SpanCapture) -> None:
    with inside("a"):
        leaf("x")
        leaf("y")
    with pytest.raises(SpanTreeMismatch) as error:
        assert_span_tree(spans, span("a", any_order(span("x"), span("x"))))
    message = told("case_01", error)
    assert "missing" in message
    assert "unexpected" in message
    assert "y" in message


@pytest.mark.parametrize("order", [("task:t1", "task:t2"), ("task:t2", "task:t1")])
def test_case_02_an_assignment_is_found_whatever_the_order(
    spans: SpanCapture, order: tuple[str, str]
) -> None:
    with inside("a"):
        for name in order:
            leaf(name)
    assert_span_tree(spans, span("a", any_order(span("task:*"), span("task:t1"))))
    assert_span_tree(spans, span("a", any_order(span("task:t1"), span("task:*"))))


def test_case_03_a_span_under_another_parent_is_moved(spans: SpanCapture) -> None:
    with inside("run_project"):
        with inside("task:t1"):
            leaf("llm_call", model="a")
            leaf("llm_call", model="b")
        leaf("task:t2")
    with pytest.raises(SpanTreeMismatch) as error:
        assert_span_tree(
            spans,
            span(
                "run_project",
                span("task:t1", span("llm_call", {"model": "a"})),
                span("task:t2", span("llm_call", {"model": "b"})),
            ),
        )
    message = told("case_03", error)
    assert "moved" in message
    assert "run_project/task:t1/llm_call[1]" in message
    assert "run_project/task:t2" in message


def test_case_04_the_inserted_span_is_the_unexpected_one(spans: SpanCapture) -> None:
    with inside("task:t1"):
        leaf("policy_check")
        leaf("llm_call")
    with pytest.raises(SpanTreeMismatch) as error:
        assert_span_tree(spans, span("task:t1", span("llm_call")))
    message = told("case_04", error)
    assert "policy_check  + unexpected child" in message
    assert "`...`" in message
    (difference,) = error.value.differences
    assert (difference.what, difference.path) == ("unexpected", "task:t1/policy_check")


def test_case_05_a_frozen_clock_changes_nothing(spans: SpanCapture) -> None:
    run = plant("run", plant("task", plant("llm_call"), start=7), plant("last", start=7), start=7)
    frozen = list(spans_of([run]))
    for _ in range(100):
        assert_span_tree(
            frozen[::-1],
            span("run", any_order(span("task", span("llm_call")), span("last"))),
        )
    with inside("run", start_time=7) as root:
        with inside("task", start_time=7) as task:
            task.end(7)
        root.end(7)
    texts = set()
    for _ in range(100):
        assert_span_tree(spans, span("run", span("task")))
        texts.add(spans.text())
    assert texts == {"run\n└─ task"}


def test_case_06_overlapping_siblings_in_another_order(spans: SpanCapture) -> None:
    with inside("run_project"):
        second, first = TRACER.start_span("task:t2"), TRACER.start_span("task:t1")
        first.end()
        second.end()
    with pytest.raises(SpanTreeMismatch) as error:
        assert_span_tree(spans, span("run_project", span("task:t1"), span("task:t2")))
    message = told("case_06", error)
    assert "same spans, different order" in message
    assert "overlapped" in message
    assert "any_order" in message


def test_case_07_never_names_its_culprit_however_deep(spans: SpanCapture) -> None:
    with inside("run_project"):
        leaf("decompose")
        with inside("task:t1"), inside("llm_call"):
            leaf("remediation")
    with pytest.raises(SpanTreeMismatch) as error:
        assert_span_tree(spans, span("run_project", never("remediation"), ...))
    assert "run_project/task:t1/llm_call/remediation" in told("case_07", error)


def test_case_07_a_misspelt_never_is_noted(spans: SpanCapture) -> None:
    with inside("run_project"):
        leaf("remediation")
    match = assert_span_tree(spans, span("run_project", never("remediaton"), ...))
    assert "did you mean 'remediation'" in " ".join(match.notes)


def test_case_08_a_selection_of_nothing_proves_nothing(spans: SpanCapture) -> None:
    leaf("task:t1")
    with pytest.raises(AssertionError) as error:
        spans.all("tsk:*").each(span("*").ok())
    message = told("case_08_selection", error)
    assert "0 spans match" in message
    assert "'task:t1'" in message


@pytest.mark.parametrize(
    "literal",
    [span("run_project"), span("run_project").optional(), ..., never("remediation")],
    ids=["literal", "optional", "open", "never"],
)
def test_case_08_nothing_passes_without_a_span(spans: SpanCapture, literal: Any) -> None:
    with pytest.raises(SpanTreeMismatch, match="No span was captured: none was started"):
        assert_span_tree(spans, literal)


def test_case_08_an_empty_capture_says_why(spans: SpanCapture) -> None:
    with pytest.raises(SpanTreeMismatch) as error:
        assert_span_tree(spans, span("run_project", span("task:t1")))
    told("case_08_empty", error)


def test_case_09_a_thread_without_context(spans: SpanCapture) -> None:
    with inside("run_project"), ThreadPoolExecutor(1, thread_name_prefix="worker") as pool:
        leaf("task:t1")
        pool.submit(leaf, "task:t2").result()
    with pytest.raises(SpanTreeMismatch) as error:
        assert_span_tree(spans, span("run_project", span("task:t1"), span("task:t2")))
    message = told("case_09", error)
    assert "root of trace 2" in message
    assert "'worker_0'" in message
    assert "context was not propagated" in message


async def test_case_10_a_generator_left_early_leaks_its_span(spans: SpanCapture) -> None:
    async def chunks() -> AsyncIterator[int]:
        with inside("gen"):
            for number in range(3):
                yield number

    with inside("run_project"):
        generator = chunks()
        async for _ in generator:
            break
        leaf("next")
    with pytest.raises(SpanTreeMismatch) as error:
        assert_span_tree(spans, span("run_project", span("gen"), span("next")))
    message = told("case_10", error)
    assert "expected parent: run_project, actual parent: gen" in message
    assert "gen leaked" in message


def test_case_11_a_span_that_never_ends(spans: SpanCapture) -> None:
    stream = TRACER.start_span("stream:openai")
    with trace.use_span(stream):
        leaf("chunk")
    with pytest.raises(SpanTreeMismatch) as error:
        assert_span_tree(spans, span("stream:openai", span("chunk")))
    message = told("case_11", error)
    assert "(never ended)" in message
    assert "chunk" in message
    assert_span_tree(spans, span("stream:openai", span("chunk")).unfinished())


def test_case_12_a_value_of_another_type(spans: SpanCapture) -> None:
    leaf("call", flag=True, ratio=1.0)
    with pytest.raises(SpanTreeMismatch) as error:
        assert_span_tree(spans, span("call", {"flag": 1, "ratio": 1, "x": None}))
    message = told("case_12", error)
    for said in ("1 (int)", "True (bool)", "1.0 (float)", "None", "absent"):
        assert said in message


FORTY_SPANS = """
    from opentelemetry import trace
    from pytest_otel_spans import assert_span_tree, span

    def test_forty(spans):
        tracer = trace.get_tracer("app")
        with tracer.start_as_current_span("run_project"):
            for number in range(39):
                tracer.start_span(f"task:t{number}", attributes={"number": number}).end()
        assert_span_tree(
            spans,
            span("run_project", *(span(f"task:t{n}", {"number": -n}) for n in range(39))),
        )
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_case_13_a_failure_is_shown_whole(
    pytester: pytest.Pytester,
    run: Callable[..., pytest.RunResult],
    monkeypatch: pytest.MonkeyPatch,
    workers: str,
) -> None:
    monkeypatch.delenv("CI", raising=False)
    pytester.makepyfile(FORTY_SPANS)

    result = run("-n", workers, "--junitxml=junit.xml", plugins=["xdist"])

    failure = ET.parse(pytester.path / "junit.xml").find(".//failure")
    assert failure is not None
    assert failure.text is not None
    for text in (result.stdout.str(), failure.text):
        assert "output truncated" not in text
        assert "SpanTreeMismatch: 38 differences in 1 trace (40 spans)" in text
        for number in range(1, 39):
            assert f"├─ task:t{number}\n" in text or f"└─ task:t{number}\n" in text
            assert f"number  - -{number}\n" in text
            assert f"+ {number}\n" in text
    result.stdout.fnmatch_lines(["*>       assert_span_tree(*"])
    assert "pytest_otel_spans/assertions.py" not in result.stdout.str()


def test_case_13_the_message_of_forty_spans(spans: SpanCapture) -> None:
    with inside("run_project"):
        for number in range(39):
            leaf(f"task:t{number}", number=number)
    expected = [span(f"task:t{n}", {"number": -n}) for n in range(39)]
    with pytest.raises(SpanTreeMismatch) as error:
        assert_span_tree(spans, span("run_project", *expected))
    told("case_13", error)


def run_project(model: str = "gpt-4o", *, checked: bool = False, settled: bool = False) -> None:
    with inside("run_project"):
        for number in range(3):
            with inside(f"task:t{number}"):
                if checked and number == 1:
                    leaf("policy_check", passed=True)
                leaf("llm_call", model=model if number == 2 else "gpt-4o")
        if settled:
            leaf("settle")


CHANGES: dict[str, dict[str, Any]] = {
    "a_last_sibling": {"settled": True},
    "a_leaf_in_the_middle": {"checked": True},
    "one_attribute": {"model": "gpt-4o-mini"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_case_14_a_snapshot_shows_what_changed_and_is_updated(
    spans: SpanCapture, change: str
) -> None:
    run_project()
    snapshot = Told(source_of(spans), Terms()).text()
    spans.clear()
    run_project(**CHANGES[change])
    now = Told(source_of(spans), Terms())

    assert not now.agrees_with(parse_rows(snapshot))
    assert_reviewed(f"case_14_{change}", now.explanation())
    diff = difflib.unified_diff(snapshot.splitlines(), now.text().splitlines(), n=0, lineterm="")
    assert_reviewed(f"case_14_{change}_diff", "\n".join([*diff][2:]))


def test_case_15_a_corrupt_snapshot_is_named_by_its_line() -> None:
    with pytest.raises(SnapshotSyntaxError) as error:
        parse_rows("# spans v1\nrun\n    n = <number>\n", "__snapshots__/test_run.spans")
    assert "cannot parse line 3" in told("case_15", error)


def test_case_15_a_wildcard_typed_by_hand_survives_an_update(spans: SpanCapture) -> None:
    run_project("gpt-5")
    typed = {0: '"gpt-4"', 1: '"gpt-4"', 2: "<any>"}
    by_hand = "# spans v1\nrun_project\n" + "".join(
        f"  task:t{number}\n    llm_call\n        model = {value}\n"
        for number, value in typed.items()
    )
    now = Told(source_of(spans), Terms())

    assert not now.agrees_with(parse_rows(by_hand))
    assert now.text().count("model = <any>") == 1
    assert now.text().count('model = "gpt-4o"') == 2
    assert now.agrees_with(parse_rows(now.text()))


def test_case_16_one_span_with_another_run_id(spans: SpanCapture) -> None:
    with inside("run_project", attributes={"run_id": "r1"}):
        leaf("task:t1", run_id="r1")
        leaf("task:t2", run_id="r2")
    run_id = {"run_id": same("rid")}
    with pytest.raises(SpanTreeMismatch) as error:
        assert_span_tree(
            spans,
            span("run_project", run_id, span("task:t1", run_id), span("task:t2", run_id)),
        )
    message = told("case_16", error)
    for said in ("same('rid')", "'r1'", "'r2'", "run_project/task:t1", "run_project/task:t2"):
        assert said in message


def test_every_message_has_its_case() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    changes = {f"case_14_{change}{end}" for change in CHANGES for end in ("", "_diff")}
    files = {file.stem for file in MESSAGES.glob("*.txt")}
    assert {name for name in files if f'told("{name}"' not in source} == changes


def test_lists_and_exporters_match_as_captures_do(spans: SpanCapture) -> None:
    with inside("run_project"):
        leaf("task:t1")
    literal = span("run_project", span("task:t1"))
    finished = spans.exporter.get_finished_spans()
    assert match_roots(grow(finished), [literal]).holds
    assert_span_tree(spans, literal)
    assert_span_tree(spans.exporter, literal)
    assert_span_tree(list(finished), literal)
