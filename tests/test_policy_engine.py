"""Policies decide at every selection, and each decision is one span."""

from decimal import Decimal

import pytest
from hypothesis import given, settings

from orchestrator.catalogue import ModelEntry, Price
from orchestrator.errors import PolicyViolation
from orchestrator.events import CallCompleted, Event, PolicyDecided
from orchestrator.hooks import HookRegistry
from orchestrator.models import Usage
from orchestrator.policies import Policy, Rules, Violation
from orchestrator.policy_engine import PolicyEngine
from orchestrator.policy_rules import ENOUGH_CALLS, forecast
from orchestrator.telemetry import TelemetryCollector
from pytest_otel_spans import assert_span_tree, span
from tests.policy_sets import candidates, forbids, policy_sets


def model(name="a", provider="north", **facts):
    return ModelEntry(id=name, provider=provider, api="offline", **facts)


def policy(name="p", mode="hard", **rules):
    return Policy(name=name, mode=mode, rules=Rules(**rules))


def engine(*policies, hooks=(), telemetry=None):
    return PolicyEngine(
        policies,
        project_id="project",
        hooks=HookRegistry(hooks),
        telemetry=telemetry or TelemetryCollector(),
    )


NORTH, SOUTH = model("a", "north"), model("b", "south")


async def test_check_opens_one_span(traced):
    await engine(policy(blocked_providers=["south"])).check([NORTH, SOUTH], role="author")

    assert_span_tree(
        traced,
        span(
            "policy_check",
            {
                "policies_count": 1,
                "passed": True,
                "violations_count": 1,
                "orchestrator.policy.operation": "check",
                "orchestrator.policy.mode": "hard",
                "orchestrator.policy.violated": ("blocked_providers",),
                "openinference.span.kind": "GUARDRAIL",
            },
            only=True,
        )
        .ok()
        .event("orchestrator.policy.violation", {"policy": "p", "rule": "blocked_providers"}),
    )


async def test_without_policies_the_verdict_still_has_its_span(traced):
    verdict = await engine().check([NORTH, SOUTH], role="author")

    assert verdict.allowed == (NORTH, SOUTH)
    assert_span_tree(
        traced,
        span(
            "policy_check",
            {
                "policies_count": 0,
                "passed": True,
                "violations_count": 0,
                "orchestrator.policy.operation": "check",
                "openinference.span.kind": "GUARDRAIL",
            },
            only=True,
        ),
    )


async def test_enforce_opens_one_span_and_a_refusal_is_no_error_of_it(traced):
    with pytest.raises(PolicyViolation):
        await engine(policy(blocked_models=["a"])).enforce(NORTH, role="author")

    assert_span_tree(
        traced,
        span(
            "policy_check",
            {
                "passed": False,
                "violations_count": 1,
                "orchestrator.policy.operation": "enforce",
            },
        ).ok(),
    )


async def test_enforce_names_model_rule_and_policy():
    with pytest.raises(PolicyViolation) as refusal:
        await engine(policy("no-a", blocked_models=["a"])).enforce(NORTH, role="reviewer")

    assert str(refusal.value) == (
        "Policies leave no model to serve as reviewer: 'a' breaks blocked_models of policy 'no-a' "
        "(its model is a). Change the policy file, or make a model ready that it allows."
    )


@pytest.mark.parametrize("mode", ["soft", "monitor"])
async def test_enforce_lets_pass_what_no_hard_rule_forbids(traced, mode):
    await engine(policy(mode=mode, blocked_models=["a"])).enforce(NORTH, role="author")

    assert_span_tree(traced, span("policy_check", {"passed": True, "violations_count": 1}))


async def test_a_hard_rule_excludes():
    verdict = await engine(policy(blocked_providers=["south"])).check([NORTH, SOUTH], role="author")

    assert verdict.allowed == (NORTH,)


async def test_a_soft_rule_yields_when_no_clean_model_is_left():
    judge = engine(policy(mode="soft", blocked_providers=["south"]))

    with_choice = await judge.check([SOUTH, NORTH], role="author")
    without_choice = await judge.check([SOUTH], role="author")

    assert with_choice.allowed == (NORTH,)
    assert without_choice.allowed == (SOUTH,)
    assert [each.mode for each in without_choice.violations] == ["soft"]


async def test_a_soft_rule_never_brings_back_what_a_hard_one_excludes():
    judge = engine(
        policy("h", blocked_models=["a"]), policy("s", mode="soft", blocked_models=["b"])
    )

    verdict = await judge.check([NORTH, SOUTH], role="author")

    assert verdict.allowed == (SOUTH,)


async def test_a_monitored_rule_counts_and_excludes_nobody():
    judge = engine(policy(mode="monitor", blocked_providers=["south"]))

    verdict = await judge.check([NORTH, SOUTH], role="author")

    assert verdict.allowed == (NORTH, SOUTH)
    assert len(verdict.violations) == 1


async def test_a_later_policy_cannot_loosen_an_earlier_one():
    judge = engine(
        policy("org", allowed_models=["a"]),
        policy("job", mode="monitor", allowed_models=["a", "b"]),
    )

    verdict = await judge.check([NORTH, SOUTH], role="author")

    assert verdict.allowed == (NORTH,)


EU = model(region="eu")
TAGGED = model(tags=frozenset({"no_train"}))
DEAR = model(price=Price(input=Decimal(100), output=Decimal(100)))


@pytest.mark.parametrize(
    ("candidate", "rules", "why"),
    [
        (NORTH, {"allowed_providers": ["south"]}, "its provider is north"),
        (NORTH, {"blocked_providers": ["north"]}, "its provider is north"),
        (NORTH, {"allowed_models": ["b"]}, "its model is a"),
        (NORTH, {"blocked_models": ["a"]}, "its model is a"),
        (EU, {"allowed_regions": ["us"]}, "its region is eu"),
        (EU, {"blocked_regions": ["eu"]}, "its region is eu"),
        (NORTH, {"allowed_regions": ["us"]}, "its region is not stated"),
        (NORTH, {"blocked_regions": ["us"]}, "its region is not stated"),
        (TAGGED, {"required_tags": ["no_train", "pii_allowed"]}, "it lacks pii_allowed"),
        (DEAR, {"max_cost_per_task_usd": 0.39}, "about $0.4, more than $0.39"),
        (DEAR, {"max_cost_per_task_usd": 0}, "about $0.4, more than $0"),
    ],
)
async def test_each_rule_excludes_what_breaks_it(candidate, rules, why):
    verdict = await engine(policy(**rules)).check([candidate], role="author")

    assert not verdict.passed
    assert verdict.violated == tuple(rules)
    assert verdict.violations[0].reason.endswith(why)


@pytest.mark.parametrize(
    ("candidate", "rules"),
    [
        (NORTH, {"allowed_providers": ["north"], "blocked_providers": ["south"]}),
        (NORTH, {"allowed_models": ["a"], "blocked_models": ["b"]}),
        (EU, {"allowed_regions": ["eu"], "blocked_regions": ["us"]}),
        (TAGGED, {"required_tags": ["no_train"]}),
        (DEAR, {"max_cost_per_task_usd": 0.4}),
        (NORTH, {"max_latency_ms": 0}),
    ],
)
async def test_each_rule_lets_pass_what_keeps_it(candidate, rules):
    verdict = await engine(policy(**rules)).check([candidate], role="author")

    assert verdict.passed
    assert verdict.violations == ()


async def test_what_a_task_has_spent_counts_against_its_limit():
    judge = engine(policy(max_cost_per_task_usd=1))

    before = await judge.check([DEAR], role="author", spent_usd=1 - forecast(DEAR))
    after = await judge.check([DEAR], role="author", spent_usd=Decimal("0.61"))

    assert before.passed
    assert not after.passed


@pytest.mark.parametrize(
    ("calls", "latency_ms", "passed"),
    [(ENOUGH_CALLS, 901, False), (ENOUGH_CALLS, 900, True), (ENOUGH_CALLS - 1, 901, True)],
)
async def test_latency_excludes_once_it_was_measured_often_enough(calls, latency_ms, passed):
    telemetry = TelemetryCollector()
    for _ in range(calls):
        telemetry(
            CallCompleted(
                project_id="project",
                call_type="generate",
                model="a",
                provider="north",
                task_id="t1",
                usage=Usage(),
                cost_usd=Decimal(0),
                latency_ms=latency_ms,
                attempts=1,
            )
        )

    verdict = await engine(policy(max_latency_ms=900), telemetry=telemetry).check(
        [NORTH], role="author"
    )

    assert verdict.passed is passed


async def test_every_decision_is_an_event():
    heard: list[Event] = []
    judge = engine(policy(blocked_models=["a"]), hooks=[heard.append])

    await judge.check([NORTH, SOUTH], role="reviewer", task_id="t1")
    with pytest.raises(PolicyViolation):
        await judge.enforce(NORTH, role="planner")

    broken = Violation(
        model="a", policy="p", rule="blocked_models", mode="hard", reason="its model is a"
    )
    assert heard == [
        PolicyDecided(
            project_id="project",
            role="reviewer",
            operation="check",
            task_id="t1",
            candidates=("a", "b"),
            allowed=("b",),
            violations=(broken,),
        ),
        PolicyDecided(
            project_id="project",
            role="planner",
            operation="enforce",
            task_id=None,
            candidates=("a",),
            allowed=(),
            violations=(broken,),
        ),
    ]


@settings(deadline=None)
@given(policy_sets, candidates)
async def test_what_a_hard_rule_excludes_is_never_allowed_and_nothing_else_is_lost(
    policies, candidates
):
    verdict = await engine(*policies).check(candidates, role="author")

    def breaks(entry, mode):
        return any(each.mode == mode and forbids(each.rules, entry) for each in policies)

    possible = tuple(entry for entry in candidates if not breaks(entry, "hard"))
    clean = tuple(entry for entry in possible if not breaks(entry, "soft"))
    assert verdict.allowed == (clean or possible)
