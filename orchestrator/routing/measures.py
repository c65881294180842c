"""What is expected of a model: what the catalogue says, moved by what was measured."""

from typing import Final

from orchestrator.catalogue import ModelEntry
from orchestrator.policy_rules import forecast
from orchestrator.routing.backends import Candidate
from orchestrator.telemetry import Profile

PRIOR_WEIGHT: Final = 3
"""What the catalogue says counts as much as so many measurements."""


def candidate(model: ModelEntry, profile: Profile, rank: int) -> Candidate:
    """The model as the backends see it; `rank` is its place in the catalogue."""
    return Candidate(
        model=model.id,
        quality=expected_quality(model, profile),
        latency_s=_latency_ms(model, profile) / 1000,
        cost_usd=_expected_cost(model, profile),
        rank=rank,
    )


def expected_quality(model: ModelEntry, profile: Profile) -> float:
    """The catalogue's quality, moved by measured scores, times the share of calls that succeed.

    A first bad score or a first failed call moves it without burying the model.
    """
    quality = _moved(model.quality, profile.quality, profile.scores)
    successes = profile.calls - profile.failures
    return quality * ((PRIOR_WEIGHT + successes) / (PRIOR_WEIGHT + profile.calls))


def _expected_cost(model: ModelEntry, profile: Profile) -> float:
    """Dollars for a typical call, moved by what its drafts did cost."""
    return _moved(float(forecast(model)), profile.draft_cost_usd, profile.drafts)


def _moved(prior: float, mean: float | None, measurements: float) -> float:
    """What was expected, moved by the mean of so many measurements; without any, to the digit."""
    if mean is None:
        return prior
    return prior + (mean - prior) * measurements / (PRIOR_WEIGHT + measurements)


def _latency_ms(model: ModelEntry, profile: Profile) -> float:
    """Measured, or what the catalogue says of an offline model; of the others it says nothing."""
    return model.latency_ms if profile.p95_latency_ms is None else profile.p95_latency_ms
