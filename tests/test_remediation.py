"""A recovery is tried for real, and its span says what came of it."""

import asyncio

import pytest

from orchestrator.errors import (
    BudgetExceeded,
    CallFailed,
    InvalidOutput,
    PolicyViolation,
    TimeExceeded,
)
from orchestrator.events import Event, RemediationTried
from orchestrator.hooks import HookRegistry
from orchestrator.models import Strategy
from orchestrator.remediation import DEFAULT_PLANS, RemediationEngine
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
        ("invalid_output", ["auto_retry", "fallback_model"]),
        ("validation_failed", ["auto_retry", "fallback_model"]),
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

    await engine(plans={"timeout": ("degrade_quality",)}).run("timeout", tries, task_id="t1")

    assert tries.tried == ["degrade_quality"]


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
