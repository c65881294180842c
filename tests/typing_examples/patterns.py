"""What a type checker sees of patterns: mypy reads this file, nobody runs it.

An ignore marks what must not pass; mypy warns of one that nothing needs any more.
"""

import re
from typing import Any, assert_type
from unittest.mock import ANY

import pytest
from dirty_equals import IsInt, IsStr

from pytest_otel_spans import (
    SpanPattern,
    absent,
    any_order,
    json_value,
    literal,
    maybe,
    never,
    one_of,
    same,
    span,
)
from pytest_otel_spans.patterns.pattern import AnyOrder, Never, OneOf, Path


def names() -> None:
    assert_type(span("task:*"), SpanPattern)
    assert_type(span(literal("SELECT * FROM t")), SpanPattern)
    assert_type(span(re.compile("task:t[0-9]")), SpanPattern)
    span(b"task")  # type: ignore[arg-type]
    span(re.compile(b"task"))  # type: ignore[arg-type]
    span()  # type: ignore[call-arg]
    span(name="task")  # type: ignore[arg-type, call-arg]
    literal(re.compile("a"))  # type: ignore[arg-type]


def parts() -> None:
    span("a", {"model": "gpt-4o", "tokens": int}, "b", span("c"), any_order("d"), one_of("e", "f"))
    span("a", literal("*"), re.compile("x"), never("y"), ...)
    span("a", {"x": 1}, {"y": 2}, kind="client", only=True)
    span("a", *[span(f"task:{n}") for n in range(3)])
    span("a", 3)  # type: ignore[arg-type]
    span("a", None)  # type: ignore[arg-type]
    span("a", [span("b")])  # type: ignore[arg-type]
    span("a", {1: "x"})  # type: ignore[dict-item]
    span("a", span("b") / "c")  # type: ignore[arg-type]
    span("a", kind="remote")  # type: ignore[arg-type]
    span("a", children=[])  # type: ignore[arg-type]


def values() -> None:
    attributes: dict[str, Any] = {
        "plain": "gpt-4o",
        "type": int,
        "union": int | None,
        "pattern": re.compile("gpt-.*"),
        "predicate": lambda value: value > 3,
        "approximate": pytest.approx(0.3),
        "dirty": IsStr(regex="a+"),
        "dirty class": IsInt,
        "any": ANY,
        "gone": absent,
        "maybe": maybe(3),
        "json": json_value({"usage": {"total": int}}, only=True),
        "label": same("run"),
    }
    span("a", attributes, only=True)
    same(3)  # type: ignore[arg-type]
    same()  # type: ignore[call-arg]


def verbs() -> None:
    pattern = (
        span("task:*")
        .with_attributes({"task_type": "code_generation"})
        .without_attributes("cost_usd", "error")
        .having_children(span("llm_call:generate"), "x", any_order("y"), never("z"), ...)
        .descendant("validation")
        .descendant(span("llm_call:*").at_least(2))
        .never("remediation")
        .never(re.compile("^policy"))
        .event("retry", {"attempt": int})
        .link_to(span("author"))
        .as_("task")
    )
    assert_type(pattern, SpanPattern)
    assert_type(span("a").times(2), SpanPattern)
    assert_type(span("a").times(2, max=5), SpanPattern)
    assert_type(span("a").at_least(1).optional(), SpanPattern)
    assert_type(span("a").ok().unfinished(), SpanPattern)
    assert_type(span("a").error(TimeoutError, match="30s"), SpanPattern)
    assert_type(span("a").error("openai.RateLimitError", re.compile("429")), SpanPattern)
    span("a").times("2")  # type: ignore[arg-type]
    span("a").times(n=2)  # type: ignore[call-arg]
    span("a").error(int)  # type: ignore[arg-type]
    span("a").error(TimeoutError())  # type: ignore[arg-type]
    span("a").having_children({"x": 1})  # type: ignore[arg-type]
    span("a").never(any_order("b"))  # type: ignore[arg-type]
    span("a").as_(None)  # type: ignore[arg-type]
    span("a").name = "b"  # type: ignore[misc]


def groups() -> None:
    mixed = any_order("a", span("b").times(2), one_of("c", "d"), never("e"), ...)
    assert_type(mixed, AnyOrder[SpanPattern])
    assert_type(one_of("a", span("b").times(2), any_order("c", "d")), OneOf[SpanPattern])
    assert_type(never(span("a", {"x": 1})), Never[SpanPattern])
    any_order({"x": 1})  # type: ignore[arg-type]
    one_of(...)  # type: ignore[arg-type]
    one_of(never("a"))  # type: ignore[arg-type]
    never(any_order("a"))  # type: ignore[arg-type]
    never(...)  # type: ignore[arg-type]
    any_order("a").times(2)  # type: ignore[attr-defined]


def paths() -> None:
    assert_type(span("GET /") / "db", Path[SpanPattern])
    assert_type(span("GET /") / span("db") // span("x"), Path[SpanPattern])
    assert_type("run" / span("task:*"), Path[SpanPattern])
    assert_type("run" // span("task:*") / "llm", Path[SpanPattern])
    _ = span("a") / any_order("b")  # type: ignore[operator]
    _ = span("a") > span("b")  # type: ignore[operator]
