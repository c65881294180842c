"""Validators judge text, whatever it is; what runs it runs it in the sandbox or not at all."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.answers import PLANNABLE_VALIDATORS
from orchestrator.errors import InputError
from orchestrator.models import Task, Validation
from orchestrator.validators import Specimen, known, validate
from orchestrator.validators.reading import MAX_CODE_CHARACTERS, MIN_CHARACTERS
from pytest_otel_spans import assert_span_tree, span
from tests.fakes import RefusingSandbox


async def judged(validator: str, output: str) -> Validation:
    """One validator's verdict on an output, where nothing can be run."""
    task = Task(id="t1", title="T", instructions="I", type="code_generation")
    return await validate(validator, Specimen(task=task, output=output), RefusingSandbox())


@pytest.mark.parametrize(
    ("output", "outcome"), [("x = 1", "passed"), ("x = (", "failed"), ("x" * 100_000, "unverified")]
)
async def test_a_validation_is_one_span(traced, output, outcome):
    validation = await judged("python_syntax", output)

    assert validation.outcome == outcome
    assert_span_tree(
        traced,
        span(
            "validation",
            {
                "orchestrator.validator": "python_syntax",
                "orchestrator.validation.passed": outcome == "passed",
                "orchestrator.validation.outcome": outcome,
            },
            only=True,
        ).ok(),
    )


async def test_an_unknown_validator_is_refused():
    with pytest.raises(InputError) as refusal:
        await judged("pytset", "x = 1")

    assert str(refusal.value) == "There is no validator 'pytset'; did you mean 'pytest'?"


async def test_all_names_are_said_to_who_is_far_off():
    with pytest.raises(InputError) as refusal:
        await judged("spelling", "x = 1")

    assert str(refusal.value) == (
        "There is no validator 'spelling'; known are python_syntax, json_schema, ruff, pytest, "
        "length."
    )


def test_a_plan_may_ask_for_every_validator():
    assert known() == PLANNABLE_VALIDATORS


async def test_what_nothing_can_run_is_unverified_and_never_passed(traced):
    validation = await judged("pytest", "def test_x():\n    assert True\n")

    assert (validation.outcome, validation.detail) == ("unverified", "not run: nowhere to")
    assert_span_tree(
        traced,
        span(
            "validation",
            {
                "orchestrator.validation.passed": False,
                "orchestrator.validation.outcome": "unverified",
            },
        ).ok(),
    )


MODULE = "def f():\n    return 1\n"


@pytest.mark.parametrize(
    "output",
    [
        MODULE,
        f"Here it is:\n\n```python\n{MODULE}```\n\nDone.",
        f"Here it is:\n\n```py title=f.py\n{MODULE}```",
        f"```\n{MODULE}```",
        f"~~~python\n{MODULE}~~~",
        f"````python\n{MODULE}x = '''\n```\n'''\n````",
        f"1. First\n\n   ```python\n   {MODULE.replace('    ', '       ')}   ```\n",
        f"Unfinished:\n```python\n{MODULE}",
        f"```python\r\n{MODULE}```\r\nDone: it works.\r\n",
        f"```bash\nrm -rf / && (\n```\n```python\n{MODULE}```",
        f"```\nnot python at all\n```\n```python\n{MODULE}```",
        '"""Says:\n\n```python\nx = (\n```\n"""\n\nx = 1\n',
        "print('Hello')",
        "x = '\\d'  # an odd escape",
    ],
)
async def test_python_that_can_be_read_passes(output):
    assert (await judged("python_syntax", output)).outcome == "passed"


@pytest.mark.parametrize(
    ("output", "detail"),
    [
        ("", "no Python code"),
        ("# A heading\n", "no Python code"),
        ("Hello", "no Python code"),
        ("Hello, world", "no Python code"),
        ("Note: done", "no Python code"),
        ("```python\n# nothing yet\n```", "no Python code"),
        ("```bash\nls\n```", "no Python code; read as a module, line 1: invalid syntax"),
        ("The answer is yes.", "no Python code; read as a module, line 1: invalid syntax"),
        (
            "```python\nx = 1\n```\n\n```python\nx = 1\ny = = 2\n```",
            "code block 2 of 2: line 2: invalid syntax",
        ),
    ],
)
async def test_what_is_no_python_fails_and_says_where(output, detail):
    validation = await judged("python_syntax", output)

    assert (validation.outcome, validation.detail) == ("failed", detail)


IN_EACH_FORM = pytest.mark.parametrize(
    "form", ["{}", "```python\n{}\n```"], ids=["module", "block"]
)


@pytest.mark.parametrize(
    "code",
    ["(" * 60_000, "x = 1\0", "x = '\ud800'", "x = " + "1" * 60_000],
    ids=["brackets", "null", "surrogate", "digits"],
)
@IN_EACH_FORM
async def test_what_no_interpreter_reads_fails(code, form):
    assert (await judged("python_syntax", form.format(code))).outcome == "failed"


@pytest.mark.parametrize(
    "code",
    [
        "-" * 60_000 + "1",
        "+".join(["1"] * 30_000),
        "a" + "()" * 30_000,
        "if a:\n pass\n" + "elif a:\n pass\n" * 4_000,
    ],
    ids=["unary", "sum", "calls", "elif"],
)
@IN_EACH_FORM
async def test_code_too_deep_for_the_interpreter_is_an_answer_and_no_crash(code, form):
    # How deep is too deep differs between Python's versions.
    assert (await judged("python_syntax", form.format(code))).outcome in {"passed", "failed"}


async def test_code_is_read_and_not_run(tmp_path):
    witness = tmp_path / "witness"

    validation = await judged("python_syntax", f"open({str(witness)!r}, 'w').close()")

    assert validation.outcome == "passed"
    assert not witness.exists()


async def test_an_output_that_is_too_long_to_parse_is_unverified():
    validation = await judged("python_syntax", "\n" * (MAX_CODE_CHARACTERS + 1))

    assert validation.outcome == "unverified"
    assert not validation.detail.startswith("no Python")


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("`~\n python\t\r{}()x=1\0\ud800")))
def test_no_text_breaks_a_validator_that_reads(output):
    for name in ("python_syntax", "length"):
        assert asyncio.run(judged(name, output)).outcome in {"passed", "failed"}


@pytest.mark.parametrize(
    ("output", "outcome"),
    [
        ("ab " * (MIN_CHARACTERS // 2), "passed"),
        ("話" * MIN_CHARACTERS, "passed"),
        ("a" * (MIN_CHARACTERS - 1), "failed"),
        (" \n" * MIN_CHARACTERS, "failed"),
        ("", "failed"),
    ],
)
async def test_length_counts_what_is_not_white_space(output, outcome):
    assert (await judged("length", output)).outcome == outcome


async def test_length_says_how_much_is_missing():
    assert (await judged("length", "a b")).detail == "2 characters, at least 100 are asked for"
