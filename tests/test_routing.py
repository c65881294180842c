"""Of the models that may serve, the best one does, and says why."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.admission import Gate
from orchestrator.breaker import Breakers
from orchestrator.budget import Deadline, Ledger
from orchestrator.catalogue import Catalogue, ModelEntry, Price
from orchestrator.errors import InputError, NoModelLeft, PolicyViolation, ProviderError
from orchestrator.events import AttemptScored, CallCompleted, ModelChosen, NobodyChosen
from orchestrator.hooks import HookRegistry
from orchestrator.models import Prompt, Usage
from orchestrator.policies import Policy, Rules
from orchestrator.policy_engine import PolicyEngine
from orchestrator.rate_limits import RateLimits
from orchestrator.routing import GreedyBackend, ParetoBackend, Router, Selection, WeightedSumBackend
from orchestrator.routing.measures import expected_quality
from orchestrator.telemetry import Profile, TelemetryCollector
from pytest_otel_spans import assert_span_tree, span
from tests.fakes import ManualClock, Recorder, gate


def model(name, provider="north", **facts):
    return ModelEntry(id=name, provider=provider, api="offline", **facts)


def router(
    *models,
    policies=(),
    telemetry=None,
    ready=None,
    pins=None,
    watch=None,
    ledger=None,
    hook=None,
    backend=None,
):
    telemetry = telemetry or TelemetryCollector()
    judge = PolicyEngine(policies, project_id="p", hooks=HookRegistry(), telemetry=telemetry)
    ready = [entry.id for entry in models] if ready is None else ready
    return Router(
        project_id="p",
        catalogue=Catalogue(models=models),
        ready=ready,
        policies=judge,
        telemetry=telemetry,
        gate=watch or gate(),
        ledger=ledger or Ledger(),
        hooks=HookRegistry([hook] if hook else []),
        pins=pins or {},
        backend=backend or ParetoBackend(),
    )


def hard(**rules):
    return Policy(name="p", rules=Rules(**rules))


def call(name, *, latency_ms=1.0, error_type=None):
    return CallCompleted(
        project_id="p",
        call_type="generate",
        model=name,
        provider="north",
        task_id="t1",
        usage=Usage(),
        cost_usd=Decimal(0),
        latency_ms=latency_ms,
        attempts=1,
        error_type=error_type,
    )


def dollars(per_million):
    return Price(input=Decimal(per_million), output=Decimal(per_million))


GOOD, FAIR = model("good", quality=0.8), model("fair", quality=0.6)


async def test_choosing_opens_one_span_of_check(traced):
    await router(GOOD, FAIR).choose("author")

    assert_span_tree(traced, span("policy_check", {"orchestrator.policy.operation": "check"}))


async def test_the_better_model_is_chosen_and_the_reason_is_a_sentence():
    choice = await router(FAIR, GOOD).choose("author")

    assert choice.model == GOOD
    assert choice.reason == (
        "'good' is the best of 2: quality 0.80, $0.0000 a call, no latency measured yet; "
        "no other one is better in anything."
    )
    assert choice.crosses is False


async def test_in_a_tie_the_catalogue_decides():
    first, second = model("z"), model("a")

    choice = await router(first, second, ready=["a", "z"]).choose("author")

    assert choice.model == first


async def test_a_model_that_is_not_ready_is_no_candidate():
    choice = await router(GOOD, FAIR, ready=["fair"]).choose("author")

    assert choice.model == FAIR


async def test_a_dear_model_has_to_be_worth_it():
    # A typical call costs $0.16 at forty dollars a million tokens, and 0.08 at twenty.
    dear = model("dear", quality=0.7, price=dollars(40))
    fairly_dear = model("fairly-dear", quality=0.7, price=dollars(20))

    assert (await router(dear, FAIR).choose("author")).model == FAIR
    assert (await router(fairly_dear, FAIR).choose("author")).model == fairly_dear


async def test_a_slow_model_has_to_be_worth_it():
    telemetry = TelemetryCollector()
    telemetry(call("good", latency_ms=120_000))

    choice = await router(GOOD, FAIR, telemetry=telemetry).choose("author")

    assert choice.model == FAIR


async def test_scores_of_the_run_outweigh_the_catalogue_in_time():
    telemetry = TelemetryCollector()
    choose = router(GOOD, FAIR, telemetry=telemetry).choose
    poor = AttemptScored(project_id="p", task_id="t1", iteration=1, model="good", score=0.2)

    telemetry(poor)
    after_one = await choose("author")
    telemetry(poor)
    after_two = await choose("author")

    assert after_one.model == GOOD
    assert after_two.model == FAIR


async def test_failed_calls_count_against_a_model():
    telemetry = TelemetryCollector()
    choose = router(GOOD, FAIR, telemetry=telemetry).choose

    for _ in range(2):
        telemetry(call("good", error_type="server_error"))

    assert (await choose("author")).model == FAIR


def test_without_measurements_quality_is_the_catalogues():
    assert expected_quality(GOOD, Profile()) == 0.8


async def test_a_reviewer_is_of_another_provider_even_if_it_is_worse():
    other = model("other", "south", quality=0.1)

    choice = await router(GOOD, FAIR, other).choose("reviewer", author=GOOD)

    assert choice.model == other
    assert choice.crosses is True
    assert choice.reason == (
        "'other' is the only one of another provider than the author's: quality 0.10, "
        "$0.0000 a call, no latency measured yet."
    )


async def test_a_reviewer_of_the_same_provider_is_another_model_and_says_so():
    choice = await router(GOOD, FAIR).choose("reviewer", author=GOOD)

    assert choice.model == FAIR
    assert choice.crosses is False
    assert "the only one of the author's own provider, as no other may judge:" in choice.reason


async def test_an_author_that_is_alone_judges_its_own_work_and_says_so():
    choice = await router(GOOD).choose("reviewer", author=GOOD)

    assert choice.model == GOOD
    assert choice.crosses is False
    assert "the only one, the author itself, as nobody else may judge:" in choice.reason


async def test_a_policy_outweighs_a_reviewer_of_another_provider():
    other = model("other", "south")

    choice = await router(GOOD, other, policies=[hard(blocked_providers=["south"])]).choose(
        "reviewer", author=GOOD
    )

    assert choice.model == GOOD


async def test_a_fallback_is_none_of_those_that_failed():
    choice = await router(GOOD, FAIR).choose("fallback", excluded=frozenset({"good"}))

    assert choice.model == FAIR


async def test_a_fallback_obeys_policies_too():
    routes = router(GOOD, FAIR, policies=[hard(blocked_models=["fair"])])

    with pytest.raises(PolicyViolation):
        await routes.choose("fallback", excluded=frozenset({"good"}))


async def test_when_every_model_failed_the_call_is_lost(traced):
    with pytest.raises(NoModelLeft) as failure:
        await router(GOOD, FAIR).choose("fallback", excluded=frozenset({"good", "fair"}))

    assert str(failure.value) == (
        "No model is left to serve as fallback: 'fair' and 'good' did not do, "
        "and no other is ready. Make another model of the catalogue ready."
    )
    assert traced.none("policy_check")


async def test_when_policies_leave_nobody_every_exclusion_is_named():
    routes = router(
        GOOD,
        model("far", region="us"),
        policies=[
            Policy(name="eu-only", rules=Rules(blocked_regions=("us",))),
            Policy(name="watch", mode="monitor", rules=Rules(blocked_models=("far",))),
        ],
    )

    with pytest.raises(PolicyViolation) as refusal:
        await routes.choose("author")

    assert str(refusal.value) == (
        "Policies leave no model to serve as author: "
        "'good' breaks blocked_regions of policy 'eu-only' (its region is not stated); "
        "'far' breaks blocked_regions of policy 'eu-only' (its region is us). "
        "Change the policy file, or make a model ready that it allows."
    )


async def test_what_the_task_has_spent_reaches_the_policies():
    routes = router(GOOD, policies=[hard(max_cost_per_task_usd=1)])

    with pytest.raises(PolicyViolation, match="max_cost_per_task_usd"):
        await routes.choose("author", spent_usd=Decimal("1.01"))


async def test_a_pinned_model_is_enforced_and_not_selected(traced):
    choice = await router(GOOD, FAIR, pins={"author": "fair"}).choose("author")

    assert choice.model == FAIR
    assert choice.reason == "'fair' is pinned as author."
    assert_span_tree(traced, span("policy_check", {"orchestrator.policy.operation": "enforce"}))


async def test_a_pinned_model_obeys_policies(traced):
    routes = router(GOOD, FAIR, policies=[hard(blocked_models=["fair"])], pins={"author": "fair"})

    with pytest.raises(PolicyViolation, match="'fair' breaks blocked_models"):
        await routes.choose("author")

    assert_span_tree(traced, span("policy_check", {"passed": False}))


async def test_a_pinned_model_that_failed_is_replaced_by_selection():
    routes = router(GOOD, FAIR, pins={"author": "good"})

    choice = await routes.choose("author", excluded=frozenset({"good"}))

    assert choice.model == FAIR


async def test_a_pinned_reviewer_crosses_when_it_is_of_another_provider():
    other = model("other", "south")

    choice = await router(GOOD, other, pins={"reviewer": "other"}).choose("reviewer", author=GOOD)

    assert choice.crosses is True


class Watch(Gate):
    """A gate with these findings: how long each resting model rests, who refused the key."""

    def __init__(self, resting=None, refused=()):
        clock = ManualClock()
        super().__init__(
            project_id="p",
            breakers=Breakers(clock),
            limits=RateLimits(Catalogue(models=(GOOD,)), clock),
            deadline=Deadline(clock),
            hooks=HookRegistry(),
            clock=clock,
        )
        self._resting, self._refused = resting or {}, refused

    def rest_s(self, model):
        return self._resting.get(model.id)

    def refusal(self, model):
        if model.id not in self._refused:
            return None
        return ProviderError("Set A_KEY.", code="authentication", retryable=False)


async def test_a_model_that_is_left_alone_is_passed_over():
    choice = await router(GOOD, FAIR, watch=Watch({"good": 9.0})).choose("author")

    assert choice.model == FAIR
    assert choice.others == (GOOD,)


async def test_where_every_model_is_left_alone_the_first_to_be_tried_again_serves():
    routes = router(GOOD, FAIR, model("last"), watch=Watch({"good": 9.0, "fair": 2.0, "last": 5.0}))

    assert (await routes.choose("author")).model == FAIR


async def test_who_refused_the_key_is_passed_over_even_when_the_others_are_left_alone():
    choice = await router(GOOD, FAIR, watch=Watch({"fair": 9.0}, refused=["good"])).choose("author")

    assert choice.model == FAIR


async def test_when_everybody_refused_the_key_the_sentence_says_what_to_do():
    with pytest.raises(NoModelLeft) as failure:
        await router(GOOD, FAIR, watch=Watch(refused=["good", "fair"])).choose("author")

    assert str(failure.value) == "No model is left to serve as author. Set A_KEY."


# Everybody who was looked at


def put_out(event):
    """Whom what put out of the running."""
    return {each.model: each.barred_by for each in event.contenders if each.barred_by}


def said_of(event, name):
    return next(each.why for each in event.contenders if each.model == name)


async def test_a_choice_is_told_with_everybody_who_was_looked_at_and_what_spoke_against_them():
    hook = Recorder()
    far = model("far", "west", quality=0.9)
    models = (
        GOOD,
        far,
        model("refused"),
        model("asleep"),
        model("dear", price=dollars(1000)),
        model("own", "east"),
        model("poor", quality=0.1),
        model("spent"),
    )
    routes = router(
        *models,
        policies=[hard(blocked_providers=["west"])],
        watch=Watch({"asleep": 9.0}, refused=["refused"]),
        ledger=Ledger(1),
        hook=hook,
    )

    await routes.choose(
        "reviewer", task_id="t1", author=model("x", "east"), excluded=frozenset({"spent"})
    )

    (event,) = hook.of(ModelChosen)
    assert (event.task_id, event.role, event.model, event.routing, event.crosses) == (
        "t1",
        "reviewer",
        "good",
        "pareto",
        True,
    )
    assert [each.model for each in event.contenders] == [each.id for each in models]
    assert put_out(event) == {
        "far": "policy",
        "refused": "refused_key",
        "asleep": "circuit_open",
        "dear": "budget",
        "own": "independence",
        "spent": "tried",
    }
    assert [said_of(event, each.id) for each in models] == [
        "",
        "blocked_providers of policy 'p': its provider is west",
        "Set A_KEY.",
        "it keeps failing and is tried again in 9 s",
        "a call may cost $4, more than is left",
        "it is of the author's provider",
        "'good' is at least as good in everything",
        "it did not do before",
    ]
    assert [each.score is None for each in event.contenders] == [
        each.id not in {"good", "poor"} for each in models
    ]


async def test_a_selection_that_comes_to_nothing_is_told_as_such():
    hook = Recorder()
    routes = router(GOOD, FAIR, policies=[hard(blocked_providers=["north"])], hook=hook)

    with pytest.raises(PolicyViolation) as refusal:
        await routes.choose("author", task_id="t3")

    (event,) = hook.of(NobodyChosen)
    assert (event.task_id, event.error_type, event.reason) == (
        "t3",
        "policy_violation",
        str(refusal.value),
    )
    assert put_out(event) == {"good": "policy", "fair": "policy"}


async def test_a_pinned_choice_is_told_as_the_users():
    hook = Recorder()

    await router(GOOD, FAIR, pins={"author": "fair"}, hook=hook).choose("author")

    (event,) = hook.of(ModelChosen)
    assert (event.model, event.routing) == ("fair", "pinned")


class Rogue:
    """A backend that chooses whom it likes."""

    name = "rogue"

    def __init__(self, favourite):
        self._favourite = favourite

    def select(self, candidates, left):
        return Selection(model=self._favourite, reason="it likes it", scores={})


@pytest.mark.parametrize("favourite", ["blocked", "asleep", "a stranger"])
async def test_a_backend_of_somebody_elses_cannot_choose_who_may_not_serve(favourite):
    routes = router(
        GOOD,
        model("blocked"),
        model("asleep"),
        policies=[hard(blocked_models=["blocked"])],
        watch=Watch({"asleep": 9.0}),
        backend=Rogue(favourite),
    )

    with pytest.raises(InputError) as refusal:
        await routes.choose("author")

    assert str(refusal.value) == (
        f"The routing backend 'rogue' chose {favourite!r}, which was not among its candidates; "
        "it may choose 'good'."
    )


# Under what is left


async def test_a_model_whose_worst_case_no_longer_fits_is_no_candidate():
    dear = model("dear", quality=0.99, price=dollars(10))
    prompt = Prompt(system="", text="x", max_tokens=1000)  # a little more than a cent
    ledger = Ledger(Decimal("0.02"))
    routes = router(dear, FAIR, ledger=ledger, backend=GreedyBackend())

    before = await routes.choose("author", prompt=prompt)
    async with ledger.reserve(Decimal("0.015")) as reservation:
        reservation.settle(Decimal("0.015"))
    after = await routes.choose("author", prompt=prompt)

    assert (before.model, after.model) == (dear, FAIR)
    assert (routes.affords(dear, prompt), routes.affords(FAIR, prompt)) == (False, True)


async def test_where_nobody_fits_any_more_the_cheapest_is_left_to_the_ledger():
    hook = Recorder()
    dear, cheap = model("dear", price=dollars(90)), model("cheap", price=dollars(80))

    choice = await router(dear, cheap, ledger=Ledger(0.01), hook=hook).choose("author")

    assert choice.model == cheap
    assert choice.reason.endswith(
        "although a call may cost $0.32, more than is left: so do all the others."
    )
    assert put_out(hook.of(ModelChosen)[0]) == {"dear": "budget"}


def test_without_a_ready_model_the_keys_are_named():
    keyed = [model("x", key_env="X_KEY"), model("y", key_env="Y_KEY"), model("z", key_env="Z_KEY")]

    with pytest.raises(InputError) as refusal:
        router(*keyed, ready=[])

    assert str(refusal.value) == (
        "No model of the catalogue is ready. Set the key of one (X_KEY, Y_KEY, Z_KEY), or add "
        "an offline model."
    )


def test_without_a_ready_model_that_has_a_key_another_is_asked_for():
    with pytest.raises(InputError, match=r"is ready\. Add an offline model"):
        router(GOOD, ready=[])


def test_a_pinned_model_has_to_be_ready():
    with pytest.raises(InputError) as refusal:
        router(GOOD, FAIR, ready=["good"], pins={"reviewer": "fair"})

    assert str(refusal.value) == (
        "Model 'fair' is pinned as reviewer, but it is not ready; ready are 'good'."
    )


async def test_where_nobody_fits_any_more_nobody_waits_for_a_model_that_rests():
    asleep, awake = model("asleep", price=dollars(80)), model("awake", price=dollars(90))
    routes = router(asleep, awake, ledger=Ledger(0.01), watch=Watch({"asleep": 9.0}))

    assert (await routes.choose("author")).model == awake


# Whatever is the matter with the models


@settings(deadline=None)
@given(
    troubles=st.lists(
        st.sets(st.sampled_from(["blocked", "refused", "resting", "dear", "tried"])),
        min_size=1,
        max_size=6,
    ),
    backend=st.sampled_from([GreedyBackend(), WeightedSumBackend(), ParetoBackend()]),
)
async def test_nobody_serves_who_may_not_and_nobody_is_asked_in_vain_while_another_can(
    troubles, backend
):
    models = [
        model(f"m{number}", price=dollars(1000 if "dear" in trouble else 1))
        for number, trouble in enumerate(troubles)
    ]
    having = {
        name: [each.id for each, trouble in zip(models, troubles, strict=True) if name in trouble]
        for name in ("blocked", "refused", "resting", "dear", "tried")
    }
    routes = router(
        *models,
        policies=[hard(blocked_models=having["blocked"])] if having["blocked"] else (),
        watch=Watch(dict.fromkeys(having["resting"], 9.0), refused=having["refused"]),
        ledger=Ledger(1),
        backend=backend,
    )
    allowed = [
        each.id
        for each in models
        if each.id not in {*having["blocked"], *having["refused"], *having["tried"]}
    ]

    try:
        choice = await routes.choose("author", excluded=frozenset(having["tried"]))
    except (NoModelLeft, PolicyViolation):
        assert not allowed
        return

    assert choice.model.id in allowed
    affordable = [name for name in allowed if name not in having["dear"]] or allowed
    awake = [name for name in affordable if name not in having["resting"]] or affordable
    assert choice.model.id in awake
    assert {other.id for other in choice.others} < set(allowed)
