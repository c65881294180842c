"""What is known of each model by having used it: calls, failures, latency, cost, quality."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from orchestrator.events import AttemptScored, CallCompleted, Event
from orchestrator.models import CallType
from orchestrator.tallies import Counts, Tally, moving_average, p95

WRITING: Final[frozenset[CallType]] = frozenset({"generate", "revise"})
"""Calls whose cost tells what a model costs: a score is short, whoever gives it."""

CANCELLED: Final = "cancelled"

_NOTHING: Final[Mapping[str, Tally]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What is known of one model; None is what was never measured.

    Counts fade with time and need not be whole. Latencies are those of calls that succeeded: a
    refusal comes back fast and says nothing.
    """

    calls: float = 0.0
    failures: float = 0.0
    ema_latency_ms: float | None = None
    p95_latency_ms: float | None = None
    cost_usd: float = 0.0
    drafts: float = 0.0
    """How many of its calls wrote something."""
    draft_cost_usd: float | None = None
    """The mean cost of those."""
    scores: float = 0.0
    """How many of its attempts were judged."""
    quality: float | None = None
    """The mean of those scores, 0 to 1."""


class TelemetryCollector:
    """A hook that keeps a tally of every model.

    Args:
        past: what earlier processes measured, by model id.
        now: the wall clock, by which measurements fade.
    """

    def __init__(
        self, past: Mapping[str, Tally] = _NOTHING, *, now: Callable[[], float] = time.time
    ) -> None:
        self._now = now
        self._known = dict(past)
        self._fresh: dict[str, Tally] = {}
        self._profiles: dict[str, tuple[Counts, Profile]] = {}
        """Each with the counts that it was made from: whoever chooses asks again and again."""

    def __call__(self, event: Event, /) -> None:
        """Take note of calls that ended and of attempts that were judged.

        What the journal tells again was measured when it happened, and a call for which nobody was
        asked, or which was cancelled, says nothing of its model.
        """
        match event:
            case CallCompleted(is_retold=True) | AttemptScored(is_retold=True):
                return
            case CallCompleted() if event.attempts and event.error_type != CANCELLED:
                self._add(event.model, *_measured(event))
            case AttemptScored():
                self._add(event.model, Counts(scores=1, score_sum=event.score), [])

    def profile(self, model_id: str) -> Profile:
        """What is known of this model so far; of a stranger, nothing."""
        tally = self._known.get(model_id)
        if tally is None:
            return Profile()
        tally.fade(self._now())
        known = self._profiles.get(model_id)
        if known is None or known[0] is not tally.counts:
            known = self._profiles[model_id] = tally.counts, _profile(tally)
        return known[1]

    def take_fresh(self) -> dict[str, Tally]:
        """What was measured since this was last asked, by model id."""
        fresh, self._fresh = self._fresh, {}
        return fresh

    def _add(self, model_id: str, counts: Counts, latencies_ms: list[float]) -> None:
        now_s = self._now()
        for tallies in (self._known, self._fresh):
            tally = tallies.setdefault(model_id, Tally(as_of_s=now_s))
            tally.add(counts, latencies_ms, now_s)


def _profile(tally: Tally) -> Profile:
    counts = tally.counts
    return Profile(
        calls=counts.calls,
        failures=counts.failures,
        ema_latency_ms=moving_average(tally.latencies_ms),
        p95_latency_ms=p95(tally.latencies_ms),
        cost_usd=counts.cost_usd,
        drafts=counts.drafts,
        draft_cost_usd=counts.draft_cost_usd / counts.drafts if counts.drafts else None,
        scores=counts.scores,
        quality=counts.score_sum / counts.scores if counts.scores else None,
    )


def _measured(call: CallCompleted) -> tuple[Counts, list[float]]:
    cost_usd = float(call.cost_usd)
    if call.error_type is not None:
        return Counts(calls=1, failures=1, cost_usd=cost_usd), []
    if call.call_type not in WRITING:
        return Counts(calls=1, cost_usd=cost_usd), [call.latency_ms]
    counts = Counts(calls=1, cost_usd=cost_usd, drafts=1, draft_cost_usd=cost_usd)
    return counts, [call.latency_ms]
