"""Values: what is expected of one attribute, and what is the same value."""

import enum
import re
from collections.abc import Callable
from typing import Any, Optional, Union
from unittest.mock import ANY, Mock

import pytest
from dirty_equals import IsInt, IsPositive, IsStr
from hypothesis import given
from hypothesis import strategies as st

from pytest_otel_spans.explaining.contrast import contrast
from pytest_otel_spans.patterns.pattern import span
from pytest_otel_spans.patterns.shapes import describe, freeze, labels_in, value_key
from pytest_otel_spans.patterns.values import label_values, matches, trouble
from pytest_otel_spans.patterns.words import absent, json_value, maybe, same


class Mode(enum.StrEnum):
    FAST = "fast"


class Level(enum.IntEnum):
    HIGH = 3


class Colour(enum.Enum):
    RED = "red"


class Refusing:
    def __eq__(self, other: object) -> bool:
        raise RuntimeError("compare me not")

    __hash__ = None  # type: ignore[assignment]  # as mutable objects have it


def told(value: object) -> str:
    """The same id in every process: no addresses."""
    return re.sub(r" at 0x[0-9a-f]+| id='\d+'", "", repr(value))[:40]


def over_three(value: int) -> bool:
    return value > 3


PASSING: list[tuple[Any, Any]] = [
    ("a", "a"),
    (1, 1),
    (1.5, 1.5),
    (True, True),
    (None, None),
    (b"x", b"x"),
    (float("nan"), float("nan")),
    ([1, 2], (1, 2)),
    ((1, 2), [1, 2]),
    ([], ()),
    ([int, "b"], (1, "b")),
    ({"a": [1]}, {"a": (1,)}),
    ({"a": int, "b": maybe(1)}, {"a": 5}),
    (Mode.FAST, "fast"),
    ("fast", Mode.FAST),
    (Level.HIGH, 3),
    (str, "x"),
    (str, Mode.FAST),
    (int, 1),
    (float, 1.0),
    (bool, False),
    (list, (1,)),
    (tuple, [1]),
    (dict, {}),
    (object, None),
    (type(None), None),
    (int | None, None),
    (Optional[int], 3),  # noqa: UP045 - the older spelling is in use
    (Union[int, str], "x"),  # noqa: UP007 - the older spelling is in use
    (re.compile("gpt"), "my gpt-4o"),
    (re.compile(b"gpt"), b"gpt"),
    (over_three, 4),
    (str.islower, "x"),
    ("x".__eq__, "x"),
    (ANY, 1),
    (IsInt, 3),
    (IsInt(gt=2), 3),
    (IsPositive & IsInt, 3),
    ([IsStr, ANY], ("a", 1)),
    (pytest.approx(0.3), 0.1 + 0.2),
    (pytest.approx([1.0, 2.0]), (1.0, 2.0)),
    (absent, absent),
    (maybe(1), absent),
    (maybe(1), 1),
    (maybe(absent), absent),
    (same("x"), None),
    (json_value({"a": 1}), '{"a": 1, "b": 2}'),
    (json_value({"a": {"b": int}}), '{"a": {"b": 1, "c": 2}}'),
    (json_value([1, {"a": str}]), '[1, {"a": "x", "b": 0}]'),
    (json_value({"a": absent}), "{}"),
    (json_value({"a": 1}, only=True), '{"a": 1}'),
    (json_value(None), "null"),
    (json_value(3), b"3"),
]
FAILING: list[tuple[Any, Any]] = [
    (1, True),
    (True, 1),
    (0, False),
    (1, 1.0),
    (1.0, 1),
    ("1", 1),
    (None, absent),
    (None, "None"),
    ("a", absent),
    (object, absent),
    (ANY, absent),
    (IsInt, absent),
    (same("x"), absent),
    (absent, None),
    (absent, "x"),
    (maybe(1), None),
    (maybe(1), True),
    (maybe(absent), 1),
    (int, True),
    (int, 1.0),
    (float, 1),
    (str, b"x"),
    (bool, 1),
    (int | str, 1.0),
    (int | None, absent),
    ([1, 2], (2, 1)),
    ([1, 2], (1, 2, 3)),
    ([1], (True,)),
    ([1, 2], "12"),
    ("12", ("1", "2")),
    ({"a": 1}, {"a": 1, "b": 2}),
    ({"a": 1}, {}),
    ({"a": 1}, (("a", 1),)),
    (Colour.RED, "red"),
    (Mode.FAST, "slow"),
    (re.compile("^4o"), "gpt-4o"),
    (re.compile("1"), 1),
    (re.compile("x"), b"x"),
    (over_three, 3),
    (over_three, "many"),
    (IsInt(gt=2), 2),
    (IsStr, 3),
    (pytest.approx(0.3), 0.31),
    (Refusing(), 1),
    (json_value({"a": 1}), '{"a": true}'),
    (json_value({"a": 1}), '{"a": 1.0}'),
    (json_value({"a": 1}), "{}"),
    (json_value({"a": 1}), "not json"),
    (json_value({"a": 1}), {"a": 1}),
    (json_value([1]), "[1, 2]"),
    (json_value({"a": 1}), "[1]"),
    (json_value({"a": 1}, only=True), '{"a": 1, "b": 2}'),
    (json_value({"a": {"b": 1}}, only=True), '{"a": {"b": 1, "c": 2}}'),
    (json_value({}), "[" * 100_000),
]


@pytest.mark.parametrize(("expected", "actual"), PASSING, ids=told)
def test_value_matches(expected: Any, actual: Any) -> None:
    assert matches(expected, actual)


@pytest.mark.parametrize(("expected", "actual"), FAILING, ids=told)
def test_value_does_not_match(expected: Any, actual: Any) -> None:
    assert not matches(expected, actual)


plain_values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.sampled_from([0.0, 1.0, "", "a", b"a"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(plain_values, plain_values)
def test_plain_values_match_exactly_when_they_have_the_same_key(one: Any, two: Any) -> None:
    assert matches(one, one)
    assert matches(freeze(one), one)
    assert matches(one, two) == matches(two, one) == (value_key(one) == value_key(two))


def test_a_bound_label_takes_its_value_only() -> None:
    bound = {"x": value_key(1)}
    assert matches(same("x"), 1, bound)
    assert not matches(same("x"), True, bound)
    assert not matches(same("x"), 2, bound)
    assert matches(same("y"), 2, bound)
    assert matches(json_value({"id": same("x")}), '{"id": 1}', bound)
    assert not matches(maybe(same("x")), 2, bound)


def test_labels_are_found_with_their_values_wherever_they_stand() -> None:
    expected = [same("a"), {"k": maybe(same("b"))}, json_value({"id": [same("c")]}), "plain"]
    actual = (1, {"k": 2}, '{"id": [3], "other": 4}', "plain")
    assert labels_in(expected) == {"a", "b", "c"}
    assert list(label_values(expected, actual)) == [("a", 1), ("b", 2), ("c", 3)]
    assert list(label_values(maybe(same("a")), absent)) == []
    assert list(label_values(json_value(same("a")), "not json")) == []


def test_trouble_is_what_a_predicate_raised() -> None:
    assert isinstance(trouble(over_three, "many"), TypeError)
    assert isinstance(trouble(Refusing(), 1), RuntimeError)
    assert trouble(over_three, 1) is None


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (int, "int"),
        (int | None, "int | None"),
        (type(None), "None"),
        (over_three, "over_three"),
        (re.compile("a+"), "re.compile('a+')"),
        (["a", int], "('a', int)"),
        ((1,), "(1,)"),
        ({"a": float}, "{'a': float}"),
        (absent, "absent"),
        (maybe(str), "maybe(str)"),
        (json_value({"a": [int]}), "json_value({'a': (int,)})"),
        (json_value({}, only=True), "json_value({}, only=True)"),
        (same("run"), "same('run')"),
        (IsInt, "IsInt"),
        (ANY, "<ANY>"),
    ],
)
def test_an_expected_value_is_described_as_a_test_writes_it(expected: Any, text: str) -> None:
    assert describe(expected) == text


def test_matchers_are_equal_when_what_they_say_is() -> None:
    assert maybe(1) == maybe(1)
    assert maybe(1) != maybe(True)
    assert json_value({"a": [1]}) == json_value({"a": (1,)})
    assert json_value({}) != json_value({}, only=True)
    assert len({same("a"), same("a"), same("b"), absent}) == 3
    assert (maybe(1) == ANY) is True
    assert maybe(1) != "maybe(1)"


def test_values_that_cannot_be_hashed_are_only_themselves() -> None:
    close = pytest.approx(1)
    assert value_key(close) == value_key(close)
    assert value_key(close) != value_key(pytest.approx(1))


def test_a_label_is_a_text() -> None:
    wrong: Callable[[Any], object] = same
    with pytest.raises(TypeError, match=r"same\(\) takes a label such as same\('run'\), not 3"):
        wrong(3)


async def eventually(value: object) -> bool:
    return bool(value)


@pytest.mark.parametrize("answer", [None, 1, "yes", Mock()], ids=told)
def test_a_predicate_answers_true_or_false(answer: object) -> None:
    def chk(_: object) -> object:
        return answer

    assert not matches(chk, 1)
    assert str(trouble(chk, 1)) == f"chk returned {answer!r}; return True or False"
    assert contrast(chk, 1) == ("chk", f"1 (int; chk returned {answer!r}; return True or False)")


def test_a_mock_is_no_predicate() -> None:
    assert not matches(Mock(), 1)


def test_a_coroutine_is_no_predicate() -> None:
    with pytest.raises(
        TypeError, match=r"span\('a'\) takes predicates that are no coroutines: 'k'"
    ):
        span("a", {"k": eventually})
    assert not matches([eventually], [1])


def test_json_keys_are_a_subset_in_maybe_too() -> None:
    expected = json_value({"a": maybe({"b": 1})})
    assert matches(expected, '{"a": {"b": 1, "c": 2}}')
    assert matches(expected, "{}")
    assert not matches(expected, '{"a": {"c": 2}}')
    assert not matches(json_value({"a": maybe({"b": 1})}, only=True), '{"a": {"b": 1, "c": 2}}')


def test_a_generic_type_is_no_matcher() -> None:
    assert not matches(list[str], ("x",))
    assert str(trouble(list[str], ("x",))).startswith("a generic type is no matcher: expect list")
