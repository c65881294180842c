"""What can be asked of several spans at once."""

from collections.abc import Callable

import pytest
from opentelemetry import trace

from pytest_otel_spans import Selection, SpanCapture, span
from pytest_otel_spans.matching.path import Selector, select
from pytest_otel_spans.tree import grow

TRACER = trace.get_tracer("tests.selection")
Interval = tuple[str, int, int | None]


@pytest.fixture
def at(spans: SpanCapture) -> Callable[..., SpanCapture]:
    """Capture spans with these names, starts and ends."""

    def capture(*intervals: Interval) -> SpanCapture:
        for name, start, end in intervals:
            one = TRACER.start_span(name, start_time=start)
            if end is not None:
                one.end(end)
        return spans

    return capture


@pytest.fixture
def calls(spans: SpanCapture) -> Selection:
    with TRACER.start_as_current_span("run"):
        for model, cost, tokens in (("a", 0.1, 1), ("b", 0.2, 2), ("a", 0.3, 3)):
            with TRACER.start_as_current_span(f"call:{model}") as call:
                call.set_attributes({"model": model, "cost_usd": cost, "tokens": tokens})
    return spans.all("call:*")


def test_a_selection_counts_and_yields_its_spans_in_start_order(calls: Selection) -> None:
    assert calls.count == len(calls) == 3
    assert [node.name for node in calls] == ["call:a", "call:b", "call:a"]


def test_values_are_those_of_every_span(calls: Selection) -> None:
    assert calls.values("model") == ["a", "b", "a"]


def test_a_sum_of_floats_is_exact_and_of_ints_an_int(calls: Selection) -> None:
    assert calls.sum("cost_usd") == 0.6
    assert (calls.sum("tokens"), type(calls.sum("tokens"))) == (6, int)


def test_a_missing_attribute_fails_with_the_spans_that_lack_it(
    spans: SpanCapture, calls: Selection
) -> None:
    with pytest.raises(AssertionError) as failed:
        spans.all("*").sum("cost_usd")

    assert (
        str(failed.value)
        == f"""\
1 of 4 spans that match '*' has no attribute 'cost_usd':
  run
The attributes of these spans are 'cost_usd', 'model', 'tokens'.

{spans.text()}"""
    )


@pytest.mark.parametrize(("key", "said"), [("model", "'a'"), ("flag", "True")])
def test_what_is_no_number_cannot_be_added_up(spans: SpanCapture, key: str, said: str) -> None:
    TRACER.start_span("call", attributes={"model": "a", "flag": True}).end()

    with pytest.raises(AssertionError, match=f"^call has {key}={said}, which is no number"):
        spans.all("call").sum(key)


def test_each_checks_every_span_and_returns_the_selection(calls: Selection) -> None:
    assert calls.each(span("call:*", {"tokens": int}).ok()) is calls


def test_each_names_the_spans_that_do_not_fit(calls: Selection, spans: SpanCapture) -> None:
    with pytest.raises(AssertionError) as failed:
        calls.each(span("call:*", {"model": "a"}))

    assert (
        str(failed.value)
        == f"""\
1 of 3 spans that match 'call:*' does not fit span('call:*', {{'model': 'a'}}):
  run/call:b
    model  - 'a'
           + 'b'

{spans.text()}"""
    )


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        ("run / cal:a", "; the closest name is 'call:a'."),
        ("run / zzzzz", "."),
        (
            "run/call:b",
            (
                "; the closest name is 'call:b'. A slash without spaces is a part of the name: "
                "separators need spaces, as in 'run / call:b'."
            ),
        ),
        (
            "/run",
            (
                "; the closest name is 'run'. A slash without spaces is a part of the name: "
                "separators need spaces, as in '/ run'."
            ),
        ),
        ("call:b / run", ": 1 span like 'run', none of them a child of 'call:b'."),
        ("call:b // call:a", ": 2 spans like 'call:a', none of them below 'call:b'."),
        ("/ call:a", ": 2 spans like 'call:a', none of them a root."),
        (
            span("call:b", {"model": "z", "cost_usd": float}),
            "; by its name it would be:\n  run/call:b\n    model  - 'z'\n           + 'b'",
        ),
    ],
    ids=[
        "a slip",
        "nothing like it",
        "no spaces",
        "no space after the first slash",
        "a child",
        "a descendant",
        "a root",
        "an attribute",
    ],
)
def test_what_was_not_found_is_explained_by_what_there_is(
    spans: SpanCapture, calls: Selection, selector: Selector, said: str
) -> None:
    with pytest.raises(AssertionError) as failed:
        spans.one(selector)

    assert str(failed.value) == f"0 spans match {selector!r}{said}\n\n{spans.text()}"


def test_a_long_list_of_spans_is_cut(spans: SpanCapture) -> None:
    for _ in range(25):
        TRACER.start_span("a").end()

    with pytest.raises(AssertionError, match=r"a\[19\]\n  … and 5 more\n\n"):
        spans.none("a")


@pytest.mark.parametrize(
    ("ask", "needs"),
    [
        (lambda found: found.each(span("*").ok()), "each"),
        (lambda found: found.sum("cost_usd"), "sum"),
        (lambda found: found.values("cost_usd"), "values"),
        (lambda found: found.max_parallel, "max_parallel"),
        (lambda found: found.before("call:a"), "before"),
        (list, "iteration"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_selection_of_nothing_fails_and_names_the_closest(
    spans: SpanCapture, calls: Selection, ask: Callable[[Selection], object], needs: str
) -> None:
    with pytest.raises(AssertionError) as failed:
        ask(spans.all("cal:*"))

    assert (
        str(failed.value)
        == f"""\
0 spans match 'cal:*'; the closest name is 'call:a'.

{spans.text()}"""
    )


def test_a_selection_of_nothing_counts_zero(spans: SpanCapture) -> None:
    assert spans.all("call:*").count == len(spans.all("call:*")) == 0


@pytest.mark.parametrize(
    ("intervals", "most"),
    [
        pytest.param([("a", 0, 10)], 1, id="one"),
        pytest.param([("a", 0, 10), ("b", 10, 20)], 1, id="touching"),
        pytest.param([("a", 0, 10), ("b", 9, 20)], 2, id="overlapping"),
        pytest.param([("a", 0, 30), ("b", 5, 10), ("c", 10, 20)], 2, id="one over two"),
        pytest.param([("a", 0, 30), ("b", 5, 20), ("c", 10, 15)], 3, id="nested"),
        pytest.param([("a", 5, 5), ("b", 5, 5)], 1, id="a clock that stands"),
        pytest.param([("a", 0, 10), ("b", 5, 5)], 2, id="an instant within"),
        pytest.param([("a", 0, None), ("b", 50, 60)], 2, id="one that never ends"),
        pytest.param([("a", 0, 10), ("b", 0, 10), ("c", 20, 30)], 2, id="and one apart"),
    ],
)
def test_max_parallel_is_the_most_that_ran_at_one_time(
    at: Callable[..., SpanCapture], intervals: list[Interval], most: int
) -> None:
    assert at(*intervals).all("*").max_parallel == most


def test_before_holds_when_all_had_ended(at: Callable[..., SpanCapture]) -> None:
    spans = at(("critique", 0, 10), ("critique", 5, 20), ("revise", 20, 30))

    assert spans.all("critique").before("revise")
    assert spans.all("critique").before(spans.all("revise"))


def test_before_names_the_spans_that_had_not_ended(spans: SpanCapture) -> None:
    TRACER.start_span("critique").end()
    late = TRACER.start_span("critique")
    TRACER.start_span("revise").end()
    late.end()

    with pytest.raises(AssertionError) as failed:
        spans.all("critique").before("revise")

    assert (
        str(failed.value)
        == f"""\
1 of 2 spans that match 'critique' had not ended when revise started:
  critique[1]

{spans.text()}"""
    )


@pytest.mark.parametrize(
    ("early", "late"), [("b", "a"), ("parent", "child"), ("child", "parent"), ("a", "a")]
)
def test_before_goes_by_what_was_seen_where_the_clock_stands(
    at: Callable[..., SpanCapture], early: str, late: str
) -> None:
    spans = at(("a", 7, 7), ("b", 7, 7))
    with TRACER.start_as_current_span("parent", start_time=7, end_on_exit=False) as parent:
        TRACER.start_span("child", start_time=7).end(7)
    parent.end(7)

    assert spans.all("a").before("b")
    with pytest.raises(AssertionError, match=rf"had not ended when (parent/)?{late} "):
        spans.all(early).before(late)


@pytest.mark.parametrize(("start", "holds"), [(6, False), (7, False), (8, True)])
def test_before_goes_by_the_clocks_where_nothing_was_seen(
    spans: SpanCapture, start: int, *, holds: bool
) -> None:
    TRACER.start_span("a", start_time=5).end(7)
    TRACER.start_span("b", start_time=start).end(9)
    forest = grow(spans.exporter.get_finished_spans())
    earlier, later = (
        Selection(selector=name, nodes=tuple(select(forest, name)), forest=forest)
        for name in ("a", "b")
    )

    if holds:
        assert earlier.before(later)
    else:
        with pytest.raises(AssertionError, match="had not ended when b started"):
            earlier.before(later)


def test_before_never_holds_for_a_span_and_those_below_it_by_the_clocks(spans: SpanCapture) -> None:
    with TRACER.start_as_current_span("parent", start_time=1, end_on_exit=False) as parent:
        TRACER.start_span("child", start_time=8).end(9)
    parent.end(2)
    forest = grow(spans.exporter.get_finished_spans())
    above, below = (
        Selection(selector=name, nodes=tuple(select(forest, name)), forest=forest)
        for name in ("parent", "child")
    )

    with pytest.raises(AssertionError, match="had not ended when parent/child started"):
        above.before(below)


def test_before_fails_when_the_other_side_is_empty(at: Callable[..., SpanCapture]) -> None:
    spans = at(("critique", 0, 10))

    with pytest.raises(AssertionError, match=r"^0 spans match 'revise'"):
        spans.all("critique").before("revise")


def test_no_number_selects_a_span(calls: Selection) -> None:
    with pytest.raises(TypeError, match=r"there is no \[0\]: name its parent in the path"):
        _ = calls[0]


@pytest.mark.parametrize("literal", [span("call:a"), [span("call:a"), ...]], ids=repr)
def test_a_literal_is_never_silently_unequal_to_what_was_selected(
    calls: Selection, literal: object
) -> None:
    with pytest.raises(TypeError, match=r"a selection cannot be compared .*assert_span_tree"):
        assert calls != literal
    with pytest.raises(TypeError, match=r"a selection cannot be compared .*each\(span"):
        assert literal == calls


def test_a_pattern_is_never_silently_unequal_to_one_span(calls: Selection) -> None:
    (node, *_) = calls

    with pytest.raises(TypeError, match=r"one span cannot be compared .*assert_span_tree"):
        assert node != span("call:b")
    with pytest.raises(TypeError, match=r"one span cannot be compared .*each\(span"):
        assert span("call:a") == node
    assert calls == calls  # noqa: PLR0124 - it is itself
    assert calls != [node]


def test_spans_of_a_clock_that_stands_still_run_at_the_same_time_as_they_were_seen_to(
    spans: SpanCapture,
) -> None:
    for _ in range(3):
        TRACER.start_span("in turn", start_time=5).end(5)
    together = [TRACER.start_span("together", start_time=5) for _ in range(3)]
    for each in together:
        each.end(5)

    assert spans.all("in turn").max_parallel == 1
    assert spans.all("*").max_parallel == 3
