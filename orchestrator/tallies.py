"""What is counted of one model: sums that fade with time, and its last latencies."""

import math
from dataclasses import asdict, dataclass, field
from typing import Final

HALF_LIFE_S: Final = 14 * 86_400.0
"""After two weeks a measurement counts half: models, servers and prompts change."""

STEP_S: Final = 3600.0
"""Fading goes by the hour, so that the counts of a short run stay whole numbers."""

LATENCY_WINDOW: Final = 256
"""The 95th percentile is that of so many calls, the last ones; memory is bounded by it."""

EMA_WEIGHT: Final = 0.2
"""How much the newest call counts in the moving average of latency."""

_EMA_REACH: Final = 32
"""What is older counts for less than a thousandth in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Sums, each of which fades alike."""

    calls: float = 0.0
    failures: float = 0.0
    cost_usd: float = 0.0
    drafts: float = 0.0
    """Calls that wrote something."""
    draft_cost_usd: float = 0.0
    scores: float = 0.0
    score_sum: float = 0.0

    def __add__(self, other: "Counts") -> "Counts":
        # Spelled out, because it is done for every call, and `asdict` takes as long as all else.
        return Counts(
            calls=self.calls + other.calls,
            failures=self.failures + other.failures,
            cost_usd=self.cost_usd + other.cost_usd,
            drafts=self.drafts + other.drafts,
            draft_cost_usd=self.draft_cost_usd + other.draft_cost_usd,
            scores=self.scores + other.scores,
            score_sum=self.score_sum + other.score_sum,
        )

    def __mul__(self, share: float) -> "Counts":
        return Counts(**{name: value * share for name, value in asdict(self).items()})


@dataclass(slots=True, kw_only=True)
class Tally:
    """One model's, as of a moment (seconds of the wall clock)."""

    as_of_s: float
    counts: Counts = field(default_factory=Counts)
    latencies_ms: list[float] = field(default_factory=list)
    """Of the last calls that succeeded, the newest last."""

    def add(self, counts: Counts, latencies_ms: list[float], now_s: float) -> None:
        """Let fade what is old, and add what is new."""
        self.fade(now_s)
        self.counts += counts
        self.latencies_ms = [*self.latencies_ms, *latencies_ms][-LATENCY_WINDOW:]

    def fade(self, now_s: float) -> None:
        """Let everything count less by what has passed since; a clock set back changes nothing."""
        hours = math.floor(max(0.0, now_s - self.as_of_s) / STEP_S)
        if not hours:
            return
        self.as_of_s += hours * STEP_S
        share: float = 0.5 ** (hours * STEP_S / HALF_LIFE_S)
        self.counts *= share
        kept = math.ceil(len(self.latencies_ms) * share)
        self.latencies_ms = self.latencies_ms[-kept:] if kept else []


def p95(latencies_ms: list[float]) -> float | None:
    """The nearest rank: the smallest measured latency that 95 % of the calls do not exceed."""
    if not latencies_ms:
        return None
    return sorted(latencies_ms)[math.ceil(0.95 * len(latencies_ms)) - 1]


def moving_average(latencies_ms: list[float]) -> float | None:
    """The newest counts for a fifth, what came before it for the rest."""
    if not latencies_ms:
        return None
    first, *others = latencies_ms[-_EMA_REACH:]
    average = first
    for latency_ms in others:
        average += EMA_WEIGHT * (latency_ms - average)
    return average
