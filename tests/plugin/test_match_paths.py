"""Selecting: paths as texts, and patterns joined."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_otel_spans.matching.match import Selector, as_path, select
from pytest_otel_spans.patterns.pattern import any_order, literal, one_of, span
from pytest_otel_spans.patterns.words import same
from pytest_otel_spans.tree import Forest, grow
from tests.plugin.groves import context, finished, forest, plant

GROWN = forest(
    plant(
        "run",
        plant("task:t1", {"n": 1}, plant("llm", {"m": "a"}), plant("check", plant("llm"))),
        plant("task:t2", {"n": 2}, plant("llm", {"m": "b"})),
    ),
    plant("GET /users", plant("db.query", plant("run"))),
)


def paths(selector: Selector, grown: Forest = GROWN) -> list[str]:
    return [node.path for node in select(grown, selector)]


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("llm", ["run/task:t1/llm", "run/task:t1/check/llm", "run/task:t2/llm"]),
        ("task:* / llm", ["run/task:t1/llm", "run/task:t2/llm"]),
        ("run // llm", ["run/task:t1/llm", "run/task:t1/check/llm", "run/task:t2/llm"]),
        ("run / llm", []),
        ("run / * // llm", ["run/task:t1/llm", "run/task:t1/check/llm", "run/task:t2/llm"]),
        ("run / task:t1 / check / llm", ["run/task:t1/check/llm"]),
        ("run", ["run", "GET /users/db.query/run"]),
        ("/ run", ["run"]),
        ("/ run / task:t2", ["run/task:t2"]),
        ("/ llm", []),
        ("// run", ["run", "GET /users/db.query/run"]),
        ("GET /users", ["GET /users"]),
        ("GET /users // run", ["GET /users/db.query/run"]),
        ("  run  /  task:t2  ", ["run/task:t2"]),
        ("* // *", [node.path for node in GROWN.nodes if node.parent is not None]),
        (span("task:*", {"n": 2}), ["run/task:t2"]),
        (span("task:*", any_order("llm", "check")), ["run/task:t1"]),
        (span("task:*", "llm"), ["run/task:t2"]),
        (span("task:*", ..., span("check", any_order())), []),
        (span("task:*").never("check"), ["run/task:t2"]),
        (span("task:*", one_of("llm", "check"), ...).descendant("check"), ["run/task:t1"]),
        (span("run") / "task:*" // span("llm", {"m": str}), ["run/task:t1/llm", "run/task:t2/llm"]),
        (span("GET /users") / "db.query" // "run", ["GET /users/db.query/run"]),
        (re.compile("^db"), ["GET /users/db.query"]),
        (literal("*"), []),
    ],
    ids=str,
)
def test_a_selector_finds(selector: Selector, found: list[str]) -> None:
    assert paths(selector) == found


def test_a_name_may_end_in_a_slash() -> None:
    grown = forest(plant("GET /", plant("db"), plant("cache", plant("db"))))
    assert paths("GET / // db", grown) == ["GET //db", "GET //cache/db"]
    assert paths("GET / / db", grown) == ["GET //db"]
    assert paths("GET /", grown) == ["GET /"]
    assert paths(span("GET /") / "db", grown) == ["GET //db"]


def test_a_slash_anchors_only_with_a_space_behind_it() -> None:
    grown = forest(plant("/health", plant("//db")), plant("health", plant("/health")))
    assert paths("/health", grown) == ["/health", "health//health"]
    assert paths("//db", grown) == ["/health///db"]
    assert paths("/ /health // //db", grown) == ["/health///db"]
    assert paths("/ health", grown) == ["health"]


def test_nested_steps_find_a_span_once() -> None:
    grown = forest(plant("a", plant("a", plant("a", plant("b")))))
    assert paths("a // b", grown) == ["a/a/a/b"]
    assert paths("a // a", grown) == ["a/a", "a/a/a"]


def test_spans_come_in_start_order_not_in_the_order_of_the_tree() -> None:
    spans = [
        finished("root", context(1, 1), start=1),
        finished("late child", context(1, 2), context(1, 1), start=9),
        finished("second root", context(2, 1), start=5),
    ]
    assert [node.name for node in select(grow(spans), "*")] == [
        "root",
        "second root",
        "late child",
    ]


def test_a_label_binds_each_selected_span_for_itself() -> None:
    grown = forest(
        plant("t", {"id": 1}, plant("x", {"id": 1})),
        plant("t", {"id": 2}, plant("x", {"id": 3})),
        plant("t", {"id": 4}, plant("x", {"id": 4})),
    )
    pattern = span("t", {"id": same("id")}, span("x", {"id": same("id")}))
    assert [node["id"] for node in select(grown, pattern)] == [1, 4]


def test_a_selector_takes_spans_that_never_ended() -> None:
    grown = grow([finished("stream", context(1, 1), ended=False)])
    assert paths("stream", grown) == ["stream"]
    assert paths(span("stream").unfinished(), grown) == ["stream"]
    assert paths(span("stream").ok(), grown) == []


@given(st.lists(st.sampled_from([" / ", " // "]), max_size=4), st.booleans())
def test_a_path_is_read_step_by_step(separators: list[str], anchored: bool) -> None:  # noqa: FBT001
    text = "/ a" if anchored else "a"
    for separator in separators:
        text += f"{separator}a/b"
    path = as_path(text)
    axes = ["root" if anchored else "anywhere"]
    axes += ["child" if one == " / " else "descendant" for one in separators]
    assert list(path.axes) == axes
    assert path.patterns == (span("a"), *[span("a/b")] * len(separators))


@pytest.mark.parametrize("text", ["", "  ", "/", "//", " / "])
def test_a_path_without_a_name_is_no_path(text: str) -> None:
    with pytest.raises(ValueError, match="is no path: a step has no name"):
        as_path(text)


def test_a_selector_has_no_count() -> None:
    with pytest.raises(ValueError, match="a selector looks at one span at a time"):
        select(GROWN, span("llm").times(2))


def test_a_selector_is_a_text_or_a_pattern() -> None:
    with pytest.raises(TypeError, match="a selector takes a pattern or a name, not 3"):
        select(GROWN, 3)  # type: ignore[arg-type]
