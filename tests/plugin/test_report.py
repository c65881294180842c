"""The notes at the end of a message."""

from pytest_otel_spans import any_order, never, same, span
from pytest_otel_spans.explaining.explain import explain
from pytest_otel_spans.explaining.report import compose
from pytest_otel_spans.matching.match import match_roots
from pytest_otel_spans.tree import grow
from tests.plugin.groves import context, finished, forest, plant


def test_the_notes_tell_what_is_odd_about_the_spans() -> None:
    seen = [
        finished("run", context(1, 1), context(1, 9), start=5),
        finished("run", context(2, 2), start=5),
        *(finished(f"open:{n}", context(n, n), start=n, ended=False) for n in range(6, 10)),
    ]
    outcome = match_roots(grow(seen), [span("run"), never("runs")])
    message = compose(outcome, explain(outcome), why_empty="", notes=["a note of the capture"])
    assert message.splitlines()[-6:] == [
        "notes:",
        "  4 spans never ended (open:6, open:7, open:8, …)",
        "  1 root with a parent that was not captured",
        (
            "  some siblings started at the same time, and nobody saw which came first: "
            "they stand in the order in which they arrived"
        ),
        "  no span is named 'runs', which must never be: did you mean 'run'?",
        "  a note of the capture",
    ]


def test_a_search_that_gave_up_is_noted() -> None:
    size = 9
    produced = [plant("p", {"id": n}) for n in range(size)]
    consumed = [plant("c", {"id": max(n, 1)}) for n in range(size)]
    ids = [{"id": same(f"message {n}")} for n in range(size)]
    patterns = [span(name, facts) for facts in ids for name in ("p", "c")]
    outcome = match_roots(
        forest(plant("a", *produced, *consumed)), [span("a", any_order(*patterns))]
    )
    assert outcome.gave_up
    message = compose(outcome, explain(outcome), why_empty="", notes=())
    assert "gave up after 1,000 trials" in message
