"""What a run does when something fails: each strategy, and no call that could not have helped."""

import asyncio
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.cli.results import reason
from orchestrator.engine import Orchestrator
from orchestrator.errors import InputError, ProviderError
from orchestrator.events import RemediationTried
from orchestrator.models import ProjectState, RunStatus, Settings, TaskStatus
from orchestrator.remediation import STRATEGIES, TOO_LONG, RecoveryPlan, can_help
from tests.fakes import Recorder, ScriptedProvider, Step
from tests.stories import Script, asked, cast, critique, plan, score, stage

NO_POINTS = critique()
LONG = "a word " * 40
SHORT = "Short."


def refusing(code: str) -> ProviderError:
    """A refusal that the door does not try again by itself."""
    return ProviderError("No.", code=code, retryable=False)


async def run(models: dict[str, ScriptedProvider], **facts) -> ProjectState:
    async with stage(models, settings=Settings(**facts)) as orchestrator:
        return await orchestrator.run_project("Make it")


def written(provider: ScriptedProvider) -> list[str]:
    """The prompts with which a model was asked to write."""
    return [each.prompt.text for each in provider.requests if each.call_type == "generate"]


# adjust_prompt


async def test_an_answer_of_no_use_is_asked_for_in_another_way(traced):
    models = cast(ann=Script(generate=["", "A text."]), bob=Script(critique=NO_POINTS))

    state = await run(models)

    assert state.status is RunStatus.SUCCESS
    first, second = written(models["ann"])
    assert second.startswith(first)
    assert "Model 'ann' answered with nothing." in second
    assert "in another way" in second
    remediation = traced.one("remediation")
    assert remediation["strategy"] == "adjust_prompt"
    assert remediation["success"] is True


async def test_what_is_too_long_is_asked_with_the_middle_of_the_longest_left_out(traced):
    models = cast(
        ann=Script(
            decompose=plan(("a", []), instructions=f"Begin. {'x' * 4_000} End."),
            generate=[refusing(TOO_LONG), "A text."],
        ),
        bob=Script(critique=NO_POINTS),
    )

    state = await run(models)

    assert state.status is RunStatus.SUCCESS
    first, second = written(models["ann"])
    assert len(second) < len(first) - 1_500
    assert "Begin. xxx" in second
    assert "xxx End." in second
    assert "characters are left out]" in second


async def test_a_structured_answer_is_asked_for_in_another_way_too():
    judge = Script(critique=NO_POINTS, evaluate=["no", "no", score(0.9)])
    models = cast(ann=Script(), bob=judge)

    state = await run(models)

    assert state.status is RunStatus.SUCCESS
    assert "in another way" in models["bob"].requests[-1].prompt.text


async def test_what_fails_its_validator_again_is_begun_afresh():
    texts: list[Step] = ["Short.", "Short, too.", LONG]
    models = cast(
        ann=Script(decompose=plan(("a", []), validators=["length"]), generate=texts),
        bob=Script(critique=NO_POINTS),
    )

    state = await run(models)

    assert state.status is RunStatus.SUCCESS
    _, mended, afresh = written(models["ann"])
    assert "Keep what is good in it" in mended
    assert "do not start from it" in afresh
    assert "length: 10 characters, at least 100 are asked for" in afresh


# skip_validator


def failing_length(**facts) -> dict[str, ScriptedProvider]:
    return cast(
        ann=Script(decompose=plan(("a", []), validators=["length"]), generate=SHORT, **facts),
        bob=Script(critique=NO_POINTS),
    )


async def test_a_validator_that_may_be_skipped_is_unverified_and_the_task_is_degraded(traced):
    state = await run(failing_length(), skippable=("length",))

    [result] = state.results
    assert state.status is RunStatus.COMPLETED_DEGRADED
    assert result.status is TaskStatus.DEGRADED
    assert result.best is not None
    [check] = result.best.validations
    assert (check.outcome, check.is_skipped) == ("unverified", True)
    assert reason(result) == (
        "length was skipped after it failed: 6 characters, at least 100 are asked for."
    )
    assert set(traced.all("validation").values("orchestrator.validation.passed")) == {False}
    last = list(traced.all("task:t1 / remediation"))[-1]
    assert (last["strategy"], last["success"]) == ("skip_validator", True)


async def test_a_validator_that_may_not_be_skipped_fails_the_task(traced):
    state = await run(failing_length(), skippable=("ruff",))

    assert state.results[0].status is TaskStatus.FAILED
    assert "skip_validator" not in traced.all("remediation").values("strategy")


async def test_one_refusal_that_may_not_be_skipped_is_enough():
    models = cast(
        ann=Script(
            decompose=plan(("a", []), validators=["length", "python_syntax"]), generate="No."
        ),
        bob=Script(critique=NO_POINTS),
    )

    state = await run(models, skippable=("length",))

    assert state.results[0].status is TaskStatus.FAILED


# Plans


async def test_a_plan_of_ones_own_replaces_the_usual_one(traced):
    models = cast(ann=Script(generate=refusing("authentication")), bob=Script())

    state = await run(models, remediation={"authentication": ("abort_task",)})

    assert state.status is RunStatus.FAILED
    assert traced.all("remediation").values("strategy") == ["abort_task"]
    assert "generate" not in asked(models["bob"])


def test_a_plan_of_ones_own_is_checked_before_anything_is_run():
    with pytest.raises(InputError, match=r"no remediation trigger 'timeuot'"):
        Orchestrator(environ={}, settings=Settings(remediation={"timeuot": ()}))


async def test_the_span_of_a_remediation_wraps_what_it_tried(traced):
    models = cast(ann=Script(generate=refusing("authentication")), bob=Script(critique=NO_POINTS))

    await run(models)

    attempted = [node.name for node in traced.one("remediation").children]
    assert attempted == ["policy_check", "llm_call:generate"]


# No call that could not have helped

CODES = ("authentication", "timeout", "bad_request", "insufficient_quota", TOO_LONG, "")
"""How a model fails at writing; the last is an answer with nothing in it."""


@st.composite
def plans_of(draw: st.DrawFn, trigger: str) -> RecoveryPlan:
    useful = [strategy for strategy in STRATEGIES if can_help(strategy, trigger)]
    drawn = draw(st.lists(st.sampled_from(useful), max_size=5))
    end = drawn.index("abort_task") + 1 if "abort_task" in drawn else None
    return tuple(drawn[:end])


@st.composite
def failing_runs(draw: st.DrawFn) -> tuple[dict[str, str], dict[str, RecoveryPlan]]:
    """How each of some models fails, and a plan for every way."""
    names = ("ann", "bob", "cyd")[: draw(st.integers(1, 3))]
    plans = {code or "invalid_output": draw(plans_of(code or "invalid_output")) for code in CODES}
    return {name: draw(st.sampled_from(CODES)) for name in names}, plans


@settings(deadline=None, max_examples=60)
@example(
    (
        {"ann": "timeout", "bob": "authentication"},
        {"timeout": ("fallback_model", "auto_retry", "auto_retry")},
    )
)
@given(failing_runs())
def test_whatever_the_plan_no_call_is_made_that_could_not_have_helped(failing_run):
    failures, plans = failing_run
    recorder = Recorder()
    models = cast(
        **{name: Script(generate=refusing(code) if code else "") for name, code in failures.items()}
    )

    async def whole() -> ProjectState:
        rules = Settings(remediation=plans)
        async with stage(models, settings=rules, hooks=[recorder]) as orchestrator:
            return await orchestrator.run_project("Make it")

    state = asyncio.run(whole())

    tried = [event.strategy for event in recorder.of(RemediationTried)]
    calls = {name: len(written(provider)) for name, provider in models.items()}
    assert state.status is RunStatus.FAILED
    assert sum(calls.values()) <= 1 + len([name for name in tried if name != "abort_task"])
    assert "abort_task" not in tried[:-1]
    for name, code in failures.items():
        if code in {"authentication", "bad_request", "insufficient_quota"}:
            assert calls[name] <= 1
        if code == TOO_LONG:
            assert calls[name] <= 1 + tried.count("adjust_prompt")


@settings(deadline=None, max_examples=40)
@given(
    trigger=st.sampled_from(["low_score", "validation_failed"]),
    data=st.data(),
    skippable=st.booleans(),
    most=st.integers(1, 4),
)
def test_whatever_the_plan_no_task_is_tried_more_often_than_allowed(
    trigger: str, data: st.DataObject, most: int, *, skippable: bool
):
    recovery = data.draw(plans_of(trigger))
    names = ["length"] if trigger == "validation_failed" else []
    script = Script(
        decompose=plan(("a", []), validators=names),
        generate=SHORT,
        critique=NO_POINTS,
        evaluate=score(0.3),
    )
    models = cast(ann=script, bob=script, cyd=script)
    rules = {
        "remediation": {trigger: recovery},
        "max_iterations": most,
        "skippable": ("length",) if skippable else (),
    }

    state = asyncio.run(run(models, **rules))

    assert sum(len(written(provider)) for provider in models.values()) <= most
    assert state.status is not RunStatus.SUCCESS


# The run file


@pytest.fixture
def command(tmp_path, monkeypatch, command_line):
    """Carry out a command line beside this run file, without a key."""
    monkeypatch.chdir(tmp_path)

    def carry_out(file: str, *flags: str):
        (tmp_path / "run.yaml").write_text(f"project: Write a guide to tea\n{file}")
        return command_line("--file", "run.yaml", *flags)

    return carry_out


def test_a_run_file_has_plans_and_what_may_be_skipped(command):
    file = "remediation: {timeout: [fallback_model, abort_task]}\nskippable: [ruff]"

    code, out, _ = command(file, "--plan-only", "--json")

    assert code == 0
    assert json.loads(out)["status"] == "SUCCESS"


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("remediation: {timeuot: []}", "no remediation trigger 'timeuot'; did you mean 'timeout'?"),
        ("remediation: {timeout: [auto_rety]}", "did you mean 'auto_retry'?"),
        ("remediation: {authentication: [auto_retry]}", "auto_retry can do nothing"),
        ("remediation: [auto_retry]", "remediation"),
        ("remediation: {timeout: auto_retry}", "remediation.timeout"),
        ("skippable: [ruf]", "no validator 'ruf'; did you mean 'ruff'?"),
    ],
)
def test_recoveries_that_mean_nothing_are_one_sentence(command, file, said):
    code, out, err = command(file)

    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
