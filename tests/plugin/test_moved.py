"""What is told of a span that stands elsewhere: where, and how that came about."""

from opentelemetry.sdk.trace import ReadableSpan

from pytest_otel_spans import span
from pytest_otel_spans.explaining.explain import explain
from pytest_otel_spans.matching.match import match_roots
from pytest_otel_spans.tree import Sighting, grow
from tests.plugin.explaining import explained
from tests.plugin.groves import context, finished, plant


def test_under_a_sibling() -> None:
    assert explained(
        [plant("run", plant("a", plant("x")), plant("b"))], span("run", "a", span("b", "x"))
    ) == [
        "run",
        "├─ a",
        "│  └─ x  + expected under run/b",
        "└─ b",
        "   └─ x  - missing here",
        "          ↳ moved: an equal span is run/a/x, expected under run/b",
        "            a was the current span when it started",
    ]


def test_higher_than_expected() -> None:
    assert explained([plant("run", plant("a"), plant("x"))], span("run", span("a", "x"))) == [
        "run",
        "├─ a",
        "│  └─ x  - missing here",
        "│         ↳ moved: an equal span is run/x, expected under run/a",
        "│           a was not the current span when it started",
        "└─ x     + expected under run/a",
    ]


def test_below_its_sibling() -> None:
    assert explained([plant("run", plant("a", plant("x")))], span("run", "a", "x")) == [
        "run",
        "├─ a",
        "│  └─ x  + expected under run",
        "└─ x     - missing here",
        "       ↳ moved: an equal span is run/a/x, expected under run",
        (
            "         expected parent: run, actual parent: a, which was open and current "
            "when it started"
        ),
        "         → expect it under a; or, if a should have been over by then, it leaked:",
        (
            "           close the generator that opened it when it is left early "
            "(contextlib.closing, aclosing),"
        ),
        "           or detach the token that attached it",
    ]


def test_two_of_three_for_one_reason() -> None:
    assert explained([plant("run"), plant("t"), plant("t")], span("run", span("t").times(3))) == [
        "run",
        "└─ t  - missing, expected exactly 3",
        "       ↳ moved: an equal span is the root of trace 2, expected under run",
        "         it started with no current span, though on the thread of run",
        (
            "         → make run current (start_as_current_span, trace.use_span), or pass "
            "context=..."
        ),
        (
            "       ↳ moved: an equal span is the root of trace 3, expected under run (for "
            "the same reason)"
        ),
        "t     + root of trace 2, expected under run",
        "t     + root of trace 3, expected under run",
    ]


def test_what_moved_takes_with_it_what_stands_below() -> None:
    assert explained(
        [plant("run", plant("a")), plant("task", plant("llm"))],
        span("run", span("a", "llm"), span("task", "llm")),
    ) == [
        "run",
        "├─ a",
        "│  └─ llm  - missing, expected exactly 1",
        "└─ task    - missing here",
        "       ↳ moved: an equal span is the root of trace 2, expected under run",
        "         it started with no current span, though on the thread of run",
        "         → make run current (start_as_current_span, trace.use_span), or pass context=...",
        "task       + root of trace 2, expected under run",
    ]


def test_under_a_span_instead_of_a_root() -> None:
    assert explained([plant("run", plant("job"))], span("run"), span("job")) == [
        "run",
        "└─ job  + expected as a root",
        "job     - missing here",
        "    ↳ moved: an equal span is run/job, expected as a root",
        (
            "      expected parent: none, actual parent: run, which was open and current "
            "when it started"
        ),
        "      → expect it under run; or, if run should have been over by then, it leaked:",
        (
            "        close the generator that opened it when it is left early "
            "(contextlib.closing, aclosing),"
        ),
        "        or detach the token that attached it",
    ]


def test_out_of_order_where_something_else_is_wrong_too() -> None:
    assert explained(
        [plant("run", plant("c"), plant("a", {"n": 1}), plant("b"))],
        span("run", span("a", {"n": 2}), "b", "c"),
    ) == [
        "run",
        "├─ c  + expected in another place",
        "├─ a",
        "│      n  - 2",
        "│         + 1",
        "├─ b  ok",
        "└─ c  - missing here",
        "       ↳ it stands there, but out of order",
        "         → any_order(...) if the order means nothing",
    ]


def moved(
    parent: ReadableSpan, child: ReadableSpan, *, threads: tuple[str, str] = ("main", "main")
) -> str:
    """Explain why a child is no child of its parent."""
    seen = [Sighting(one, at, threads[at]) for at, one in enumerate((parent, child))]
    lines = explain(match_roots(grow(seen), [span("run", "job")])).lines
    at = next(at for at, line in enumerate(lines) if "moved" in line)
    return " ".join(line.strip() for line in lines[at + 1 : at + 4] if "expected under" not in line)


def test_a_root_whose_parent_is_elsewhere_or_lost() -> None:
    run = finished("run", context(1, 1), start=1)
    far = finished("job", context(2, 2), context(2, 9, remote=True), start=2)
    lost = finished("job", context(2, 2), context(2, 9), start=2)
    assert moved(run, far) == "its parent is in another process"
    assert moved(run, lost) == "its parent is a span that was not captured"


def test_a_root_that_came_too_late() -> None:
    run = finished("run", context(1, 1), start=1)
    job = finished("job", context(2, 2), start=50)
    assert moved(run, job) == "it started with no current span: run had ended before"


def test_a_root_on_another_thread() -> None:
    run = finished("run", context(1, 1), start=1)
    job = finished("job", context(2, 2), start=2)
    assert moved(run, job, threads=("main", "worker")) == (
        "it started on thread 'worker' with no current span: "
        "context was not propagated → run it by contextvars.copy_context().run, "
        "or use opentelemetry-instrumentation-threading"
    )


def test_a_root_that_nobody_saw_start() -> None:
    spans = [finished("run", context(1, 1), start=1), finished("job", context(2, 2), start=2)]
    lines = explain(match_roots(grow(spans), [span("run", "job")])).lines
    assert any(line.endswith("it started with no current span:") for line in lines)


def test_a_span_whose_parent_had_ended_hangs_higher() -> None:
    seen = [
        finished("run", context(1, 1), start=1),
        finished("a", context(1, 2), context(1, 1), start=2),
        finished("job", context(1, 3), context(1, 1), start=50),
    ]
    lines = explain(match_roots(grow(seen), [span("run", span("a", "job"))])).lines
    assert any("a was not the current span when it started: it had ended" in line for line in lines)


def test_a_span_under_one_that_had_ended_shows_a_leak() -> None:
    seen = [
        finished("run", context(1, 1), start=1),
        finished("a", context(1, 2), context(1, 1), start=2),
        finished("job", context(1, 3), context(1, 2), start=50),
    ]
    lines = explain(match_roots(grow(seen), [span("run", "a", "job")])).lines
    assert any("a leaked: it had ended, and was still the current span" in line for line in lines)


def test_what_was_seen_to_end_had_ended_whatever_the_clock_says() -> None:
    run, job = finished("run", context(1, 1), start=1), finished("job", context(2, 2), start=1)

    def why(end: int) -> str:
        seen = [Sighting(run, 0, "main", end), Sighting(job, 2, "main", 3)]
        return "\n".join(explain(match_roots(grow(seen), [span("run", "job")])).lines)

    assert "run had ended before" in why(1)
    assert "had ended" not in why(4)


def test_the_order_of_spans_that_were_seen_is_chance_only_where_they_overlapped() -> None:
    one, two = finished("a", context(1, 1), start=1), finished("b", context(2, 2), start=1)

    def why(end: int) -> str:
        seen = [Sighting(one, 0, "main", end), Sighting(two, 2, "main", 3)]
        return "\n".join(explain(match_roots(grow(seen), ["b", "a"])).lines)

    assert "a had ended when b started" in why(1)
    assert "a and b overlapped in time" in why(4)
