"""A hook that counts, and hands the figures to exporters."""

from bisect import bisect_left
from contextlib import ExitStack
from dataclasses import replace
from itertools import accumulate
from typing import Final

from orchestrator import events
from orchestrator.clock import SystemClock
from orchestrator.figures import Family, Sample
from orchestrator.ports import Clock, MetricsExporter

SHARE: Final = 0.05
"""Of a run's time, the most that goes into telling exporters of it: the run waits meanwhile."""


_SECONDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_MINUTES: Final = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
_SCORES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def _counter(name: str, brief: str, *labels: str) -> Family:
    return Family(name=f"orchestrator_{name}", kind="counter", brief=brief, labels=labels)


def _histogram(name: str, brief: str, bounds: tuple[float, ...], *labels: str) -> Family:
    return Family(
        name=f"orchestrator_{name}", kind="histogram", brief=brief, labels=labels, bounds=bounds
    )


_WHO: Final = ("model", "provider", "call_type")
RUNS: Final = _counter("runs", "Runs that ended, by how.", "status")
RUN_SECONDS: Final = _histogram("run_duration_seconds", "How long runs took.", _MINUTES)
TASKS: Final = _counter("tasks", "Tasks that ended, by how.", "task_type", "status")
CALLS: Final = _counter("llm_calls", "Model calls that ended: ok, or how.", *_WHO, "outcome")
CALL_SECONDS: Final = _histogram(
    "llm_call_duration_seconds", "First request to last reply.", _SECONDS, *_WHO
)
REQUESTS: Final = _counter("llm_requests", "Requests made, all attempts of all calls.", *_WHO)
TOKENS: Final = _counter("llm_tokens", "Tokens as billed: input or output.", *_WHO, "direction")
COST: Final = _counter("llm_cost_usd", "Dollars spent.", *_WHO)
SCORES: Final = _histogram("attempt_score", "Scores of attempts, by author.", _SCORES, "model")
VALIDATIONS: Final = _counter(
    "validations", "Hard validations: passed, failed or unverified.", "validator", "outcome"
)
REMEDIATIONS: Final = _counter(
    "remediations", "Recoveries that were tried.", "strategy", "trigger", "outcome"
)
POLICIES: Final = _counter("policy_decisions", "Verdicts of policies.", "operation", "outcome")
BREAKERS: Final = _counter(
    "breaker_changes", "Breakers that opened, half-opened or closed.", "model", "provider", "state"
)
FAMILIES: Final = (
    *(RUNS, RUN_SECONDS, TASKS, CALLS, CALL_SECONDS, REQUESTS, TOKENS, COST, SCORES),
    *(VALIDATIONS, REMEDIATIONS, POLICIES, BREAKERS),
)


class Meter:
    """Counts what the events of all runs tell, from when it was made.

    Args:
        exporters: given all figures when a run has ended, and when a call or a task has, unless
            they would take more than `SHARE` of the time.
        clock: where time comes from.
    """

    def __init__(self, *exporters: MetricsExporter, clock: Clock | None = None) -> None:
        self._exporters = exporters
        self._clock = clock or SystemClock()
        self._rests_until = float("-inf")
        self._tallies = {family.name: _Tally(family) for family in FAMILIES}

    def __call__(self, event: events.Event, /) -> None:
        """Take note of an event.

        Raises:
            Exception: what an exporter raises; the others are given the figures all the same.
        """
        if isinstance(event, events.Countable) and not event.is_retold:
            self._count(event)
        is_settled = isinstance(event, events.ProjectCompleted)
        is_worth_it = isinstance(event, events.CallCompleted | events.TaskCompleted)
        if is_settled or (is_worth_it and self._clock.monotonic() >= self._rests_until):
            self._export(is_settled=is_settled)

    def families(self) -> tuple[Family, ...]:
        """All figures so far."""
        return tuple(tally.family() for tally in self._tallies.values())

    def _count(self, event: events.Countable) -> None:
        match event:
            case events.CallCompleted():
                self._call(event)
            case events.TaskCompleted(result=result):
                self._add(TASKS, result.task.type, result.status.value)
            case events.ProjectCompleted(state=state):
                self._add(RUNS, state.status.value)
                self._measure(RUN_SECONDS, state.duration_s)
            case events.AttemptScored():
                self._measure(SCORES, event.score, event.model)
            case events.ValidationMade(validation=made):
                self._add(VALIDATIONS, made.validator, made.outcome)
            case events.RemediationTried():
                outcome = "helped" if event.success else "did_not_help"
                self._add(REMEDIATIONS, event.strategy, event.trigger, outcome)
            case events.PolicyDecided():
                self._add(POLICIES, event.operation, "allowed" if event.allowed else "refused")
            case events.BreakerChanged():
                self._add(BREAKERS, event.model, event.provider, event.to_state)

    def _call(self, call: events.CallCompleted) -> None:
        who = (call.model, call.provider, call.call_type)
        self._add(CALLS, *who, call.error_type or "ok")
        self._add(REQUESTS, *who, amount=call.attempts)
        self._add(COST, *who, amount=float(call.cost_usd))
        self._add(TOKENS, *who, "input", amount=call.usage.input_tokens)
        self._add(TOKENS, *who, "output", amount=call.usage.output_tokens)
        if call.attempts:  # what was never asked took no time
            self._measure(CALL_SECONDS, call.latency_ms / 1000, *who)

    def _add(self, family: Family, *labels: str, amount: float = 1) -> None:
        self._tallies[family.name].add(labels, amount)

    def _measure(self, family: Family, value: float, *labels: str) -> None:
        self._tallies[family.name].measure(labels, value)

    def _export(self, *, is_settled: bool) -> None:
        started = self._clock.monotonic()
        families = self.families()
        with ExitStack() as stack:
            stack.callback(self._rest, started)
            for exporter in self._exporters:
                stack.callback(exporter.export, families, is_settled=is_settled)

    def _rest(self, started: float) -> None:
        ended = self._clock.monotonic()
        self._rests_until = ended + (ended - started) * (1 / SHARE - 1)


class _Tally:
    """One family as it grows."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._values: dict[tuple[str, ...], float] = {}
        self._buckets: dict[tuple[str, ...], list[int]] = {}

    def add(self, labels: tuple[str, ...], amount: float) -> None:
        self._values[labels] = self._values.get(labels, 0.0) + amount

    def measure(self, labels: tuple[str, ...], value: float) -> None:
        bounds = self._family.bounds
        buckets = self._buckets.setdefault(labels, [0] * (len(bounds) + 1))
        buckets[bisect_left(bounds, value)] += 1
        self.add(labels, value)

    def family(self) -> Family:
        samples = (
            Sample(
                labels=labels,
                value=value,
                buckets=tuple(accumulate(self._buckets.get(labels, ()))),
            )
            for labels, value in sorted(self._values.items())
        )
        return replace(self._family, samples=tuple(samples))
