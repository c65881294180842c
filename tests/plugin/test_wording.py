"""What is told of a span itself: each difference, expected over actual."""

import re

from opentelemetry.trace import SpanKind

from pytest_otel_spans import absent, json_value, maybe, same, span
from tests.plugin.explaining import explained
from tests.plugin.groves import context, plant

EXCEPTION = ("exception", {"exception.type": "ValueError", "exception.message": "no"})


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
        [plant("run", {"llm.model": "x", "n": 1})], span("run", {"llm_model": "x", "cost": 1.0})
    ) == [
        "run",
        "    llm_model  - 'x'",
        "               + absent  (there is 'llm.model')",
        "    cost       - 1.0",
        "               + absent",
    ]


def test_a_value_under_a_key_much_like_the_expected_one_is_one_difference() -> None:
    assert explained(
        [plant("run", {"llm.model": "x", "llm.cost": "much", "extra": 1})],
        span("run", {"llm_model": str, "llm_cost": float}, only=True),
    ) == [
        "run",
        "    llm_model  - str",
        "               + 'x' as 'llm.model'",
        "    llm_cost   - float",
        "               + absent  (there is 'llm.cost')",
        "    llm.cost   - absent  → name it in the pattern, or leave out only=True",
        "               + 'much'",
        "    extra      - absent  → name it in the pattern, or leave out only=True",
        "               + 1",
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


def is_large(number: int) -> bool:
    return number > 5


def test_predicates_patterns_and_unions_are_named() -> None:
    assert explained(
        [plant("run", {"n": 3, "s": "x", "u": 1})],
        span("run", {"n": is_large, "s": re.compile("^y"), "u": str | float}),
    ) == [
        "run",
        "    n  - is_large",
        "       + 3 (int)",
        "    s  - re.compile('^y')",
        "       + 'x'",
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


def test_a_label_within_a_list_is_not_told_apart() -> None:
    assert explained(
        [plant("run", {"ids": ("a" * 80, "b")}), plant("end", {"id": "c"})],
        span("run", {"ids": ["a" * 80, same("id")]}),
        span("end", {"id": same("id")}),
    ) == [
        "run  ok",
        "end",
        "    id  - same('id'), elsewhere 'b'",
        "        + 'c'",
        "same('id') has 2 values:",
        "  'b' at run (ids)",
        "  'c' at end (id)",
    ]


def test_an_object_of_json_takes_other_keys_a_list_none() -> None:
    assert explained(
        [plant("run", {"body": '{"a": 1, "b": [1, 2]}'})],
        span("run", {"body": json_value({"b": [1]})}),
    ) == [
        "run",
        "    body  - ['b'][1] absent",
        "          + ['b'][1] 2",
    ]


def test_json_and_nothing_but() -> None:
    assert explained(
        [plant("run", {"body": '{"a": 1, "b": {}}'})],
        span("run", {"body": json_value({"b": {}}, only=True)}),
    ) == [
        "run",
        "    body  - ['a'] absent",
        "          + ['a'] 1",
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


def test_an_event_of_many_attributes_shows_those_that_were_expected() -> None:
    raised = {"exception.type": "KeyError", "exception.message": "'k'", "exception.note": "n" * 99}
    assert explained(
        [plant("run", events=[("exception", raised)])],
        span("run").event("exception", {"exception.message": "nope"}),
    ) == [
        "run",
        "    event:  - 'exception' {'exception.message': 'nope'}",
        """            + 'exception' {'exception.message': "'k'"}""",
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
