"""What holds, and yet says less than it seems to."""

import pytest

from pytest_otel_spans import any_order, maybe, never, same, span
from pytest_otel_spans.explaining.hints import hints
from pytest_otel_spans.matching.match import match_roots
from pytest_otel_spans.patterns.expected import ChildPart
from tests.plugin.groves import Plant, forest, plant

RUN = plant("run", {"id": 7}, plant("task:t2", {"id": 7}, plant("remediation")), plant("last"))
ID = {"id": same("run")}


def hinted(tree: Plant, *roots: ChildPart) -> list[str]:
    outcome = match_roots(forest(tree), roots)
    assert outcome.holds
    return list(hints(outcome))


def lonely(place: str) -> str:
    return (
        f"same('run') is the same as nothing: it stands in one place only, {place}; "
        "let it stand in another place too, or expect a type"
    )


@pytest.mark.parametrize(
    "expected",
    [
        span("run", never("remediaton"), ...),
        span("run", span("task:*", never("remediaton"), ...), ...),
        span("run", any_order(span("task:*", ...).never("remediaton"), "last")),
        span("run").descendant(span("task:*").never("remediaton")),
    ],
)
def test_a_never_that_is_misspelt_is_told_wherever_it_stands(expected: ChildPart) -> None:
    assert hinted(RUN, expected) == [
        "no span is named 'remediaton', which must never be: did you mean 'remediation'?"
    ]


@pytest.mark.parametrize("name", ["task:t1", "policy_violation", "task:*"])
def test_a_never_that_does_its_work_is_not_told(name: str) -> None:
    tree = plant("run", plant("remediation")) if name == "task:*" else RUN
    assert hinted(tree, span("run", ...), never(name)) == []


def test_a_label_in_one_place_is_told_with_the_place() -> None:
    assert hinted(RUN, span("run", ID, ...)) == [lonely("run (id)")]
    assert hinted(RUN, span("run", ...).descendant(span("task:*", ID))) == [
        lonely("run/task:t2 (id)")
    ]


@pytest.mark.parametrize(
    "expected",
    [
        span("run", ID, span("task:t2", ID, ...), ...),
        span("run", ID, never(span("other", ID)), ...),
        span("run", {"id": maybe(same("run"))}, span("task:*", ID, ...).at_least(1), ...),
        span("run", span("llm_call", ID).optional(), ...),
    ],
)
def test_a_label_that_is_compared_or_nowhere_is_not_told(expected: ChildPart) -> None:
    assert hinted(RUN, expected) == []
