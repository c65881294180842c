"""The text of a snapshot: what it looks like, that it parses back, and what is no snapshot."""

import re
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pytest_otel_spans import absent
from pytest_otel_spans.snapshots.format import format_rows
from pytest_otel_spans.snapshots.parse import SnapshotSyntaxError, comments_in, parse_rows
from pytest_otel_spans.snapshots.rows import Row
from pytest_otel_spans.snapshots.tokens import Found, Json, Label, Mixed, Wild

SAMPLE = """\
# spans v1
run_project  [error "boom"]
    project_id = <uuid:1>
    status = "FAILED"
  task:t1
      task_type = "code_generation"
    llm_call:generate  (client)
        model = "gpt-4o"
        ! exception RateLimitError: "slow down"
        ! retry
            attempt = 1
    llm_call:generate  (client)  [ok]  (never ended)
        latency_ms = <float>
        ~> run_project/task:t1/llm_call:generate[0]
"""

# What a snapshot says, back and forth

LABELS = st.builds(Label, st.sampled_from(["uuid", "hex"]), st.integers(1, 99)) | st.just(
    Label("time")
)
TEXTS = st.text(max_size=12) | st.sampled_from(
    ["<uuid:1>", "<any>", "a = b", "! x", "~> x", "# spans v1", "(level 41) x", "a  b", "\\<time>"]
)
MIXED = st.builds(
    lambda before, label, after: Mixed(tuple(one for one in (before, label, after) if one != "")),
    TEXTS.filter(bool),
    LABELS | st.just(Label("any")),
    TEXTS,
)
WORDS = (
    st.sampled_from([Wild(word) for word in ("any", "bool", "float", "int", "str")])
    | st.sampled_from([Found("^gpt-4"), Found("a>b"), Found(r"(?P<x>\d+) [\]]"), Found("")])
    | LABELS
    | MIXED
)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS | st.binary()
VALUES = st.recursive(
    PLAIN | WORDS | st.just(absent),
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple) | st.dictionaries(TEXTS, inner, max_size=3)
    ),
    max_leaves=6,
)
TOKENS = VALUES | st.builds(Json, st.dictionaries(TEXTS, VALUES, max_size=3))
NAMES = TEXTS | WORDS


def attributes(values: st.SearchStrategy[Any] = TOKENS) -> st.SearchStrategy[Any]:
    return st.dictionaries(TEXTS, values, max_size=3).map(MappingProxyType)


@st.composite
def remarks(draw: st.DrawFn, level: int) -> Row:
    if draw(st.booleans()):
        return Row(level=level, what="link", name=draw(NAMES), attributes=draw(attributes()))
    name = draw(NAMES | st.just("exception"))
    found = dict(draw(attributes()))
    if draw(st.booleans()):
        found["exception.type"] = draw(st.sampled_from(["a.Boom", "f.<locals>.B", 1]) | WORDS)
        found["exception.message"] = draw(TOKENS)
    return Row(level=level, what="event", name=name, attributes=MappingProxyType(found))


@st.composite
def snapshots(draw: st.DrawFn) -> tuple[Row, ...]:
    rows: list[Row] = []
    level = draw(st.sampled_from([0, 0, 0, 45]))
    rows += [Row(level=one, what="span", name=str(one)) for one in range(level)]
    for _ in range(draw(st.integers(0, 4))):
        status = draw(st.sampled_from(["unset", "ok", "error"]))
        rows.append(
            Row(
                level=level,
                what="span",
                name=draw(NAMES),
                attributes=draw(attributes()),
                kind=draw(st.sampled_from(["internal", "client", "server"])),
                status=status,
                description=None if status == "unset" else draw(st.none() | TEXTS | WORDS),
                ended=draw(st.booleans()),
            )
        )
        rows += draw(st.lists(remarks(level + 1), max_size=2))
        level = draw(st.integers(0, level + 1))
    return tuple(rows)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines are busy
@given(rows=snapshots())
@example(rows=())
@example(rows=(Row(level=0, what="span", name="a  (client)", ended=False),))
@example(
    rows=(Row(level=0, what="span", name="x", status="error", description="]  (never ended)"),)
)
def test_what_is_written_is_read_back(rows: tuple[Row, ...]) -> None:
    assert parse_rows(format_rows(rows)) == rows


def test_the_sample_is_written_as_it_is_read() -> None:
    assert format_rows(parse_rows(SAMPLE)) == SAMPLE


def test_the_text_has_no_line_but_its_own() -> None:
    name = "two\nlines\x85and\u2028more"

    text = format_rows([Row(level=0, what="span", name=name, attributes={name: name})])

    assert len(text.splitlines()) == 3


def test_attributes_stand_in_the_order_of_their_keys() -> None:
    one = Row(level=0, what="span", name="a", attributes={"x": 1, "b": 2})
    other = Row(level=0, what="span", name="a", attributes={"b": 2, "x": 1})

    assert format_rows([one]) == format_rows([other]) == "# spans v1\na\n    b = 2\n    x = 1\n"


def test_a_level_too_deep_to_indent_is_written_out() -> None:
    rows = tuple(Row(level=level, what="span", name="deep") for level in range(20_000))

    text = format_rows(rows)

    assert text.splitlines()[-1] == " " * 80 + "(level 19999) deep"
    assert parse_rows(text) == rows


def test_lines_end_as_they_like_and_empty_ones_mean_nothing() -> None:
    assert parse_rows("# spans v1\n\na\n\n  b\n\n") == parse_rows("# spans v1\na\n  b")


# What is no snapshot


@pytest.mark.parametrize(
    ("number", "line", "why"),
    [
        (1, "", "is not '# spans v1'"),
        (1, "run_project", "is not '# spans v1'"),
        (1, "# spans v2", "is of format v2, and this version of the plugin reads v1"),
        (2, "  run_project", "is indented by 2 spaces"),
        (1, "# spans v2", "reads v1. Upgrade the plugin"),
        (2, "<<<<<<< HEAD", "is the mark of a merge conflict. Keep either side, and"),
        (2, "=======", "is the mark of a merge conflict"),
        (3, "    ||||||| base", "is the mark of a merge conflict"),
        (3, ">>>>>>> topic", "is the mark of a merge conflict"),
        (2, "<<<<<<<", "is the mark of a merge conflict"),
        (2, "run  (klient)", "has '  (klient)' after the name"),
        (2, 'run  [error boom"]', "where a value should be"),
        (2, '"run', "whose quotes are not closed"),
        (3, "   status = 1", "is indented by 3 spaces"),
        (3, "\tstatus = 1", "is indented with a tab"),
        (3, "    status", "has 'status' where `key = value` should be"),
        (3, "    status = FAILED", "has 'FAILED' where a value should be; in double quotes"),
        (3, "    status = ", "has '' where a value should be. Repair the line"),
        (3, "    status = <integer>", "is none of <any>"),
        (3, "    status = <re:(>", "has the regular expression '('"),
        (3, "    status = <re:x", "no '>' ends"),
        (3, '    status = "\\q"', "no JSON"),
        (3, "    status = 1 2", "has ' 2' after the value '1'"),
        (3, "    status = [1, 2", "where a comma or ']' should be"),
        (3, '    status = {"a" 1}', "where a key and a colon should be"),
        (3, "    status = " + "[" * 5000, "too deep or too long"),
        (3, "    status = " + "9" * 5000, "too deep or too long"),
        (4, '    status = "FAILED"', "has the key 'status' for the second time"),
        (5, "        x = 1", "is indented by 8 spaces"),
        (5, "# a note", "is a comment, which may stand above the first span alone"),
        (3, "    # a note", "has '# a note' where `key = value` should be"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(number: int, line: str, why: str) -> None:
    lines = ["# spans v1", "run_project", "    status = 1", "    ok = true", "  task"]
    lines[number - 1] = line

    with pytest.raises(SnapshotSyntaxError, match="cannot parse line") as caught:
        parse_rows("\n".join(lines), "a.spans")

    assert f"cannot parse line {number} of a.spans" in str(caught.value)
    assert why in str(caught.value)


def test_an_attribute_below_the_events_of_its_span_is_to_be_moved() -> None:
    with pytest.raises(SnapshotSyntaxError, match=r"^cannot parse line 4 of .*: move it up\."):
        parse_rows("# spans v1\na\n    ! paid\n    x = 1\n")


def test_a_comment_above_the_first_span_is_for_readers() -> None:
    text = "# spans v1\n# What happens here,\n#\n# in words.\na\n    b = 1\n"

    assert parse_rows(text) == parse_rows("# spans v1\na\n    b = 1\n")
    assert comments_in(text) == "# What happens here,\n#\n# in words.\n"
    assert comments_in("# spans v1\n") == comments_in("") == ""


def test_a_regular_expression_may_hold_what_ends_it() -> None:
    (row,) = parse_rows("# spans v1\na\n    b = <re:[<>]>\n    c = [<re:x>y>, <re:z>]\n")

    assert row.attributes == {"b": Found("[<>]"), "c": (Found("x>y"), Found("z"))}
    assert re.search(row.attributes["b"].pattern, "<")
