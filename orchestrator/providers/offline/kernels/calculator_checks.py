"""What a calculator has to do, as tests."""
# ruff: noqa: D103, PLR2004, S101 - tests assert, and their names and numbers are the point

# %% imports
import pytest

from orchestrator.providers.offline.kernels.calculator import (
    Calculator,
    ExpressionError,
    evaluate_lines,
    explained,
    main,
    tokens,
)


# %% core
def failure(text: str) -> ExpressionError:
    """What an expression that cannot be read is refused with."""
    with pytest.raises(ExpressionError) as refused:
        Calculator().evaluate(text)
    return refused.value


def test_products_bind_tighter_than_sums() -> None:
    assert Calculator().evaluate("2 + 3 * 4 - 6 / 2") == 11


def test_parentheses_and_signs_are_heeded() -> None:
    assert Calculator().evaluate("-(2 + 3) * 2") == -10


def test_names_stand_for_their_values() -> None:
    assert Calculator({"x": 4}).evaluate("x * x") == 16


def test_a_broken_expression_says_where() -> None:
    assert failure("2 + * 3").position == 4
    assert "breaks off" in str(failure("2 +"))
    assert "not closed" in str(failure("(2 3)"))
    assert "division by zero" in str(failure("1 / 0"))
    assert [token.text for token in tokens("1 + x ")] == ["1", "+", "x"]


# %% explaining errors
def test_explaining_errors_marks_the_place() -> None:
    assert explained("2 $ 3", failure("2 $ 3")).splitlines()[1].startswith(" ^ unexpected '$'")


# %% reading many lines
def test_reading_many_lines_goes_on_after_a_bad_one() -> None:
    assert evaluate_lines("1+1\n\n(\n2*3", Calculator().evaluate) == [
        (1, 2.0),
        (3, "the expression breaks off at position 1"),
        (4, 6.0),
    ]


# %% a command line
def test_a_command_line_ends_with_0_or_1() -> None:
    assert main(["1", "+", "1"]) == 0
    assert main(["1", "+"]) == 1
