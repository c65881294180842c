"""The annotated tree: how each kind of difference is told."""

import re
import time
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.trace import SpanKind

from pytest_otel_spans import (
    SpanPattern,
    absent,
    any_order,
    json_value,
    maybe,
    never,
    one_of,
    same,
    span,
)
from pytest_otel_spans.expected import ChildPart
from pytest_otel_spans.explain import explain
from pytest_otel_spans.match import match_roots
from pytest_otel_spans.report import compose
from tests.plugin.groves import Plant, context, forest, plant

EXCEPTION = ("exception", {"exception.type": "ValueError", "exception.message": "no"})
LEAVES = [plant(name) for name in "abcde"]
R = {"r": same("r")}


def explained(plants: list[Plant], *roots: ChildPart) -> list[str]:
    outcome = match_roots(forest(*plants), roots)
    assert not outcome.holds
    return list(explain(outcome).lines)


def is_large(number: int) -> bool:
    return number > 5


def deep(levels: int, leaf: Plant) -> Plant:
    for level in reversed(range(levels)):
        leaf = plant(f"n{level}", plant("beside"), leaf)
    return leaf


def deep_pattern(levels: int, leaf: SpanPattern) -> SpanPattern:
    for level in reversed(range(levels)):
        leaf = span(f"n{level}", "beside", leaf)
    return leaf


# --- what a span itself has wrong


def test_values_are_shown_with_their_types_where_these_differ() -> None:
    assert explained(
        [plant("run", {"a": 1, "b": True, "c": 2, "d": "x"})],
        span("run", {"a": 2, "b": 1, "c": "2", "d": int}),
    ) == [
        "run",
        "    a  - 2",
        "       + 1",
        "    b  - 1 (int)",
        "       + True (bool)",
        "    c  - '2' (str)",
        "       + 2 (int)",
        "    d  - int",
        "       + 'x' (str)",
    ]


def test_a_missing_attribute_is_absent_with_a_key_much_like_it() -> None:
    assert explained(
        [plant("run", {"llm.model": "x", "n": 1})], span("run", {"llm.modle": "x", "cost": 1.0})
    ) == [
        "run",
        "    llm.modle  - 'x'",
        "               + absent  (there is 'llm.model')",
        "    cost       - 1.0",
        "               + absent",
    ]


def test_an_attribute_too_many_is_laid_to_only() -> None:
    assert explained([plant("run", {"a": 1, "b": "x"})], span("run", {"a": 1}, only=True)) == [
        "run",
        "    b  - absent  → name it in the pattern, or leave out only=True",
        "       + 'x'",
    ]


def test_what_must_not_be_there_is_absent() -> None:
    assert explained(
        [plant("run", {"a": 1, "b": 2})], span("run", {"a": maybe(2), "b": absent})
    ) == [
        "run",
        "    a  - maybe(2)",
        "       + 1 (int)",
        "    b  - absent",
        "       + 2",
    ]


def test_predicates_patterns_and_unions_are_named() -> None:
    assert explained(
        [plant("run", {"n": 3, "s": "x", "u": 1})],
        span("run", {"n": is_large, "s": re.compile("^y"), "u": str | float}),
    ) == [
        "run",
        "    n  - is_large",
        "       + 3 (int)",
        "    s  - re.compile('^y')",
        "       + 'x' (str)",
        "    u  - str | float",
        "       + 1 (int)",
    ]


def test_what_a_predicate_raised_is_said() -> None:
    assert explained([plant("run", {"n": "x"})], span("run", {"n": is_large})) == [
        "run",
        "    n  - is_large",
        (
            "       + 'x' (str; comparing raised TypeError: '>' not supported between "
            "instances of 'str' and 'int')"
        ),
    ]


def test_a_long_text_is_cut_where_it_differs() -> None:
    assert explained(
        [plant("run", {"prompt": "a" * 80 + "b" * 80})],
        span("run", {"prompt": "a" * 80 + "c" * 80}),
    ) == [
        "run",
        (
            "    prompt  - …'aaaaaaaaaaaaaaaacccccccccccccccccccccccccccccccccccccccc'…  "
            "(from character 80)"
        ),
        "            + …'aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb'…",
    ]


def test_a_long_list_shows_the_item_that_differs() -> None:
    assert explained(
        [plant("run", {"tools": tuple(f"tool {n}" for n in range(20))})],
        span("run", {"tools": [f"tool {n}" for n in range(17)]}),
    ) == [
        "run",
        "    tools  - [17] absent",
        "           + [17] 'tool 17'",
    ]


def test_a_long_mapping_shows_the_item_that_differs() -> None:
    assert explained(
        [plant("run", {"m": {f"key {n}": n for n in range(20)}})],
        span("run", {"m": {f"key {n}": n or True for n in range(20)}}),
    ) == [
        "run",
        "    m  - ['key 0'] True (bool)",
        "       + ['key 0'] 0 (int)",
    ]


def test_json_is_followed_down_to_what_differs() -> None:
    assert explained(
        [plant("run", {"body": '{"a": {"b": [1, 2]}, "c": 3}'})],
        span("run", {"body": json_value({"a": {"b": [1, "2"]}, "d": absent})}),
    ) == [
        "run",
        "    body  - ['a']['b'][1] '2' (str)",
        "          + ['a']['b'][1] 2 (int)",
    ]


def test_a_key_that_json_lacks_is_absent() -> None:
    assert explained(
        [plant("run", {"body": '{"a": {}}'})], span("run", {"body": json_value({"a": {"b": 1}})})
    ) == [
        "run",
        "    body  - ['a']['b'] 1",
        "          + ['a']['b'] absent",
    ]


def test_a_text_that_is_no_json_is_told_so() -> None:
    assert explained(
        [plant("run", {"body": "{"})], span("run", {"body": json_value({"a": 1})})
    ) == [
        "run",
        "    body  - json_value({'a': 1})",
        (
            "          + '{' (no JSON: Expecting property name enclosed in double quotes: "
            "line 1 column 2 (char 1))"
        ),
    ]


def test_kind_and_status() -> None:
    assert explained(
        [plant("run", kind=SpanKind.CLIENT, error="bad")], span("run", kind="server").ok()
    ) == [
        "run",
        "    kind:    - 'server'",
        "             + 'client'",
        "    status:  - ok",
        "             + error 'bad'",
    ]


def test_another_type_of_error() -> None:
    assert explained(
        [plant("run", error="bad", events=[EXCEPTION])], span("run").error(KeyError)
    ) == [
        "run",
        "    status:  - error KeyError",
        "             + error ValueError: 'no'",
    ]


def test_another_message_of_an_error() -> None:
    assert explained(
        [plant("run", {"error.type": "timeout"}, error="bad")],
        span("run").error("timeout", match="time.*out"),
    ) == [
        "run",
        "    status:  - error timeout, with 'time.*out' in its message",
        "             + error timeout, 'bad'",
    ]


def test_an_error_that_was_caught() -> None:
    assert explained([plant("run", events=[EXCEPTION])], span("run").error()) == [
        "run",
        "    status:  - error",
        "             + unset, with a recorded exception ValueError: 'no'",
    ]


def test_no_error_at_all() -> None:
    assert explained([plant("run")], span("run").error(ValueError)) == [
        "run",
        "    status:  - error ValueError",
        "             + unset",
    ]


def test_an_event_with_other_attributes() -> None:
    assert explained(
        [plant("run", events=[("retry", {"attempt": 1}), ("retry", {"attempt": 2, "why": "x"})])],
        span("run").event("retry", {"attempt": 3, "why": "x"}),
    ) == [
        "run",
        "    event:  - 'retry' {'attempt': 3, 'why': 'x'}",
        "            + 'retry' {'attempt': 2, 'why': 'x'}",
    ]


def test_an_event_that_did_not_happen() -> None:
    assert explained(
        [plant("run", events=[("retry", {}), ("stop", {})])], span("run").event("start")
    ) == [
        "run",
        "    event:  - 'start'",
        "            + absent; the events are 'retry', 'stop'",
    ]


def test_no_event_at_all() -> None:
    assert explained([plant("run")], span("run").event("start", {"n": 1})) == [
        "run",
        "    event:  - 'start' {'n': 1}",
        "            + no event at all",
    ]


def test_a_link_to_something_else() -> None:
    assert explained([plant("run", links=[context(9, 9)])], span("run").link_to("producer")) == [
        "run",
        "    link:  - to span('producer')",
        "           + to a span that was not captured",
    ]


def test_no_link_at_all() -> None:
    assert explained([plant("run")], span("run").link_to(span("run", {"a": 1}))) == [
        "run",
        "    link:  - to span('run', {'a': 1})",
        "           + no link",
    ]


def test_a_span_that_ended_against_expectation() -> None:
    assert explained([plant("run")], span("run").unfinished()) == [
        "run",
        "    ended:  - never ended",
        "            + ended  → leave out .unfinished()",
    ]


# --- who is missing, and who was not expected


def test_a_renamed_span_is_named_as_what_comes_closest() -> None:
    assert explained(
        [plant("run", plant("tasks:1", {"a": 1}, plant("x")))],
        span("run", span("task:1", {"a": 1}, "x")),
    ) == [
        "run",
        "├─ task:1  {'a': 1}  - missing, expected exactly 1",
        "│      ↳ closest: 'tasks:1' under run (name differs, 1 of 1 attribute equal)",
        "│      ↳ no span is named 'task:1': did you mean 'tasks:1'?",
        (
            "└─ tasks:1           + unexpected child with 1 span below  → allow it with "
            '`...` or span("tasks:1", ...).optional()'
        ),
    ]


def test_what_comes_closest_may_stand_elsewhere() -> None:
    assert explained(
        [plant("run", plant("a", plant("llm", {"n": 1, "m": 2})), plant("b"))],
        span("run", span("a", ...), span("b", span("llm", {"n": 1, "m": 3}))),
    ) == [
        "run",
        "├─ a                         ok, with 1 span below",
        "└─ b",
        "   └─ llm  {'n': 1, 'm': 3}  - missing, expected exactly 1",
        "          ↳ closest: 'llm' under run/a (1 of 2 attributes equal)",
    ]


def test_an_equal_span_may_stand_where_anything_may() -> None:
    assert explained(
        [plant("run", plant("a", plant("x")), plant("b"))],
        span("run", span("a", ...), span("b", "x")),
    ) == [
        "run",
        "├─ a     ok, with 1 span below",
        "└─ b",
        "   └─ x  - missing here",
        "          ↳ moved: an equal span is run/a/x, expected under run/b",
        "            a was the current span when it started",
    ]


def test_a_root_much_like_the_one_missing() -> None:
    assert explained([plant("run")], span("runn"), ...) == [
        (
            "runn  - missing, expected exactly 1    closest: 'run', the root of trace 1 "
            "(name differs)"
        ),
        "    ↳ no span is named 'runn': did you mean 'run'?",
        "run   ok",
    ]


def test_too_few_of_a_kind() -> None:
    assert explained(
        [plant("run", plant("a"), plant("b"))], span("run", span("a").at_least(3), "b")
    ) == [
        "run",
        "├─ a  ok",
        "├─ a  - found 1, expected at least 3",
        "└─ b  ok",
    ]


def test_too_many_of_a_kind() -> None:
    assert explained(
        [plant("run", plant("a"), plant("a"), plant("a"))], span("run", span("a").times(1, max=2))
    ) == [
        "run",
        "├─ a  ok",
        "├─ a  ok",
        "└─ a  + one too many: found 3, expected 1 to 2  → .times(1, max=3)",
    ]


def test_two_where_one_was_expected() -> None:
    assert explained([plant("run", plant("a"), plant("a"))], span("run", "a")) == [
        "run",
        "├─ a  ok",
        "└─ a  + one too many: found 2, expected exactly 1  → .times(2)",
    ]


def test_one_where_none_was_expected() -> None:
    assert explained([plant("run", plant("a"))], span("run", span("a").times(0), ...)) == [
        "run",
        "└─ a  + found 1, expected none",
    ]


def test_none_of_the_alternatives() -> None:
    assert explained(
        [plant("run", plant("a"), plant("c"))], span("run", "a", one_of(span("b", {"x": 1}), "d"))
    ) == [
        "run",
        "├─ a             ok",
        "├─ one_of(b, d)  - missing, expected one of these",
        '└─ c             + unexpected child  → allow it with `...` or span("c").optional()',
    ]


def test_the_alternative_that_has_its_name() -> None:
    assert explained(
        [plant("run", plant("b", {"x": 2}))], span("run", one_of(span("b", {"x": 1}), "d"))
    ) == [
        "run",
        "└─ b",
        "       x  - 1",
        "          + 2",
    ]


def test_a_group_pairs_what_holds_first() -> None:
    assert explained(
        [plant("run", plant("a", {"n": 1}), plant("a", {"n": 2}), plant("b"))],
        span("run", any_order(span("a", {"n": 2}), span("a", {"n": 3}), "b")),
    ) == [
        "run",
        "├─ a",
        "│      n  - 3",
        "│         + 1",
        "├─ a  ok",
        "└─ b  ok",
    ]


def test_a_leaf_with_something_below() -> None:
    assert explained([plant("run", plant("a", plant("b", plant("c"))))], span("run", "a")) == [
        "run",
        "└─ a",
        (
            "   └─ b  + unexpected child with 1 span below  → allow it with `...` or "
            'span("b", ...).optional()'
        ),
    ]


def test_a_root_that_nobody_expected() -> None:
    assert explained([plant("run"), plant("stray")], span("run")) == [
        "run    ok",
        'stray  + unexpected root of trace 2  → allow it with `...` or span("stray").optional()',
    ]


def test_a_missing_root() -> None:
    assert explained([plant("run")], span("boot"), span("run")) == [
        "boot  - missing, expected exactly 1",
        "run   ok",
    ]


def test_names_in_which_one_could_get_lost_are_quoted() -> None:
    assert explained([plant("run", plant("two\nlines"), plant(""))], span("run")) == [
        "run",
        (
            "├─ 'two\\nlines'  + unexpected child  → allow it with `...` or "
            'span("two\\nlines").optional()'
        ),
        "└─ ''            + unexpected child  → allow it with `...` or span(\"\").optional()",
    ]


def test_a_descendant_that_is_nowhere() -> None:
    assert explained(
        [plant("run", plant("x", plant("validation")))], span("run", ...).descendant("validaton")
    ) == [
        "run",
        "│   descendant:  - at least 1 span('validaton') below",
        "│                + none",
        "│   ↳ no span is named 'validaton': did you mean 'validation'?",
        "└─ x  ok, with 1 span below",
    ]


def test_descendants_too_many() -> None:
    assert explained(
        [plant("run", plant("x", plant("y"), plant("y")))],
        span("run", ...).descendant(span("y").times(1)),
    ) == [
        "run",
        "│   descendant:  - exactly 1 span('y') below",
        "│                + 2: run/x/y[0], run/x/y[1]",
        "└─ x  ok, with 2 spans below",
    ]


def test_what_never_may_be_among_the_roots() -> None:
    assert explained([plant("run", plant("a", plant("b")), plant("c"))], never("b"), ...) == [
        "never(span('b'))  + run/a/b",
        "run",
        "├─ a",
        "│  └─ b           + forbidden by never",
        "└─ c              ok",
    ]


# --- who stands elsewhere


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
        "         expected parent: run, actual parent: a",
        "         a was still the current span when it started: if that was not meant, it leaked",
        (
            "         → close the generator that opened it when it is left early "
            "(contextlib.aclosing),"
        ),
        "         or detach the token that attached it",
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


def test_under_a_span_instead_of_a_root() -> None:
    assert explained([plant("run", plant("job"))], span("run"), span("job")) == [
        "run",
        "└─ job  + expected as a root",
        "job     - missing here",
        "    ↳ moved: an equal span is run/job, expected as a root",
        "      expected parent: none, actual parent: run",
        "      run was still the current span when it started: if that was not meant, it leaked",
        "      → close the generator that opened it when it is left early (contextlib.aclosing),",
        "      or detach the token that attached it",
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


def test_a_wrong_leaf_among_20_000_spans_is_found_fast() -> None:
    grown = plant("run", *(plant("task", plant("llm", {"n": n})) for n in range(10_000)))
    literal = span("run", *(span("task", span("llm", {"n": n})) for n in range(9_999)), "tasc")
    outcome = match_roots(forest(grown), [literal])
    start = time.perf_counter()
    explanation = explain(outcome)
    assert time.perf_counter() - start < 10  # it takes a fifth of a second
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
PATTERNS = st.recursive(
    st.builds(span, NAMES, st.dictionaries(NAMES, st.integers(0, 1) | st.just(same("x")))),
    lambda below: st.builds(
        lambda name, some, verb: verb(span(name, *some)),
        NAMES,
        st.lists(below | st.just(...) | st.builds(lambda some: any_order(*some), st.lists(below))),
        st.sampled_from(
            [
                lambda one: one,
                lambda one: one.at_least(2),
                lambda one: one.optional(),
                lambda one: one.descendant("b"),
                lambda one: one.never("a"),
            ]
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=500, deadline=None)
@given(plants=st.lists(PLANTS, max_size=3), roots=st.lists(PATTERNS, max_size=3))
def test_every_failure_has_an_explanation(plants: list[Plant], roots: list[SpanPattern]) -> None:
    outcome = match_roots(forest(*plants), roots)
    if not outcome.holds:
        explanation = explain(outcome)
        assert explanation.findings
        assert explanation.lines
