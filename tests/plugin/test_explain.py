"""The annotated tree: how each kind of difference is told."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_otel_spans import SpanPattern, any_order, one_of, same, span
from pytest_otel_spans.explaining.explain import explain
from pytest_otel_spans.explaining.report import compose
from pytest_otel_spans.matching.match import match_roots
from pytest_otel_spans.patterns.groups import AnyOrder, OneOf
from tests.effort import tried
from tests.plugin.explaining import explained
from tests.plugin.groves import Plant, forest, plant

LEAVES = [plant(name) for name in "abcde"]
R = {"r": same("r")}


def deep(levels: int, leaf: Plant) -> Plant:
    for level in reversed(range(levels)):
        leaf = plant(f"n{level}", plant("beside"), leaf)
    return leaf


def deep_pattern(levels: int, leaf: SpanPattern) -> SpanPattern:
    for level in reversed(range(levels)):
        leaf = span(f"n{level}", "beside", leaf)
    return leaf


# --- in what order they stand


def test_the_fewest_that_must_move_are_named() -> None:
    assert explained(
        [
            plant(
                "run",
                plant("b", start=20),
                plant("c", start=40),
                plant("d", start=60),
                plant("a", start=80),
                start=10,
            )
        ],
        span("run", "a", "b", "c", "d"),
    ) == [
        "run",
        (
            "│   same spans, different order; b had ended when a started → expect them in "
            "this order, or in any_order(...)"
        ),
        "├─ … 3 spans ok",
        "└─ a  ~ expected before b",
    ]


def test_roots_in_another_order() -> None:
    assert explained([plant("b"), plant("a")], span("a"), span("b")) == [
        "b  ~ expected after a",
        "a  ok",
        "same spans, different order; b and a overlapped in time → any_order(...)",
    ]


def test_equal_names_are_told_apart() -> None:
    assert explained(
        [plant("run", plant("a", {"n": 2}), plant("a", {"n": 1}))],
        span("run", span("a", {"n": 1}), span("a", {"n": 2})),
    ) == [
        "run",
        "│   same spans, different order; a[0] and a[1] overlapped in time → any_order(...)",
        "├─ a  ~ expected after a[1]",
        "└─ a  ok",
    ]


def test_alternatives_of_several_spans_are_not_mixed() -> None:
    assert explained(
        [plant("r", plant("cache_hit"), plant("db"))],
        span("r", one_of(any_order("cache_hit", "touch"), any_order("cache_miss", "db"))),
    ) == [
        "r",
        "│   of the alternatives this comes closest: any_order(span('cache_hit'), span('touch'))",
        "├─ cache_hit  ok",
        "├─ touch      - missing, expected exactly 1",
        '└─ db         + unexpected child  → allow it with `...` or span("db").optional()',
    ]


def test_an_alternative_with_a_count_is_compared_as_a_whole() -> None:
    assert explained([plant("r", plant("a"))], span("r", one_of("b", span("a").times(2)))) == [
        "r",
        "│   of the alternatives this comes closest: span('a').times(2)",
        "├─ a  ok",
        "└─ a  - found 1, expected exactly 2",
    ]


@pytest.mark.parametrize("other", ["task:t2", "task:mug", "task:t1:retry"])
def test_another_number_and_another_word_are_no_slip_of_the_keyboard(other: str) -> None:
    lines = explained([plant("run", plant("task:t1"))], span("run", "task:t1", other))
    assert not any("did you mean" in line for line in lines)


@pytest.mark.parametrize("slip", ["tsak:t1", "Task:t1", "TASK:T1", "tassk:t1"])
def test_letters_in_another_place_or_case_are_a_slip_of_the_keyboard(slip: str) -> None:
    lines = explained([plant("run", plant("task:t1"))], span("run", slip))
    assert any("did you mean 'task:t1'" in line for line in lines)


def test_a_letter_that_is_wrong_is_a_slip_of_the_keyboard() -> None:
    lines = explained([plant("run", plant("task:t1"))], span("run", "task:t1", "tasc:t1"))
    assert any("did you mean 'task:t1'" in line for line in lines)


# --- how much of it is shown


def test_what_holds_is_folded() -> None:
    assert explained(
        [plant("run", *(plant(f"t{n}", *LEAVES) for n in range(5)))],
        span("run", *(span(f"t{n}", *("abcde" if n != 2 else "abxde")) for n in range(5))),
    ) == [
        "run",
        "├─ t0    ok, with 5 spans below",
        "├─ t1    ok, with 5 spans below",
        "├─ t2",
        "│  ├─ a  ok",
        "│  ├─ b  ok",
        "│  ├─ x  - missing, expected exactly 1",
        '│  ├─ c  + unexpected child  → allow it with `...` or span("c").optional()',
        "│  ├─ d  ok",
        "│  └─ e  ok",
        "├─ t3    ok, with 5 spans below",
        "└─ t4    ok, with 5 spans below",
    ]


def test_a_long_way_down_is_cut_short() -> None:
    assert explained(
        [deep(20, plant("leaf", {"n": 1}))], deep_pattern(20, span("leaf", {"n": 2}))
    ) == [
        "n0",
        "├─ beside        ok",
        "└─ … 18 levels, 18 spans ok",
        "   └─ n19",
        "      ├─ beside  ok",
        "      └─ leaf",
        "             n  - 2",
        "                + 1",
    ]


def test_several_values_of_one_label() -> None:
    assert explained(
        [
            plant(
                "run", {"r": 1}, plant("a", {"r": 1}), plant("b", {"r": 2}), plant("c", {"r": "1"})
            )
        ],
        span("run", R, span("a", R), span("b", R), span("c", R)),
    ) == [
        "run",
        "├─ a  ok",
        "├─ b",
        "│      r  - same('r'), elsewhere 1",
        "│         + 2",
        "└─ c",
        "       r  - same('r'), elsewhere 1",
        "          + '1'",
        "same('r') has 3 values:",
        "  1 at run (r), run/a (r)",
        "  2 at run/b (r)",
        "  '1' at run/c (r)",
    ]


# --- how long it takes, and how long it gets


def test_a_chain_of_20_000_is_explained() -> None:
    grown, pattern = plant("n19999", {"n": 1}), span("n19999", {"n": 2})
    for level in reversed(range(19_999)):
        grown, pattern = plant(f"n{level}", grown), span(f"n{level}", pattern)
    assert explained([grown], pattern) == [
        "n0",
        "└─ … 19,997 levels",
        "   └─ n19998",
        "      └─ n19999",
        "             n  - 2",
        "                + 1",
    ]


def test_a_wrong_leaf_among_20_000_spans_is_all_that_is_told() -> None:
    grown = plant("run", *(plant("task", plant("llm", {"n": n})) for n in range(10_000)))
    literal = span("run", *(span("task", span("llm", {"n": n})) for n in range(9_999)), "tasc")
    outcome = match_roots(forest(grown), [literal])
    explanation = explain(outcome)
    assert [one.what for one in explanation.findings] == ["missing", "unexpected"]
    assert len(explanation.lines) < 10


def test_where_all_is_wrong_the_search_ends_and_the_header_says_so() -> None:
    grown = plant("run", *(plant("task", plant("llm")) for _ in range(3_000)))
    literal = span("run", *(span("task", "lln") for _ in range(3_000)))
    outcome = match_roots(forest(grown), [literal])
    explanation = explain(outcome)
    assert not explanation.is_complete
    assert any("its children were not looked into" in line for line in explanation.lines)
    message = compose(outcome, explanation, why_empty="", notes=())
    Path(message.rpartition(" ")[2]).unlink()
    assert message.startswith("at least 4,000 differences in 1 trace (6,001 spans)")


# --- whatever happens


NAMES = st.sampled_from(["a", "b", "task:1", "task:*"])
PLANTS = st.recursive(
    st.builds(plant, NAMES, st.dictionaries(NAMES, st.integers(0, 1), max_size=1)),
    lambda below: st.builds(lambda name, some: plant(name, *some), NAMES, st.lists(below)),
    max_leaves=8,
)


def groups(
    below: st.SearchStrategy[SpanPattern],
) -> st.SearchStrategy[AnyOrder[SpanPattern] | OneOf[SpanPattern]]:
    mixed = st.builds(lambda some: any_order(*some), st.lists(below, max_size=3))
    either = st.lists(below | mixed, min_size=1, max_size=3)
    return mixed | st.builds(lambda some: one_of(*some), either)


PATTERNS = st.recursive(
    st.builds(span, NAMES, st.dictionaries(NAMES, st.integers(0, 1) | st.just(same("x")))),
    lambda below: st.builds(
        lambda name, facts, some, verb: verb(span(name, facts, *some)),
        NAMES,
        st.dictionaries(NAMES, st.integers(0, 1), max_size=1),
        st.lists(below | st.just(...) | groups(below)),
        st.sampled_from(
            [
                lambda one: one,
                lambda one: one.at_least(2),
                lambda one: one.times(0),
                lambda one: one.times(2),
                lambda one: one.optional(),
                lambda one: one.descendant("b"),
                lambda one: one.never("a"),
            ]
        ),
    ),
    max_leaves=6,
)


@tried()
@given(plants=st.lists(PLANTS, max_size=3), roots=st.lists(PATTERNS, max_size=3))
def test_every_failure_has_an_explanation(plants: list[Plant], roots: list[SpanPattern]) -> None:
    outcome = match_roots(forest(*plants), roots)
    if not outcome.holds:
        explanation = explain(outcome)
        assert explanation.findings
        assert explanation.lines
