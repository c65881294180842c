"""What is known of each model by having used it: calls, failures, latency, cost, quality."""

import math
from collections import defaultdict, deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from orchestrator.events import AttemptScored, CallCompleted, Event

EMA_WEIGHT: Final = 0.2
"""How much the newest call counts in the moving average of latency."""

LATENCY_WINDOW: Final = 256
"""The 95th percentile is that of so many calls, the last ones; memory is bounded by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What is known of one model; None is what was never measured.

    Latencies are those of calls that succeeded: a refusal comes back fast and says nothing.
    """

    calls: int = 0
    failures: int = 0
    ema_latency_ms: float | None = None
    p95_latency_ms: float | None = None
    cost_usd: Decimal = Decimal(0)
    scores: int = 0
    """How many of its attempts were judged."""
    quality: float | None = None
    """The mean of those scores, 0 to 1."""


@dataclass(slots=True)
class _Tally:
    calls: int = 0
    failures: int = 0
    ema_latency_ms: float | None = None
    latencies_ms: deque[float] = field(default_factory=lambda: deque(maxlen=LATENCY_WINDOW))
    cost_usd: Decimal = Decimal(0)
    scores: int = 0
    score_sum: float = 0.0


class TelemetryCollector:
    """A hook that keeps a tally of every model."""

    def __init__(self) -> None:
        self._tallies: defaultdict[str, _Tally] = defaultdict(_Tally)

    def __call__(self, event: Event, /) -> None:
        """Take note of calls that ended and of attempts that were judged."""
        if isinstance(event, CallCompleted):
            if event.is_retold:
                return  # it says nothing of how the model is now
            self._count(self._tallies[event.model], event)
        elif isinstance(event, AttemptScored):
            tally = self._tallies[event.model]
            tally.scores += 1
            tally.score_sum += event.score

    def profile(self, model_id: str) -> Profile:
        """What is known of this model so far; of a stranger, nothing."""
        tally = self._tallies.get(model_id, _Tally())
        return Profile(
            calls=tally.calls,
            failures=tally.failures,
            ema_latency_ms=tally.ema_latency_ms,
            p95_latency_ms=_p95(tally.latencies_ms),
            cost_usd=tally.cost_usd,
            scores=tally.scores,
            quality=tally.score_sum / tally.scores if tally.scores else None,
        )

    @staticmethod
    def _count(tally: _Tally, call: CallCompleted) -> None:
        tally.calls += 1
        tally.cost_usd += call.cost_usd
        if call.error_type is not None:
            tally.failures += 1
            return
        tally.latencies_ms.append(call.latency_ms)
        before = tally.ema_latency_ms
        tally.ema_latency_ms = (
            call.latency_ms
            if before is None
            else EMA_WEIGHT * call.latency_ms + (1 - EMA_WEIGHT) * before
        )


def _p95(latencies_ms: deque[float]) -> float | None:
    """The nearest rank: the smallest measured latency that 95 % of the calls do not exceed."""
    if not latencies_ms:
        return None
    return sorted(latencies_ms)[math.ceil(0.95 * len(latencies_ms)) - 1]
