"""What is told of spans that are missing, and of those that nobody expected."""

import re

import pytest

from pytest_otel_spans import SpanPattern, any_order, never, one_of, span
from tests.plugin.explaining import explained
from tests.plugin.groves import plant


def test_a_renamed_span_is_named_as_what_comes_closest() -> None:
    assert explained(
        [plant("run", plant("tasks:1", {"a": 1}, plant("x")))],
        span("run", span("task:1", {"a": 1}, "x")),
    ) == [
        "run",
        "├─ task:1  {'a': 1}  - missing, expected exactly 1",
        (
            "│      ↳ did you mean 'tasks:1' under run? (no span is named 'task:1', 1 of 1 "
            "attribute equal)"
        ),
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
    assert explained([plant("run")], span("runs"), ...) == [
        "runs  - missing, expected exactly 1",
        "    ↳ did you mean 'run', the root of trace 1? (no span is named 'runs')",
        "run   ok",
    ]


def test_a_regular_expression_is_like_no_name() -> None:
    assert explained([plant("run", plant("task1"))], span("run", span(re.compile("^task$")))) == [
        "run",
        "├─ re.compile('^task$')  - missing, expected exactly 1",
        (
            "└─ task1                 + unexpected child  → allow it with `...` or "
            'span("task1").optional()'
        ),
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


def test_one_too_many_that_stands_apart_is_no_matter_of_a_count() -> None:
    trees = [plant("run"), plant("mail"), plant("run"), plant("mail")]
    assert explained(trees, "run", "mail") == [
        "run   ok",
        "mail  ok",
        "run   + one too many: found 2, expected exactly 1  → expect it here, too",
        "mail  + one too many: found 2, expected exactly 1  → expect it here, too",
    ]
    assert explained(trees, any_order("run", "mail"))[-1] == (
        "mail  + one too many: found 2, expected exactly 1  → .times(2)"
    )


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


@pytest.mark.parametrize("leaf", ["a", span("a"), span("a", {})])
def test_a_leaf_with_something_below(leaf: SpanPattern | str) -> None:
    assert explained([plant("run", plant("a", plant("b", plant("c"))))], span("run", leaf)) == [
        "run",
        "└─ a",
        (
            "   └─ b  + unexpected child with 1 span below  → "
            'span("a") means a leaf: allow children with span("a", ...)'
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
    assert explained(
        [plant("run", plant("two\nlines"), plant(""), plant("x"))], span("run", "x")
    ) == [
        "run",
        (
            "├─ 'two\\nlines'  + unexpected child  → allow it with `...` or "
            'span("two\\nlines").optional()'
        ),
        "├─ ''            + unexpected child  → allow it with `...` or span(\"\").optional()",
        "└─ x             ok",
    ]


def test_a_descendant_that_is_nowhere() -> None:
    assert explained(
        [plant("run", plant("x", plant("validation")))], span("run", ...).descendant("validatiom")
    ) == [
        "run",
        "│   descendant:  - at least 1 span('validatiom') below",
        "│                + none",
        "│   ↳ no span is named 'validatiom': did you mean 'validation'?",
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
