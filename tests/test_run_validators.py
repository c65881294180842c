"""Validators in a run: who asks for them, what becomes of what they find, and the offline proof."""

import json

import pytest

from orchestrator.engine import Orchestrator
from orchestrator.errors import InputError
from orchestrator.events import ValidationMade
from orchestrator.models import RunStatus, Settings, Task, TaskResult, TaskStatus, Validation
from orchestrator.programs import Ended
from orchestrator.validators import Specimen, validate
from tests.fakes import Recorder, RefusingSandbox, ScriptedSandbox
from tests.stories import Script, cast, critique, plan, stage

MODULE = "The module `bucket.py`:\n\n```python\ndef fill():\n    return 1\n```"
TESTS = "```python\nfrom bucket import fill\n\n\ndef test_fill():\n    assert fill() == 1\n```"
FAILED = Ended(exit_code=1, output="assert s3cret == 1\n1 failed in 0.01s")
PASSED = Ended(exit_code=0, output="1 passed in 0.01s")


def two_tasks(**facts) -> str:
    """A plan for a module and, after it, its tests."""
    code = {"title": "T", "instructions": "I", "type": "code_generation"}
    module = {"id": "m", "depends_on": [], **code}
    tests = {"id": "t", "depends_on": ["m"], "validators": ["pytest"], **code}
    return json.dumps({"tasks": [module, tests | facts]})


def checks(result: TaskResult) -> dict[str, Validation]:
    """What every validator said of the best attempt."""
    assert result.best is not None
    return {check.validator: check for check in result.best.validations}


def author(*texts: str) -> Script:
    """Writes these texts, a task or an iteration each."""
    return Script(decompose=two_tasks(), generate=list(texts), critique=critique())


async def test_the_tests_of_a_task_see_the_code_it_depends_on():
    sandbox = ScriptedSandbox(PASSED)
    models = cast(ann=author(MODULE, TESTS), bob=Script(critique=critique()))

    async with stage(models, sandbox=sandbox) as orchestrator:
        state = await orchestrator.run_project("Make it")

    assert state.status is RunStatus.SUCCESS
    assert list(sandbox.programs[0].files) == ["bucket.py", "test_t2.py"]


async def test_what_tests_say_is_told_to_the_next_draft_and_to_no_span(traced):
    sandbox = ScriptedSandbox(FAILED, PASSED)
    models = cast(ann=author(MODULE, TESTS), bob=Script(critique=critique()))

    async with stage(models, sandbox=sandbox) as orchestrator:
        state = await orchestrator.run_project("Make it")

    assert state.status is RunStatus.SUCCESS
    assert state.results[1].iterations == 2
    assert "assert s3cret == 1" in models["ann"].requests[-1].prompt.text
    outcomes = traced.all("validation").values("orchestrator.validation.outcome")
    assert list(outcomes) == ["failed", "passed"]
    assert "s3cret" not in repr(list(traced.all("**")))


async def test_tests_that_never_pass_fail_their_task_without_a_word_of_theirs_in_the_trace(traced):
    sandbox = ScriptedSandbox(*[FAILED] * 3)
    models = cast(ann=author(MODULE, TESTS), bob=Script(critique=critique()))

    async with stage(models, sandbox=sandbox) as orchestrator:
        state = await orchestrator.run_project("Make it")

    assert state.results[1].status is TaskStatus.FAILED
    assert traced.one("task:t2").status.description == (
        "No attempt passed the validators (pytest: 1 failed)."
    )


async def test_what_could_not_be_run_is_unverified_and_the_run_goes_on(traced):
    recorder = Recorder()
    models = cast(ann=author(MODULE, TESTS), bob=Script(critique=critique()))

    async with stage(models, sandbox=RefusingSandbox(), hooks=[recorder]) as orchestrator:
        state = await orchestrator.run_project("Make it")

    assert state.status is RunStatus.SUCCESS
    [made] = recorder.of(ValidationMade)
    assert (made.task_id, made.validation.outcome) == ("t2", "unverified")
    assert traced.one("validation")["orchestrator.validation.passed"] is False


async def test_a_schema_of_the_plan_reaches_its_author():
    schema = '{"type": "object"}'
    models = cast(
        ann=Script(
            decompose=plan(("a", []), validators=["json_schema"], output_schema=schema),
            generate='{"name": "Ada"}',
            critique=critique(),
        ),
        bob=Script(critique=critique()),
    )

    async with stage(models) as orchestrator:
        state = await orchestrator.run_project("Make it")

    assert schema in models["ann"].requests[1].prompt.text
    assert checks(state.results[0])["json_schema"].outcome == "passed"


@pytest.mark.parametrize("schema", ["", "text", "[]", '"object"', "{" + " " * 20_000 + "}"])
async def test_a_plan_that_wants_a_shape_has_to_give_it(schema):
    lacking = plan(("a", []), validators=["json_schema"], output_schema=schema)
    models = cast(ann=Script(decompose=[lacking, plan(("a", []))]), bob=Script())

    async with stage(models) as orchestrator:
        await orchestrator.run_project("Make it")

    assert (
        "a has the validator json_schema, so its output_schema must be a JSON Schema, as text, of "
        "at most 20000 characters"
    ) in models["ann"].requests[1].prompt.text


async def test_validators_can_be_asked_for_by_type_of_task():
    settings = Settings(validators={"writing": ("length", "ruff")}, max_iterations=1)
    models = cast(ann=Script(decompose=plan(("a", []), validators=["length"])), bob=Script())

    async with stage(models, settings=settings) as orchestrator:
        planned = await orchestrator.plan_project("Make it")

    assert planned.tasks[0].validators == ("length", "ruff")


def test_a_validator_that_does_not_exist_is_refused():
    with pytest.raises(InputError, match=r"no validator 'ruf'; did you mean 'ruff'\?"):
        Orchestrator(environ={}, settings=Settings(validators={"writing": ("ruf",)}))


# The offline models, whose tests are run for real


async def test_the_tests_that_the_offline_author_writes_pass_on_the_code_it_writes(sandbox, traced):
    async with Orchestrator(environ={}, sandbox=sandbox) as orchestrator:
        state = await orchestrator.run_project(
            "Build a rate limiter library", "token bucket, thread safe, tested"
        )

    check = checks(state.results[2])["pytest"]
    assert (check.outcome, check.detail) == ("passed", "8 passed")
    made = [
        (each["orchestrator.validator"], each["orchestrator.validation.outcome"])
        for each in traced.all("validation")
    ]
    assert ("pytest", "passed") in made


async def test_what_it_leaves_open_is_skipped_and_the_rest_passes(sandbox):
    async with Orchestrator(environ={}, sandbox=sandbox) as orchestrator:
        state = await orchestrator.run_project(
            "Build a thing that nobody knows", "fast, tested, sends mail"
        )

    made = [checks(result) for result in state.results]
    assert {check.outcome for each in made for check in each.values()} == {"passed"}
    assert [each["pytest"].detail for each in made if "pytest" in each] == ["6 passed, 3 skipped"]


async def test_tests_that_leave_early_and_boast_have_not_passed(sandbox):
    boast = (
        "import os\nprint('8 passed in 0.01s')\ndef test_it():\n    print('8 passed in 0.01s')\n"
    )
    task = Task(id="t1", title="T", instructions="I", type="code_generation")
    specimen = Specimen(task=task, output=f"{boast}    os._exit(0)\n")

    validation = await validate("pytest", specimen, sandbox)

    assert (validation.outcome, validation.detail) == (
        "failed",
        "the tests broke pytest off (exit code 0)",
    )


# The command line


@pytest.fixture
def run(tmp_path, monkeypatch, command_line):
    """Carry out a command line beside this run file, without a key."""
    monkeypatch.chdir(tmp_path)

    def carry_out(file: str, *flags: str):
        (tmp_path / "run.yaml").write_text(f"project: Build a rate limiter library\n{file}")
        return command_line("--file", "run.yaml", *flags)

    return carry_out


def test_a_run_file_asks_for_validators(run):
    code, out, _ = run("validators:\n  code_generation: [ruff]\n", "--plan-only", "--json")

    assert code == 0
    assert [task["validators"] for task in json.loads(out)["tasks"]][1:3] == [
        ["python_syntax", "ruff"],
        ["python_syntax", "pytest", "ruff"],
    ]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("validators: {code_generation: [ruf]}", "no validator 'ruf'; did you mean 'ruff'?"),
        ("validators: {code: [ruff]}", "'code'"),
        ("validators: [ruff]", "validators"),
    ],
)
def test_validators_that_mean_nothing_are_one_sentence(run, file, said):
    code, out, err = run(file)

    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_unsafe_exec_says_what_it_is_and_runs_without_a_sandbox(run):
    code, out, err = run("", "--unsafe-exec", "--json")

    made = [check for task in json.loads(out)["tasks"] for check in task["validations"]]
    assert code == 0
    assert [each["outcome"] for each in made if each["validator"] == "pytest"] == ["passed"]
    assert "--unsafe-exec runs what models write with your rights and your network." in err
