"""Telemetry knows each model by what it did."""

from decimal import Decimal

import pytest

from orchestrator.events import AttemptScored, CallCompleted, CallStarted
from orchestrator.models import Usage
from orchestrator.tallies import HALF_LIFE_S, LATENCY_WINDOW
from orchestrator.telemetry import Profile, TelemetryCollector


def completed(
    model="a",
    *,
    latency_ms=10.0,
    cost="0",
    error_type=None,
    call_type="generate",
    attempts=1,
    is_retold=False,
):
    return CallCompleted(
        project_id="p",
        call_type=call_type,
        model=model,
        provider="north",
        task_id="t1",
        usage=Usage(),
        cost_usd=Decimal(cost),
        latency_ms=latency_ms,
        attempts=attempts,
        error_type=error_type,
        is_retold=is_retold,
    )


def scored(score, model="a", *, is_retold=False):
    return AttemptScored(
        project_id="p", task_id="t1", iteration=1, model=model, score=score, is_retold=is_retold
    )


def fed(*events, now=lambda: 0.0):
    telemetry = TelemetryCollector(now=now)
    for event in events:
        telemetry(event)
    return telemetry


def test_a_stranger_has_an_empty_profile():
    telemetry = fed()

    assert telemetry.profile("a") == Profile()
    assert telemetry.profile("a").p95_latency_ms is None


def test_calls_failures_and_cost_are_counted_per_model():
    telemetry = fed(
        completed(cost="0.1"),
        completed(cost="0.2", error_type="timeout"),
        completed("b", cost="5"),
    )

    profile = telemetry.profile("a")

    assert (profile.calls, profile.failures) == (2, 1)
    assert profile.cost_usd == pytest.approx(0.3)


def test_a_quick_failure_does_not_look_like_a_quick_model():
    telemetry = fed(completed(latency_ms=800), completed(latency_ms=1, error_type="unauthorized"))

    profile = telemetry.profile("a")

    assert profile.ema_latency_ms == profile.p95_latency_ms == 800


def test_the_moving_average_follows_the_newest_call_by_a_fifth():
    telemetry = fed(completed(latency_ms=100), completed(latency_ms=200))

    assert telemetry.profile("a").ema_latency_ms == pytest.approx(120)


def test_p95_is_the_nearest_rank():
    telemetry = fed(*(completed(latency_ms=ms) for ms in range(100, 0, -1)))

    assert telemetry.profile("a").p95_latency_ms == 95


def test_p95_forgets_calls_that_left_the_window():
    slow = [completed(latency_ms=9_000) for _ in range(LATENCY_WINDOW)]
    quick = [completed(latency_ms=10) for _ in range(LATENCY_WINDOW)]

    profile = fed(*slow, *quick).profile("a")

    assert profile.p95_latency_ms == 10
    assert profile.calls == 2 * LATENCY_WINDOW


def test_quality_is_the_mean_of_the_scores():
    profile = fed(scored(0.5), scored(1.0), scored(0.0, model="b")).profile("a")

    assert (profile.scores, profile.quality) == (2, 0.75)


def test_other_events_change_nothing():
    started = CallStarted(
        project_id="p", call_type="generate", model="a", task_id="t1", iteration=1
    )

    assert fed(started).profile("a") == Profile()


@pytest.mark.parametrize(
    "event",
    [
        completed(is_retold=True),
        completed(attempts=0, error_type="circuit_open"),
        completed(attempts=0, error_type="budget_exceeded"),
        completed(error_type="cancelled"),
    ],
    ids=["retold", "not asked", "not paid for", "cancelled"],
)
def test_a_call_that_says_nothing_of_its_model_is_not_counted(event):
    assert fed(event).profile("a") == Profile()


def test_the_score_of_an_attempt_that_the_journal_tells_again_counts_once():
    telemetry = fed(scored(0.1, is_retold=True), scored(0.9))

    assert (telemetry.profile("a").scores, telemetry.profile("a").quality) == (1, 0.9)


def test_what_a_model_costs_is_told_by_what_it_wrote():
    telemetry = fed(
        completed(cost="0.2"),
        completed(cost="0.4", call_type="revise"),
        completed(cost="0.01", call_type="evaluate"),
        completed(cost="0.3", error_type="timeout"),
    )

    assert telemetry.profile("a").draft_cost_usd == pytest.approx(0.3)
    assert telemetry.profile("a").drafts == 2


def test_measurements_fade_by_half_in_two_weeks_and_a_mean_stays_what_it_was():
    now = 0.0
    telemetry = TelemetryCollector(now=lambda: now)
    for event in (completed(latency_ms=1), completed(latency_ms=9), scored(0.5), scored(0.7)):
        telemetry(event)

    now = HALF_LIFE_S
    profile = telemetry.profile("a")

    assert (profile.calls, profile.scores) == (1, 1)
    assert profile.quality == pytest.approx(0.6)
    assert profile.p95_latency_ms == 9  # the newer half of the latencies


def test_within_an_hour_and_with_a_clock_set_back_nothing_fades():
    now = 0.0
    telemetry = TelemetryCollector(now=lambda: now)
    telemetry(completed())

    now = 3599.0
    assert telemetry.profile("a").calls == 1
    now = -1e9
    assert telemetry.profile("a").calls == 1
