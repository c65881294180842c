"""Patterns as values: what they hold, how they read, what they refuse."""

import gc
import re
import traceback
from collections.abc import Callable
from typing import Any
from unittest.mock import ANY

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_otel_spans.assertions import assert_span_tree
from pytest_otel_spans.patterns.groups import AnyOrder
from pytest_otel_spans.patterns.names import Name, fixed_name, is_name, name_matches
from pytest_otel_spans.patterns.pattern import (
    Part,
    Path,
    SpanPattern,
    any_order,
    literal,
    never,
    one_of,
    span,
)
from pytest_otel_spans.patterns.words import absent, json_value, maybe, same

WORDS: dict[str, Any] = {"re": re, "absent": absent} | {
    word.__name__: word
    for word in (span, any_order, one_of, never, literal, maybe, json_value, same)
}


# --- names


@pytest.mark.parametrize(
    ("name", "text", "fits"),
    [
        ("task", "task", True),
        ("task", "task:t1", False),
        ("task:*", "task:t1", True),
        ("task:*", "task:", True),
        ("*", "", True),
        ("a*a", "a", False),
        ("a*a", "aba", True),
        ("a*b*c", "aXbYc", True),
        ("a*b*c", "acb", False),
        ("a*b*b", "ab", False),
        ("*x*", "line one\nx", True),
        ("a.c", "abc", False),
        (literal("SELECT *"), "SELECT *", True),
        (literal("SELECT *"), "SELECT 1", False),
        (re.compile("t[0-9]"), "task:t1", True),
        (re.compile("^t[0-9]"), "task:t1", False),
    ],
    ids=str,
)
def test_a_name_matches(name: Any, text: str, fits: bool) -> None:  # noqa: FBT001
    assert name_matches(name, text) is fits


@given(st.text("ab*", max_size=6), st.text("ab", max_size=6))
def test_a_star_is_any_text(glob: str, text: str) -> None:
    pattern = ".*".join(map(re.escape, glob.split("*")))
    assert name_matches(glob, text) == bool(re.fullmatch(pattern, text))


def test_a_name_is_fixed_when_it_takes_one_text() -> None:
    assert fixed_name("a") == "a"
    assert fixed_name(literal("a*")) == "a*"
    assert fixed_name("a*") is None
    assert fixed_name(re.compile("a")) is None
    assert not is_name(re.compile(b"a"))
    assert not is_name(3)


# --- what span() takes


def test_parts_may_come_in_any_order() -> None:
    child = span("child")
    pattern = span("a", child, {"x": 1}, ..., "b", {"y": 2, "x": 3}, never("c"))
    assert pattern.attributes == {"x": 3, "y": 2}
    assert pattern.children == (child, span("b"))
    assert pattern.nevers == (span("c"),)
    assert pattern.opened


def test_a_name_of_any_kind_is_a_pattern_where_one_is_taken() -> None:
    star = literal("*")
    found = re.compile("x")
    assert span("a", star, found).children == (span(star), span(found))
    assert span("a").descendant(star).never(found).link_to("b") == (
        span("a").descendant(span(star)).never(span(found)).link_to(span("b"))
    )
    assert one_of("a", found) == one_of(span("a"), span(found))


def test_dots_and_nevers_in_a_group_belong_to_the_span_around_it() -> None:
    assert span("a", any_order("x", ..., never("y"))) == span("a", any_order("x"), ..., never("y"))


def test_groups_of_one_kind_merge() -> None:
    assert any_order("a", any_order("b", any_order("c"))) == any_order("a", "b", "c")
    assert one_of("a", one_of("b", one_of("c"))) == one_of("a", "b", "c")


def test_a_pattern_cannot_be_changed_from_outside() -> None:
    attributes: dict[str, Any] = {"tags": ["a"], "more": {"k": ["v"]}}
    pattern = span("a", attributes)
    before = repr(pattern)
    attributes["tags"].append("b")
    attributes["more"]["k"].append("w")
    attributes["new"] = 1
    assert repr(pattern) == before
    with pytest.raises(TypeError):
        pattern.attributes["tags"] = 1  # type: ignore[index]  # a reader may try
    with pytest.raises(AttributeError):
        pattern.name = "b"  # type: ignore[misc]  # a reader may try


def test_a_verb_returns_a_new_pattern() -> None:
    pattern = span("a")
    verbs: list[Callable[[], SpanPattern]] = [
        lambda: pattern.with_attributes({"x": 1}),
        lambda: pattern.without_attributes("x"),
        lambda: pattern.having_children("b"),
        lambda: pattern.descendant("b"),
        lambda: pattern.never("b"),
        lambda: pattern.times(2),
        lambda: pattern.at_least(2),
        pattern.optional,
        pattern.ok,
        pattern.error,
        lambda: pattern.event("e"),
        lambda: pattern.link_to("b"),
        pattern.unfinished,
        lambda: pattern.as_("me"),
    ]
    results = [verb() for verb in verbs]
    assert pattern == span("a")
    assert len({pattern, *results}) == len(verbs) + 1


def test_verbs_add_and_the_last_count_and_status_stand() -> None:
    pattern = span("a", {"x": 1}, "b").having_children("c", ...).with_attributes({"y": 2})
    assert pattern == span("a", {"x": 1, "y": 2}, "b", "c", ...)
    assert span("a").times(2).optional().at_least(3) == span("a").at_least(3)
    assert span("a").ok().error("x").ok() == span("a").ok()
    assert span("a").without_attributes("x", "y") == span("a", {"x": absent, "y": absent})


def test_labels_and_aliases_are_known_at_the_top() -> None:
    inner = span("c", {"k": same("x")}).event("e", {"k": [same("y")]}).as_("one")
    pattern = span("a", any_order(one_of(span("b", inner).as_("two"), "d")))
    assert pattern.labels == {"x", "y"}
    assert pattern.aliases == {"one", "two"}
    assert span("a").never(inner).labels == {"x", "y"}


# --- how they read, and when they are equal

LITERALS = [
    "span('a')",
    "span('a', {'x': 1, 'tags': ('p', 'q')}, kind='client', only=True)",
    "span('a', span('b', span('c')), any_order(span('d'), one_of(span('e'), span('f'))), ...)",
    "span(literal('SELECT *'), span(re.compile('x')))",
    "span('a', {'n': int, 'm': maybe(float), 'r': same('r'), 'j': json_value({'k': str})})",
    "span('a', {'gone': absent, 'found': re.compile('x+')})",
    "span('a').descendant(span('b').times(2)).never(span('c')).link_to(span('d'))",
    "span('a').ok().times(2, max=5).unfinished().as_('me')",
    "span('a').error(TimeoutError, match='30s').event('retry', {'n': int}).at_least(0)",
    "span('a').error().optional()",
    "span('a').error('', match='')",
    "span('a').error('timeout').times(0)",
    "any_order(span('a'), never(span('b')), ...)",
    "one_of(any_order(span('a'), span('b')), span('c').times(3))",
    "never(span('a', {'x': 1}))",
    "span('a') / span('b') // span('c', ...)",
]


@pytest.mark.parametrize("text", LITERALS)
def test_the_repr_is_the_literal(text: str) -> None:
    pattern = eval(text, WORDS)
    assert repr(pattern) == text
    assert eval(repr(pattern), WORDS) == pattern
    assert hash(eval(text, WORDS)) == hash(pattern)


@pytest.mark.parametrize("index", range(len(LITERALS)))
def test_what_reads_differently_is_different(index: int) -> None:
    patterns = [eval(text, WORDS) for text in LITERALS]
    assert [at for at, other in enumerate(patterns) if other == patterns[index]] == [index]


def test_equality_is_strict_about_types_and_blind_to_the_order_of_attributes() -> None:
    assert span("a", {"n": 1}) != span("a", {"n": True})
    assert span("a", {"n": 1}) != span("a", {"n": 1.0})
    assert span("a", {"x": 1, "y": 2}) == span("a", {"y": 2, "x": 1})
    assert span("a", {"x": [1]}) == span("a", {"x": (1,)})
    assert span("a", "b", "c") != span("a", "c", "b")
    assert span("a", span("b", "c")) != span("a", "b", "c")
    assert span(literal("plain")) == span("plain")
    assert span(literal("*")) != span("*")


def test_a_foreign_type_decides_for_itself() -> None:
    assert span("a").__eq__("span('a')") is NotImplemented
    assert span("a") == ANY
    assert span("a") != "span('a')"
    assert any_order("a") != span("a")


def test_a_pattern_20_000_deep_compares_hashes_reads_and_is_freed() -> None:
    def chain() -> SpanPattern:
        pattern = span("leaf")
        for _ in range(20_000):
            pattern = span("s", any_order(pattern, "x"))
        return pattern

    one, two = chain(), chain()
    assert one == two
    assert hash(one) == hash(two)
    assert repr(one).count("any_order(") == 20_000
    assert one != span("s", any_order(two, "x"))
    del one, two
    gc.collect()


# --- paths


def test_patterns_join_into_a_path() -> None:
    path = span("a") / "b" // span("c")
    assert path.axes == ("anywhere", "child", "descendant")
    assert path.patterns == (span("a"), span("b"), span("c"))
    assert path == "a" / span("b") // "c"
    assert path == span("a") / (span("b") // "c")
    assert literal("*") // span("a") / "b" == span(literal("*")) // span("a") / "b"


# --- what they refuse

MISTAKES: list[tuple[Callable[[], object], type[Exception], str]] = [
    (lambda: span(3), TypeError, "span() takes a name (a text, literal(...) or a compiled"),  # type: ignore[arg-type]
    (lambda: span("a", 3), TypeError, "span('a') cannot take 3: a part is a mapping of"),  # type: ignore[arg-type]
    (lambda: span("a", None), TypeError, "span('a') cannot take None: a part is"),  # type: ignore[arg-type]
    (lambda: span("a", [span("b")]), TypeError, "unpack it with *, as in span('a', *children)"),  # type: ignore[arg-type]
    (lambda: span("a", {1: 2}), TypeError, "attribute keys that are texts, not 1"),  # type: ignore[dict-item]
    (lambda: span("a", {"n": ...}), TypeError, "span('a') takes no ... for a value, as 'n' has"),
    (
        lambda: span("a", attributes={"n": 1}),  # type: ignore[arg-type]
        TypeError,
        "span('a') takes no attributes=: attributes are a mapping and children patterns, as in",
    ),
    (lambda: span("a", kind="remote"), ValueError, "has no kind 'remote': a kind is one of"),  # type: ignore[arg-type]
    (lambda: span("a").times(-1), ValueError, ".times() takes 0 or more, not -1"),
    (lambda: span("a").times(True), TypeError, ".times() takes a whole number, not True"),
    (lambda: span("a").times(1.5), TypeError, ".times() takes a whole number, not 1.5"),  # type: ignore[arg-type]
    (lambda: span("a").times(3, max=2), ValueError, ".times(3, max=2) asks for more than it"),
    (lambda: span("a").at_least(-2), ValueError, ".at_least() takes 0 or more, not -2"),
    (lambda: span("a").having_children(3), TypeError, ".having_children() cannot take 3"),  # type: ignore[arg-type]
    (
        lambda: span("a").having_children({"x": 1}),  # type: ignore[arg-type]
        TypeError,
        ".having_children() takes children; attributes go to .with_attributes()",
    ),
    (lambda: span("a").with_attributes(3), TypeError, ".with_attributes() takes a mapping"),  # type: ignore[arg-type]
    (lambda: span("a").without_attributes(3), TypeError, "attribute keys that are texts"),  # type: ignore[arg-type]
    (lambda: span("a").descendant(3), TypeError, ".descendant() takes a pattern or a name"),  # type: ignore[arg-type]
    (lambda: span("a").error(3), TypeError, ".error() takes an exception class or its name"),  # type: ignore[arg-type]
    (lambda: span("a").error(int), TypeError, ".error() takes an exception class or its name"),  # type: ignore[arg-type]
    (lambda: span("a").error(match=3), TypeError, ".error(match=...) takes a regular expr"),  # type: ignore[arg-type]
    (
        lambda: span("a").error(match=re.compile(b"a")),  # type: ignore[arg-type]
        TypeError,
        ".error(match=...) takes a regular expression, not re.compile(b'a')",
    ),
    (
        lambda: span("a").error(match="f("),
        ValueError,
        ".error(match='f(') is no regular expression: missing ), unterminated subpattern",
    ),
    (lambda: span("a").event(3), TypeError, ".event() takes a name"),  # type: ignore[arg-type]
    (lambda: span("a").as_(""), TypeError, ".as_() takes a name such as .as_('author')"),
    (lambda: span("a").never(span("b").times(2)), ValueError, "cannot have a count there"),
    (lambda: never(span("b").optional()), ValueError, "never() looks at one span at a time"),
    (lambda: never(any_order("a")), TypeError, "never() takes a pattern or a name"),  # type: ignore[arg-type]
    (lambda: span("a").link_to(span("b").times(2)), ValueError, "cannot have a count there"),
    (lambda: span("a") / span("b").times(2), ValueError, "a path looks at one span at a time"),
    (lambda: any_order({"x": 1}), TypeError, "any_order() takes patterns; attributes belong"),  # type: ignore[arg-type]
    (one_of, TypeError, "one_of() takes one or more patterns"),
    (lambda: one_of("a", ...), TypeError, "one_of() takes one or more patterns"),  # type: ignore[arg-type]
    (
        lambda: any_order(*[one_of(span("a").times(2), "b")] * 9),
        ValueError,
        "any_order() would have to try more than 256 ways to choose",
    ),
    (
        lambda: never("x / y"),
        ValueError,
        "'x / y' is a path; paths belong to queries: nest patterns instead, or write literal('x /",
    ),
    (lambda: span("a", "x // y"), ValueError, "span('a') takes a pattern, and 'x // y' is a path"),
    (lambda: any_order("/ x"), ValueError, "any_order() takes a pattern, and '/ x' is a path"),
    (lambda: span("a").link_to("x / y"), ValueError, ".link_to() takes a pattern, and 'x / y' is"),
    (lambda: span("a") / "x / y", ValueError, "a path takes a pattern, and 'x / y' is a path"),
    (lambda: assert_span_tree([], "x / y"), ValueError, "assert_span_tree() takes a pattern, and"),
    (lambda: literal(3), TypeError, "literal() takes the text of a name, not 3"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("mistake", "kind", "sentence"), MISTAKES, ids=[m[2] for m in MISTAKES])
def test_a_mistake_is_answered_with_a_sentence(
    mistake: Callable[[], object], kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind, match=re.escape(sentence)) as caught:
        mistake()
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    hidden = [frame.f_locals.get("__tracebackhide__", False) for frame in frames[2:]]
    assert all(hidden), "the traceback that pytest shows ends at the line of the test"


@pytest.mark.parametrize("name", ["/", "//", "GET /", "/users", "a/b", "a //", literal("x / y")])
def test_a_name_may_hold_slashes(name: Name) -> None:
    assert span("a", name) == span("a", span(name))


@given(st.lists(st.sampled_from(["a", "b"]), max_size=4), st.booleans())
def test_any_order_is_its_members(names: list[str], opened: bool) -> None:  # noqa: FBT001
    parts: list[Any] = [*names, *([...] if opened else [])]
    group = any_order(*parts)
    assert isinstance(group, AnyOrder)
    assert group.members == tuple(span(name) for name in names)
    assert group.opened is opened


def test_a_path_is_no_part() -> None:
    path: Part | Path[SpanPattern] = span("a") / "b"
    with pytest.raises(TypeError, match="cannot take"):
        span("run", path)  # type: ignore[arg-type]  # a path says where a span stands
