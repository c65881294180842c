"""Verdicts: what a literal means, case by case."""

import re
from collections.abc import Sequence

import pytest
from opentelemetry.trace import SpanKind

from pytest_otel_spans.matching.binding import Place
from pytest_otel_spans.matching.match import Outcome, match_roots, own_differences
from pytest_otel_spans.patterns.pattern import ChildPart, any_order, literal, never, one_of, span
from pytest_otel_spans.patterns.words import absent, json_value, maybe, same
from pytest_otel_spans.tree import Forest, Sighting, grow
from tests.plugin.groves import Plant, context, finished, forest, plant


def match(plants: Sequence[Plant], *roots: ChildPart) -> Outcome:
    return match_roots(forest(*plants), roots)


def holds(one: Plant, *roots: ChildPart) -> bool:
    return match([one], *roots).holds


RUN = plant("run", plant("task:t1", plant("llm", {"n": 1})), plant("task:t2", plant("llm")))


# --- the contract's table


def test_case_01_one_span_satisfies_one_pattern() -> None:
    assert not holds(plant("a", plant("x"), plant("y")), span("a", any_order("x", "x")))


@pytest.mark.parametrize("order", [("t1", "t2"), ("t2", "t1")])
def test_case_02_any_order_finds_the_assignment_that_greed_misses(order: tuple[str, str]) -> None:
    one = plant("a", *(plant(f"task:{name}") for name in order))
    assert holds(one, span("a", any_order("task:*", "task:t1")))
    assert holds(one, span("a", any_order("task:t1", "task:*")))


def test_case_03_a_span_under_another_parent_is_another_tree() -> None:
    moved = plant("run", plant("task:t1", plant("llm"), plant("llm")), plant("task:t2"))
    expected = span("run", span("task:t1", "llm"), span("task:t2", "llm"))
    assert holds(RUN, expected)
    assert not holds(moved, expected)


def test_case_04_children_given_are_all_the_children() -> None:
    one = plant("task", plant("policy_check"), plant("llm"))
    assert not holds(one, span("task", "llm"))
    assert holds(one, span("task", "llm", ...))
    assert holds(one, span("task", span("policy_check").optional(), "llm"))


def test_case_05_a_frozen_clock_changes_nothing() -> None:
    spans = [
        finished("grandchild", context(1, 3), context(1, 2)),
        finished("child", context(1, 2), context(1, 1)),
        finished("root", context(1, 1)),
    ]
    for _ in range(100):
        assert match_roots(grow(spans), [span("root", span("child", "grandchild"))]).holds


def test_case_06_a_list_has_an_order() -> None:
    assert not holds(RUN, span("run", span("task:t2", ...), span("task:t1", ...)))
    assert holds(RUN, span("run", any_order(span("task:t2", ...), span("task:t1", ...))))


def test_case_07_never_looks_at_everything_below() -> None:
    deep = plant("run", plant("a", plant("b", plant("remediation"))))
    assert not holds(deep, span("run", never("remediation"), ...))
    assert not holds(deep, span("run", ...), never("remediation"))


def test_case_08_an_empty_forest_holds_no_span() -> None:
    assert not match([], span("run")).holds
    assert not match([], any_order("run")).holds


def test_case_09_a_root_too_many_is_unexpected() -> None:
    assert not match([plant("run"), plant("task")], span("run", "task")).holds
    assert not match([plant("run"), plant("task")], "run").holds
    assert match([plant("run"), plant("task")], "run", ...).holds


def test_case_10_a_leaked_parent_is_another_tree() -> None:
    leaked = plant("run", plant("gen", plant("next")))
    assert not holds(leaked, span("run", "gen", "next"))


def test_case_11_a_span_that_never_ended_is_expected_by_name() -> None:
    spans = [
        finished("stream", context(1, 1), start=1, ended=False),
        finished("chunk", context(1, 2), context(1, 1), start=2),
    ]
    grown = grow(spans)
    assert not match_roots(grown, [span("stream", "chunk")]).holds
    assert match_roots(grown, [span("stream", "chunk").unfinished()]).holds
    assert not match_roots(grown, [span("stream", span("chunk").unfinished()).unfinished()]).holds
    assert not match_roots(grown, [span("stream", "chunk").unfinished().ok()]).holds


def test_case_12_values_are_strict_about_types() -> None:
    one = plant("a", {"yes": True, "whole": 1, "float": 1.0})
    assert holds(one, span("a", {"yes": True, "whole": 1, "float": 1.0}))
    for wrong in ({"yes": 1}, {"whole": True}, {"whole": 1.0}, {"float": 1}, {"x": None}):
        assert not holds(one, span("a", wrong))
    (difference,) = own_differences(span("a", {"x": None}), forest(one).nodes[0])
    assert (difference.key, difference.expected, difference.actual) == ("x", None, absent)


def test_case_16_one_of_three_spans_carries_another_value_of_a_label() -> None:
    run = plant("run", {"id": "r1"}, plant("a", {"id": "r1"}), plant("b", {"id": "r2"}))
    rid = {"id": same("rid")}
    outcome = match([run], span("run", rid, span("a", rid), span("b", rid)))
    assert not outcome.holds
    assert not outcome.gave_up
    ((label, places),) = outcome.conflicts
    root, one, two = outcome.forest.nodes
    assert label == "rid"
    assert places == (Place(root, "id", "r1"), Place(one, "id", "r1"), Place(two, "id", "r2"))
    assert [d.actual for d in outcome.judge.differences(span("b", rid), two)] == ["r2"]
    assert outcome.judge.differences(span("a", rid), one) == ()


# --- what a span says of itself


def test_attributes_are_a_subset_unless_only() -> None:
    one = plant("a", {"x": 1, "y": 2})
    assert holds(one, span("a", {"x": 1}))
    assert not holds(one, span("a", {"x": 1}, only=True))
    assert holds(one, span("a", {"x": 1, "y": int}, only=True))
    assert holds(one, span("a", {"x": 1, "y": 2, "z": maybe(3)}, only=True))
    assert not holds(one, span("a", only=True))
    assert holds(plant("a"), span("a", only=True))
    assert holds(one, span("a").without_attributes("z"))
    assert not holds(one, span("a").without_attributes("y"))


def test_kind_is_compared_when_given() -> None:
    one = plant("a", kind=SpanKind.CLIENT)
    assert holds(one, span("a", kind="client"))
    assert not holds(one, span("a", kind="server"))
    assert holds(one, "a")


class Boom(Exception):
    pass


BOOM = f"{Boom.__module__}.Boom"


def failed(**exception: str) -> Plant:
    facts = {f"exception.{key}": value for key, value in exception.items()}
    return plant("a", error="gave up", events=[("exception", facts)])


def test_ok_is_ended_and_no_error() -> None:
    assert holds(plant("a"), span("a").ok())
    assert not holds(plant("a", error="x"), span("a").ok())
    assert not holds(plant("a"), span("a").error())


@pytest.mark.parametrize(
    "expected",
    [
        span("a").error(),
        span("a").error(Boom),
        span("a").error(BOOM),
        span("a").error("*Boom"),
        span("a").error(match="30s"),
        span("a").error(match=re.compile("gave up$")),
        span("a").error(Boom, match="after 30s"),
    ],
    ids=repr,
)
def test_an_error_matches(expected: ChildPart) -> None:
    assert holds(failed(type=BOOM, message="no answer after 30s"), expected)


@pytest.mark.parametrize(
    "expected",
    [
        span("a").ok(),
        span("a").error("Boom"),
        span("a").error(ValueError),
        span("a").error(match="31s"),
        span("a").error(ValueError, match="30s"),
        span("a").error(Boom, match="31s"),
    ],
    ids=repr,
)
def test_an_error_does_not_match(expected: ChildPart) -> None:
    assert not holds(failed(type=BOOM, message="no answer after 30s"), expected)


def test_a_builtin_exception_is_recorded_without_a_module() -> None:
    assert holds(failed(type="TimeoutError", message=""), span("a").error(TimeoutError))


def test_the_attribute_error_type_counts_as_the_type() -> None:
    assert holds(plant("a", {"error.type": "timeout"}, error="x"), span("a").error("timeout"))
    assert not holds(plant("a", {"error.type": "timeout"}), span("a").error("timeout"))


def test_an_event_has_a_name_and_attributes_among_others() -> None:
    one = plant("a", events=[("retry", {"n": 1}), ("retry", {"n": 2, "why": "429"})])
    assert holds(one, span("a").event("retry"))
    assert holds(one, span("a").event("re*").event("retry", {"n": 1}))
    assert not holds(one, span("a").event("retry", {"n": 3}))
    assert not holds(one, span("a").event("retry", {"n": 1, "why": "429"}))


def test_one_event_is_one_event() -> None:
    retry = span("a").event("retry")
    assert not holds(plant("a", events=[("retry", {})]), retry.event("retry"))
    assert holds(plant("a", events=[("retry", {}), ("retry", {})]), retry.event("re*"))


def test_one_link_is_one_link() -> None:
    target, other = context(1, 1), context(2, 2)
    x = plant("x")
    once, twice = plant("r", links=[target]), plant("r", links=[target, other, target])
    review = span("r").link_to("x")
    assert match_roots(forest(x, once), ["x", review]).holds
    assert not match_roots(forest(x, once), ["x", review.link_to("x")]).holds
    assert match_roots(forest(x, twice), ["x", review.link_to("x")]).holds


def test_type_and_message_are_those_of_one_exception() -> None:
    raised = [
        ("exception", {"exception.type": kind, "exception.message": message})
        for kind, message in (("ValueError", "one"), ("KeyError", "two"))
    ]
    one = plant("a", error="KeyError: two", events=raised)
    assert holds(one, span("a").error(ValueError, match="one"))
    assert holds(one, span("a").error(KeyError, match="^two$"))
    assert not holds(one, span("a").error(ValueError, match="two"))
    assert not holds(one, span("a").error(KeyError, match="one"))


def linked() -> Forest:
    return grow(
        Sighting(one, number, "T")
        for number, one in enumerate(
            [
                finished("author", context(1, 1), attributes={"x": 1}),
                finished("chapter", context(1, 2), context(1, 1)),
                finished("review", context(2, 3), links=[context(9, 9), context(1, 1)]),
            ]
        )
    )


def test_a_link_leads_to_a_span_and_what_is_below_it() -> None:
    def reviewed(target: ChildPart) -> bool:
        assert not isinstance(target, type(...))
        return match_roots(linked(), [span("author", ...), span("review").link_to(target)]).holds  # type: ignore[arg-type]

    assert reviewed("author")
    assert reviewed(span("author", {"x": 1}, "chapter"))
    assert not reviewed("chapter")
    assert not reviewed(span("author", {"x": 2}))


# --- children


def test_a_leaf_means_a_leaf() -> None:
    assert not holds(RUN, "run")
    assert holds(RUN, span("run", ...))
    assert holds(plant("run"), span("run", ...))
    assert not holds(RUN, span("run", any_order()))


def test_dots_allow_others_anywhere_even_twins_of_what_is_expected() -> None:
    one = plant("a", plant("x"), plant("b"), plant("x"), plant("c"), plant("x"))
    assert holds(one, span("a", "b", "c", ...))
    assert holds(one, span("a", ..., "b", "x"))
    assert not holds(one, span("a", "c", "b", ...))
    assert not holds(one, span("a", "b", "x", "x", "x", ...))


def test_a_count_counts_in_an_open_node_too() -> None:
    one = plant("a", plant("x", {"n": 1}), plant("y"), plant("x", {"n": 2}), plant("x"))
    assert holds(one, span("a", span("x").times(3), ...))
    assert not holds(one, span("a", span("x").times(2), ...))
    assert not holds(one, span("a", span("x").optional(), ...))
    assert holds(one, span("a", span("x").at_least(2), ...))
    assert holds(one, span("a", span("x", {"n": int}).times(2), ...))
    assert holds(one, span("a", span("x").times(2, max=4), ...))
    assert not holds(one, span("a", span("z").at_least(1), ...))
    assert not holds(one, span("a", span("x").times(0), ...))


def test_the_example_of_the_contract() -> None:
    expected = span(
        "run_project",
        span("task:*").times(2),
        span("remediation").optional(),
        never("policy_violation"),
        ...,
    )
    two = [plant("task:t1"), plant("plan"), plant("task:t2")]
    assert holds(plant("run_project", *two), expected)
    assert holds(plant("run_project", *two, plant("remediation"), plant("end")), expected)
    assert not holds(plant("run_project", *two, plant("task:t3")), expected)
    assert not holds(plant("run_project", *two[:2]), expected)
    violated = plant("validate", plant("policy_violation"))
    assert not holds(plant("run_project", *two, violated), expected)


def test_any_order_covers_one_stretch_of_a_list() -> None:
    def ordered(*names: str) -> Plant:
        return plant("a", *map(plant, names))

    expected = span("a", "first", any_order("x", "y", span("z").optional()), "last")
    assert holds(ordered("first", "y", "x", "last"), expected)
    assert holds(ordered("first", "z", "x", "y", "last"), expected)
    assert not holds(ordered("x", "first", "y", "last"), expected)
    assert not holds(ordered("first", "x", "last", "y"), expected)
    assert not holds(ordered("first", "x", "z", "z", "y", "last"), expected)


def test_one_of_is_one_position() -> None:
    expected = span("a", one_of("x", span("y").times(2), any_order("p", "q")), "end")
    for names in (["x"], ["y", "y"], ["q", "p"]):
        assert holds(plant("a", *map(plant, [*names, "end"])), expected)
    for names in ([], ["y"], ["x", "y", "y"], ["p"]):
        assert not holds(plant("a", *map(plant, [*names, "end"])), expected)


def test_runs_that_begin_at_different_places_have_counts_of_their_own() -> None:
    none_or_two = one_of(span("x").times(0), span("x").times(2))
    expected = span("a", none_or_two, span("x").times(2), span("y").at_least(0))
    for size in range(6):
        one = plant("a", *[plant("x")] * size, plant("y"))
        assert holds(one, expected) is (size in {2, 4})


def test_one_of_in_any_order_takes_one_alternative() -> None:
    expected = span("a", any_order("x", one_of(span("y").times(2), "z")))
    for names in ("yxy", "zx", "xz"):
        assert holds(plant("a", *map(plant, names)), expected)
    for names in ("xy", "xyyz", "x", "yy"):
        assert not holds(plant("a", *map(plant, names)), expected)


def test_descendants_are_counted_below() -> None:
    assert holds(RUN, span("run", ...).descendant("llm"))
    assert holds(RUN, span("run").descendant("llm"))
    assert holds(RUN, span("run").descendant(span("llm").times(2)))
    assert holds(RUN, span("run").descendant(span("llm", {"n": 1}).times(1)))
    assert not holds(RUN, span("run").descendant(span("llm").times(1)))
    assert not holds(RUN, span("run").descendant("run"))
    assert not holds(RUN, span("run", "task:t1", "task:t2").descendant("llm"))
    assert holds(RUN, span("run").descendant(span("task:t1", span("llm"))))


def test_what_selects_is_open_and_takes_what_never_ended() -> None:
    spans = [
        finished("run", context(1, 1), start=1),
        finished("stream", context(1, 2), context(1, 1), start=2, ended=False),
        finished("chunk", context(1, 3), context(1, 2), start=3),
    ]
    grown = grow(spans)
    assert match_roots(grown, [span("run").descendant("stream")]).holds
    assert not match_roots(grown, [span("run", ...), never("stream")]).holds
    assert not match_roots(grown, [span("run", ...), never(span("stream", "chunk"))]).holds
    assert match_roots(grown, [span("run", ...), never(span("stream", any_order()))]).holds


# --- labels


def test_same_holds_where_some_value_serves() -> None:
    one = plant("a", *(plant("x", {"v": v}) for v in (1, 2, 2, 3)))
    two = span("a", any_order(*[span("x", {"v": same("s")})] * 2), ...)
    assert holds(one, two)
    assert not holds(one, span("a", any_order(*[span("x", {"v": same("s")})] * 3), ...))


def test_labels_pair_producers_with_consumers() -> None:
    def flow(*consumed: int) -> Plant:
        produced = [plant("p", {"id": n}) for n in range(5)]
        return plant("a", *produced, *(plant("c", {"id": n}) for n in consumed))

    ids = [{"id": same(f"message {n}")} for n in range(5)]
    expected = span("a", any_order(*(span(name, facts) for facts in ids for name in ("p", "c"))))
    assert holds(flow(3, 1, 4, 0, 2), expected)
    assert not holds(flow(3, 1, 4, 0, 3), expected)


def test_a_label_reaches_into_json_events_and_what_must_never_be() -> None:
    one = plant(
        "a",
        {"id": 7},
        plant("b", {"body": '{"id": 7}'}),
        plant("c", events=[("got", {"id": 7})]),
        plant("d", {"id": 8}),
    )
    label = same("id")
    parts = [
        span("b", {"body": json_value({"id": label})}),
        span("c").event("got", {"id": label}),
        span("d"),
    ]
    assert holds(one, span("a", {"id": label}, *parts))
    assert holds(one, span("a", {"id": label}, *parts, never(span("d", {"id": label}))))
    assert not holds(one, span("a", {"id": label}, *parts, never(span("c").event("g*"))))
    assert not holds(one, span("a", *parts, never(span("d", {"id": same("other")}))))
    twin = plant("a", {"id": 7}, *one.children[:2], plant("d", {"id": 7}))
    assert not holds(twin, span("a", {"id": label}, *parts, never(span("d", {"id": label}))))


def test_a_count_with_a_label_counts_the_spans_of_its_value() -> None:
    one = plant("a", {"id": 1}, *(plant("x", {"id": n}) for n in (1, 2, 2, 2)))
    label = {"id": same("id")}
    x = span("x", label)
    assert holds(one, span("a", label).descendant(x.times(1)))
    assert not holds(one, span("a", label).descendant(x.times(2)))
    assert holds(one, span("a").descendant(x.at_least(3)))
    assert not holds(one, span("a").descendant(x.times(3)))  # nothing says which three
    assert not holds(one, span("a").descendant(x.times(2)))
    assert holds(one, span("a", label, x.times(1), ...))
    assert holds(one, span("a", x.at_least(3), ...))
    assert not holds(one, span("a", x.times(3), ...))
    assert not holds(one, span("a", x.times(2), ...))


def test_a_label_that_need_not_stand_anywhere_needs_no_value() -> None:
    one = plant("a", plant("x", {"v": 1}), plant("y", {"v": 2}))
    label = {"v": same("s")}
    assert not holds(one, span("a", span("x", label), span("y", label)))
    assert holds(one, span("a", one_of(span("x", label), "x"), span("y", label)))


def test_many_labels_are_found_at_once() -> None:
    size = 60
    one = plant("a", *(plant("x", {"v": v, "w": v}) for v in range(size)))
    pairs = [span("x", {"v": same(f"{n}"), "w": same(f"{n}")}) for n in range(size)]
    assert holds(one, span("a", any_order(*pairs)))


def test_the_most_common_value_of_a_label_may_be_the_wrong_one() -> None:
    label = {"v": same("s")}
    one = plant("a", *(plant(name, {"v": v}) for name, v in (("x", 2), ("x", 2), ("y", 1))))
    some = span("x", label).at_least(0)
    assert holds(one, span("a", any_order(some, span("y", label), span("x").at_least(0))))
    assert not holds(one, span("a", any_order(some, span("y", label))))


def test_a_label_without_a_value_makes_no_stranger_of_a_span_that_has_one() -> None:
    label = {"v": same("s")}
    some, one, more = span("x", label).at_least(0), span("y", label).optional(), span("z", ...)
    for members in ([some, one], [any_order(one, some)], [more, some, one]):
        expected = span("a", *members, ...)
        rest = [plant("z")] if more in members else []
        assert holds(plant("a", *rest), expected)
        assert holds(plant("a", *rest, plant("x", {"v": 1})), expected)
        assert holds(plant("a", *rest, plant("x", {"v": 1}), plant("y", {"v": 1})), expected)
    expected = span("a", some, never(span("err", label)), ...)
    assert not holds(plant("a", plant("x", {"v": 1}), plant("err", {"v": 1})), expected)
    assert holds(plant("a", plant("x", {"v": 1}), plant("err", {"v": 2})), expected)


def test_a_label_may_take_a_value_that_no_span_has() -> None:
    label = {"v": same("s")}
    one = plant("a", plant("x", {"v": 1}), plant("y", {"v": 1}))
    optional = span("x", label).optional()
    unlabelled: list[ChildPart] = [never(span("y", label)), "y"]
    assert holds(one, span("a", any_order(optional, span("x").optional(), *unlabelled)))
    assert not holds(one, span("a", any_order(optional, *unlabelled)))


def test_a_search_for_values_that_is_too_long_fails_and_says_so() -> None:
    size = 9
    produced = [plant("p", {"id": n}) for n in range(size)]
    consumed = [plant("c", {"id": max(n, 1)}) for n in range(size)]
    ids = [{"id": same(f"message {n}")} for n in range(size)]
    patterns = [span(name, facts) for facts in ids for name in ("p", "c")]
    outcome = match([plant("a", *produced, *consumed)], span("a", any_order(*patterns)))
    assert not outcome.holds
    assert outcome.gave_up


# --- names given to spans


def test_an_alias_names_the_span_that_matched() -> None:
    outcome = match(
        [RUN],
        span(
            "run",
            any_order(span("task:*", span("llm", {"n": 1}).as_("author")), span("task:*", ...)),
        ).descendant(span("llm").as_("models")),
    )
    task, author = outcome.forest.nodes[1:3]
    assert author.parent is task
    assert outcome.named["author"] == (author,)
    assert [node.path for node in outcome.named["models"]] == ["run/task:t1/llm", "run/task:t2/llm"]


def test_an_alias_that_nothing_matched_is_not_there() -> None:
    outcome = match([plant("a")], span("a", span("b").as_("b").optional()))
    assert outcome.holds
    assert outcome.named == {}


def test_a_mapping_is_no_root() -> None:
    with pytest.raises(TypeError, match=r"assert_span_tree\(\) takes roots; attributes belong"):
        match_roots(forest(), [{"x": 1}])  # type: ignore[list-item]


def test_a_literal_name_is_no_wildcard() -> None:
    assert holds(plant("SELECT *"), span(literal("SELECT *")))
    assert not holds(plant("SELECT 1"), span(literal("SELECT *")))
