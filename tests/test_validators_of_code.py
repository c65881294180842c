"""Validators that need more than the text: its files, its schema, ruff, and tests that are run."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.conformity import FITS, MISFITS, UNUSABLE, check
from orchestrator.models import Task, Validation
from orchestrator.programs import Ended, Program
from orchestrator.validators import Specimen, validate
from orchestrator.validators.files import all_files, own_files
from orchestrator.validators.reading import MAX_CODE_CHARACTERS
from tests.fakes import RefusingSandbox, ScriptedSandbox

TEST = "def test_x():\n    assert True\n"


def specimen(output: str, schema: str = "", **facts: object) -> Specimen:
    task = Task(
        id="t3",
        title="T",
        instructions="I",
        type="code_generation",
        output_schema=schema,
    )
    return Specimen(task=task, output=output, **facts)  # type: ignore[arg-type]


async def judged(validator: str, output: str, *ends: Ended, schema: str = "") -> Validation:
    return await validate(validator, specimen(output, schema), ScriptedSandbox(*ends))


def ended(output: str = "", exit_code: int = 0) -> Ended:
    return Ended(exit_code=exit_code, output=output)


# The files of an output


@pytest.mark.parametrize(
    ("output", "names"),
    [
        ("The module `bucket.py`:\n\n```python\nx = 1\n```", ["bucket.py"]),
        ("**bucket.py**\n```python\nx = 1\n```", ["bucket.py"]),
        ("In bucket.py, beside `test_bucket.py`:\n```python\nx = 1\n```", ["bucket.py"]),
        ('```python title="pkg/bucket.py"\nx = 1\n```', ["pkg/bucket.py"]),
        ("```python\n# bucket.py\nx = 1\n```", ["bucket.py"]),
        ("```python\nx = 1\n```", ["t3.py"]),
        (f"```python\n{TEST}```", ["test_t3.py"]),
        ("x = 1\n", ["t3.py"]),
        ("`a.py`\n```python\nx = 1\n```\n`b.py`\n```python\ny = 1\n```", ["a.py", "b.py"]),
        ("```bash\nls a.py\n```\n```python\nx = 1\n```", ["t3.py"]),
        ("no code at all", []),
    ],
)
def test_a_block_is_a_file_under_the_name_it_is_given(output, names):
    assert list(own_files(specimen(output))) == names


@pytest.mark.parametrize(
    "name",
    [
        "../bucket.py",
        "/etc/bucket.py",
        "a/../../bucket.py",
        "~/bucket.py",
        ".bucket.py",
        "a//b.py",
        "C:\\bucket.py",
        "a/b/c/d/e.py",
        f"{'a' * 65}.py",
        "bück.py",
        "-c.py",
        "a\0.py",
    ],
)
def test_a_name_that_leads_elsewhere_is_not_taken(name):
    assert list(own_files(specimen(f"```python title={name}\nx = 1\n```"))) == ["t3.py"]


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("`~\n pythonxa./\\#='1:-"), max_size=200))
def test_no_text_makes_another_path_than_plain_words(output):
    plain = re.compile(r"\w+(/\w+){0,3}\.py", re.ASCII)

    assert all(plain.fullmatch(path) for path in own_files(specimen(output)))


def test_several_blocks_of_one_name_are_its_parts():
    output = "```python\nx = 1\n```\n\nThen:\n\n```python\ny = 2\n```"

    assert own_files(specimen(output)) == {"t3.py": "x = 1\n\n\ny = 2\n"}


def test_a_task_sees_the_files_of_what_it_builds_on_and_its_own_win():
    inputs = {"t1": "`a.py`\n```python\nx = 1\n```", "t2": "`b.py`\n```python\ny = 1\n```"}

    files = all_files(specimen("`b.py`\n```python\ny = 2\n```", inputs=inputs))

    assert files == {"a.py": "x = 1\n", "b.py": "y = 2\n"}


# pytest


async def test_the_tests_run_beside_the_code_they_are_about():
    sandbox = ScriptedSandbox(ended("1 passed in 0.01s"))
    material = specimen(f"```python\n{TEST}```", inputs={"t2": "`m.py`\n```python\nx = 1\n```"})

    assert (await validate("pytest", material, sandbox)).outcome == "passed"

    [program] = sandbox.programs
    assert program.module == "pytest"
    assert program.arguments[-1] == "test_t3.py"
    assert program.files == {"m.py": "x = 1\n", "test_t3.py": TEST}


async def test_what_is_left_of_the_run_limits_its_tests():
    sandbox = ScriptedSandbox(ended("1 passed in 0.01s"))

    await validate("pytest", specimen(TEST, seconds=2.0), sandbox)

    assert sandbox.programs[0].limits.seconds == 2.0


@pytest.mark.parametrize(
    ("end", "outcome", "detail"),
    [
        (ended(".\n8 passed in 0.02s\n"), "passed", "8 passed"),
        (ended("3 passed, 1 skipped in 0.02s"), "passed", "3 passed, 1 skipped"),
        (ended("=== 2 passed, 1 warning in 0.02s ==="), "passed", "2 passed"),
        (ended("2 skipped in 0.02s"), "unverified", "no test passed: 2 skipped"),
        (ended("1 failed, 7 passed in 0.3s", 1), "failed", "1 failed, 7 passed"),
        (ended("1 error in 0.3s", 2), "failed", "1 error"),
        (ended("no tests ran in 0.00s", 5), "failed", "there are no tests in it"),
        (ended("", 0), "failed", "the tests broke pytest off (exit code 0)"),
        (ended("all is well", 0), "failed", "the tests broke pytest off (exit code 0)"),
        (ended("9 passed in 1s", 137), "failed", "the tests broke pytest off (exit code 137)"),
        (
            ended("python: No module named pytest\n", 1),
            "unverified",
            "not run: pytest is not installed",
        ),
        (
            Ended(exit_code=None, output="", stopped="time"),
            "failed",
            "the tests did not end within 30 s",
        ),
        (
            Ended(exit_code=None, output="x", stopped="output"),
            "failed",
            "the tests print more than 262144 bytes",
        ),
    ],
)
async def test_passed_are_tests_that_were_seen_to_pass_and_nothing_less(end, outcome, detail):
    validation = await judged("pytest", TEST, end)

    assert (validation.outcome, validation.detail) == (outcome, detail)


async def test_an_output_without_a_test_fails_without_being_run():
    assert (await judged("pytest", "x = 1")).detail == "there are no tests in it"


async def test_the_report_is_the_end_of_what_pytest_said():
    validation = await judged("pytest", TEST, ended("a" * 9_000 + "\n1 failed in 1s", 1))

    assert len(validation.report) == 2_000
    assert validation.report.endswith("a\n1 failed in 1s")


@pytest.mark.parametrize("validator", ["pytest", "ruff"])
async def test_code_that_is_too_long_is_unverified(validator):
    validation = await judged(validator, "x = 1\n" * MAX_CODE_CHARACTERS)

    assert validation.outcome == "unverified"


@pytest.mark.parametrize("validator", ["pytest", "ruff"])
async def test_more_files_than_can_be_handed_over_are_unverified(validator):
    blocks = "\n".join(f"```python title=m{number}.py\n{TEST}```" for number in range(101))

    validation = await judged(validator, blocks)

    assert (validation.outcome, validation.detail) == (
        "unverified",
        "not run: 101 files are too many",
    )


async def test_tests_are_not_blamed_for_code_that_is_too_long_to_be_read():
    material = specimen(TEST, inputs={"t2": "x = 1\n" * MAX_CODE_CHARACTERS})

    assert (await validate("pytest", material, ScriptedSandbox())).outcome == "unverified"


async def test_tests_are_not_blamed_for_the_end_of_the_run():
    cut = Ended(exit_code=None, output="", stopped="time")

    validation = await validate("pytest", specimen(TEST, seconds=2.0), ScriptedSandbox(cut))

    assert (validation.outcome, validation.detail) == (
        "unverified",
        "the run's time was over before the tests were",
    )


@pytest.mark.parametrize("path", ["/a.py", "../a.py", "a/../../b.py", "a\0.py", "", "."])
def test_no_program_has_a_file_elsewhere(path):
    with pytest.raises(ValueError, match="no path within a directory"):
        Program(module="pytest", files={path: ""})


# ruff


async def test_ruff_finds_what_no_parser_does():
    good, bad = "`m.py`\n```python\nx = 1\n```", "`m.py`\n```python\nimport os\nprint(y)\n```"

    passed, failed = await judged("ruff", good), await judged("ruff", bad)

    assert (passed.outcome, passed.detail, passed.report) == ("passed", "", "")
    assert (failed.outcome, failed.detail) == ("failed", "ruff finds errors in it")
    assert [line.split()[:2] for line in failed.report.splitlines()] == [
        ["m.py:1:8:", "F401"],
        ["m.py:2:7:", "F821"],
    ]


async def test_where_there_is_no_code_there_is_nothing_for_ruff():
    assert (await judged("ruff", "Hello.")).detail == "no Python code"


# json_schema

SCHEMA = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
}


@pytest.mark.parametrize(
    ("schema", "document", "code", "said"),
    [
        (SCHEMA, {"name": "Ada", "age": 36}, FITS, ""),
        (SCHEMA, {"age": "old"}, MISFITS, "$: 'name' is a required property\n"),
        (SCHEMA, [], MISFITS, "$: [] is not of type 'object'"),
        ({"type": "text"}, {}, UNUSABLE, "'text' is not valid under any of the given schemas"),
        ({"$ref": "https://example.org/schema"}, {}, UNUSABLE, "https://example.org/schema"),
        ({"$ref": "file:///etc/passwd"}, {}, UNUSABLE, "file:///etc/passwd"),
    ],
)
def test_a_document_fits_its_schema_or_it_is_said_where_not(schema, document, code, said):
    found, words = check(schema, document)

    assert found == code
    assert words.startswith(said) or said in words


@pytest.mark.parametrize(
    ("output", "outcome"),
    [
        ('{"name": "Ada"}', "passed"),
        (
            'Here:\n\n```json\n{"name": 1}\n```\n\nBetter:\n\n```json\n{"name": "Ada"}\n```',
            "passed",
        ),
        ('{"name": 1}', "failed"),
    ],
)
async def test_the_last_json_of_an_output_is_held_against_the_schema_of_the_plan(output, outcome):
    validation = await judged("json_schema", output, schema=json.dumps(SCHEMA))

    assert validation.outcome == outcome


async def test_where_there_is_no_json_there_is_nothing_to_hold_against_a_schema():
    validation = await judged("json_schema", "Ada", schema=json.dumps(SCHEMA))

    assert (validation.outcome, validation.detail) == ("failed", "there is no JSON in it")


async def test_a_plan_without_a_schema_leaves_it_unverified():
    assert (await judged("json_schema", "{}")).outcome == "unverified"


async def test_a_schema_whose_check_never_ends_is_stopped():
    doubling = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    schema = json.dumps({"$ref": "#/$defs/d0", "$defs": doubling | {"d40": {}}})

    validation = await validate(
        "json_schema", specimen("{}", schema, seconds=0.5), RefusingSandbox()
    )

    assert (validation.outcome, validation.detail) == ("unverified", "the check did not finish")
