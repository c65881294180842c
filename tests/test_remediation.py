"""A recovery is tried for real, and its span says what came of it."""

import asyncio
import re
from pathlib import Path

import pytest

from orchestrator.errors import (
    BudgetExceeded,
    CallFailed,
    InputError,
    InvalidOutput,
    NoModelLeft,
    PolicyViolation,
    ProviderError,
    TimeExceeded,
)
from orchestrator.events import Event, RemediationTried
from orchestrator.hooks import HookRegistry
from orchestrator.models import Strategy
from orchestrator.remediation import (
    DEFAULT_PLANS,
    STRATEGIES,
    RecoveryPlan,
    RemediationEngine,
    checked,
)
from orchestrator.tracing import traced_llm_call
from pytest_otel_spans import assert_span_tree, span


def engine(*hooks, plans=DEFAULT_PLANS):
    return RemediationEngine(project_id="p", hooks=HookRegistry(hooks), plans=plans)


class Tries:
    """What each strategy comes to: a value, None, or an exception."""

    def __init__(self, **outcomes):
        self.outcomes = outcomes
        self.tried: list[Strategy] = []

    async def __call__(self, strategy: Strategy) -> str | None:
        self.tried.append(strategy)
        outcome = self.outcomes.get(strategy)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


async def test_the_span_wraps_the_attempt_and_says_what_came_of_it(traced):
    async def attempt(strategy: Strategy) -> str:
        with traced_llm_call("a", "generate"):
            return "text"

    result = await engine().run("timeout", attempt, task_id="t1")

    assert result == "text"
    assert_span_tree(
        traced,
        span(
            "remediation",
            {
                "strategy": "auto_retry",
                "trigger_reason": "timeout",
                "success": True,
                "orchestrator.remediation.attempt": 1,
            },
            span("llm_call:generate"),
        ).ok(),
    )


async def test_the_walk_stops_at_the_first_success(traced):
    tries = Tries(fallback_model="text")

    assert await engine().run("rate_limit_exceeded", tries, task_id="t1") == "text"
    assert tries.tried == ["auto_retry", "fallback_model"]
    assert_span_tree(
        traced,
        span("remediation", {"strategy": "auto_retry", "success": False}).ok(),
        span(
            "remediation",
            {"strategy": "fallback_model", "success": True, "orchestrator.remediation.attempt": 2},
        ).ok(),
    )


@pytest.mark.parametrize(
    "failure", [CallFailed("again"), InvalidOutput("empty"), PolicyViolation("nobody")]
)
async def test_a_failed_attempt_is_a_result_and_the_next_strategy_follows(traced, failure):
    tries = Tries(auto_retry=failure, fallback_model="text")

    assert await engine().run("timeout", tries, task_id="t1") == "text"
    assert_span_tree(
        traced,
        span("remediation", {"strategy": "auto_retry", "success": False}).ok(),
        span("remediation", {"strategy": "fallback_model", "success": True}).ok(),
    )


async def test_abort_task_ends_the_walk_without_an_attempt(traced):
    tries = Tries()

    assert await engine().run("authentication", tries, task_id="t1") is None
    assert tries.tried == ["fallback_model"]
    assert_span_tree(
        traced,
        span("remediation", {"strategy": "fallback_model", "success": False}),
        span("remediation", {"strategy": "abort_task", "success": False}).ok(),
    )


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (BudgetExceeded("no money"), "budget_exceeded"),
        (TimeExceeded("no time"), "timeout"),
        (asyncio.CancelledError(), "cancelled"),
    ],
)
async def test_a_limit_ends_the_walk_and_is_an_error_of_the_span(traced, failure, code):
    tries = Tries(auto_retry=failure, fallback_model="text")

    with pytest.raises(type(failure)):
        await engine().run("server_error", tries, task_id="t1")

    assert tries.tried == ["auto_retry"]
    assert_span_tree(traced, span("remediation", {"success": False}).error(code))


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        ("rate_limit_exceeded", ["auto_retry", "fallback_model"]),
        ("timeout", ["auto_retry", "fallback_model"]),
        ("invalid_output", ["adjust_prompt", "fallback_model"]),
        ("context_length_exceeded", ["adjust_prompt", "fallback_model"]),
        ("validation_failed", ["adjust_prompt", "fallback_model", "skip_validator"]),
        ("something_new", ["auto_retry", "fallback_model"]),
        ("authentication", ["fallback_model"]),
        ("bad_request", ["fallback_model"]),
        ("low_score", ["fallback_model", "degrade_quality"]),
        ("no_model_left", []),
        ("policy_violation", []),
    ],
)
async def test_each_trigger_has_its_plan(trigger, expected):
    tries = Tries()

    await engine().run(trigger, tries, task_id="t1")

    assert tries.tried == expected


async def test_plans_can_be_given():
    tries = Tries()

    await engine(plans={"timeout": ("fallback_model",)}).run("timeout", tries, task_id="t1")

    assert tries.tried == ["fallback_model"]


async def test_a_result_that_is_false_is_a_result():
    tries = Tries(auto_retry="")

    assert await engine().run("timeout", tries, task_id="t1") == ""
    assert tries.tried == ["auto_retry"]


async def test_every_try_is_an_event():
    heard: list[Event] = []

    await engine(heard.append).run("timeout", Tries(fallback_model="text"), task_id="t1")

    def tried(strategy: Strategy, *, success: bool) -> RemediationTried:
        return RemediationTried(
            project_id="p", task_id="t1", strategy=strategy, trigger="timeout", success=success
        )

    assert heard == [tried("auto_retry", success=False), tried("fallback_model", success=True)]


def test_every_default_plan_is_in_the_documentation():
    page = (Path(__file__).parents[1] / "docs" / "recovery.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:3] for line in page.splitlines() if line.startswith("| `")]
    said = {
        trigger: tuple(re.findall(r"`(\w+)`", plan))
        for triggers, plan in rows
        for trigger in re.findall(r"`(\w+)`", triggers)
        if trigger not in STRATEGIES
    }

    assert said == DEFAULT_PLANS
    assert all(f"| `{strategy}` |" in page for strategy in STRATEGIES)


# What cannot help


@pytest.mark.parametrize(
    ("failure", "plan", "expected"),
    [
        ("authentication", ("fallback_model", "auto_retry"), ["fallback_model"]),
        ("timeout", ("fallback_model", "auto_retry"), ["fallback_model", "auto_retry"]),
    ],
)
async def test_what_failed_for_good_on_the_way_is_not_asked_again(failure, plan, expected):
    refusal = ProviderError("No.", code=failure, retryable=False)
    tries = Tries(fallback_model=refusal)

    await engine(plans={"timeout": plan}).run("timeout", tries, task_id="t1")

    assert tries.tried == expected


async def test_where_nobody_is_left_nobody_is_looked_for_again(traced):
    plan: RecoveryPlan = ("fallback_model", "auto_retry", "fallback_model")
    tries = Tries(fallback_model=NoModelLeft("nobody"))

    await engine(plans={"timeout": plan}).run("timeout", tries, task_id="t1")

    assert tries.tried == ["fallback_model", "auto_retry"]


async def test_what_is_not_possible_is_passed_over_without_a_span(traced):
    tries = Tries(fallback_model="text")

    await engine().run(
        "timeout", tries, task_id="t1", is_possible=lambda strategy: strategy != "auto_retry"
    )

    assert_span_tree(
        traced,
        span(
            "remediation",
            {"strategy": "fallback_model", "orchestrator.remediation.attempt": 1, "success": True},
        ),
    )


def test_every_default_plan_has_only_steps_that_can_help():
    assert checked(DEFAULT_PLANS) == DEFAULT_PLANS


@pytest.mark.parametrize(
    ("plans", "sentence"),
    [
        (
            {"timeuot": ["auto_retry"]},
            "There is no remediation trigger 'timeuot'; did you mean 'timeout'?",
        ),
        (
            {"timeout": ["auto_rety"]},
            "There is no remediation strategy 'auto_rety'; did you mean 'auto_retry'?",
        ),
        (
            {"timeout": ["pray"]},
            (
                "There is no remediation strategy 'pray'; there are auto_retry, fallback_model, "
                "adjust_prompt, skip_validator, degrade_quality, abort_task."
            ),
        ),
        (
            {"authentication": ["auto_retry"]},
            (
                "After authentication, the strategy auto_retry can do nothing; what can help is "
                "fallback_model, abort_task."
            ),
        ),
        (
            {"timeout": ["abort_task", "fallback_model"]},
            (
                "After timeout, the strategy fallback_model is never reached: abort_task gives the "
                "task up. Put abort_task last."
            ),
        ),
        (
            {"low_score": ["skip_validator"]},
            (
                "After low_score, the strategy skip_validator can do nothing; what can help is "
                "auto_retry, fallback_model, adjust_prompt, degrade_quality, abort_task."
            ),
        ),
    ],
)
def test_a_plan_that_cannot_be_meant_is_refused(plans, sentence):
    with pytest.raises(InputError) as refusal:
        checked(plans)

    assert str(refusal.value) == sentence
