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
    measured = (profile.quality or 0.0) * profile.scores
    quality = (PRIOR_WEIGHT * model.quality + measured) / (PRIOR_WEIGHT + profile.scores)
    successes = profile.calls - profile.failures
    return quality * (PRIOR_WEIGHT + successes) / (PRIOR_WEIGHT + profile.calls)


def _expected_cost(model: ModelEntry, profile: Profile) -> float:
    """Dollars for a typical call, moved by what its drafts did cost."""
    measured = (profile.draft_cost_usd or 0.0) * profile.drafts
    return (PRIOR_WEIGHT * float(forecast(model)) + measured) / (PRIOR_WEIGHT + profile.drafts)


def _latency_ms(model: ModelEntry, profile: Profile) -> float:
    """Measured, or what the catalogue says of an offline model."""
    return model.latency_ms if profile.p95_latency_ms is None else profile.p95_latency_ms
