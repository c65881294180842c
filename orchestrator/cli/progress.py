"""What happens, as plain lines: for pipes, log files and terminals that cannot draw."""

from collections.abc import Mapping
from functools import singledispatch
from typing import Final, TextIO

from orchestrator import events, legible
from orchestrator.models import BreakerState, TaskResult

_BREAKER: Final[Mapping[BreakerState, str]] = {
    "open": "keeps failing and is left alone for a while",
    "half_open": "is tried again",
    "closed": "answers again",
}


class LineProgress:
    """A hook that prints one line for each event worth one."""

    def __init__(self, stream: TextIO, *, verbose: bool = False) -> None:
        self._stream = stream
        self._say = detail if verbose else headline

    def __call__(self, event: events.Event) -> None:
        """Print what the event says, if anything."""
        if (text := self._say(event)) is not None:
            print(text, file=self._stream, flush=True)


@singledispatch
def headline(event: events.Event) -> str | None:
    """What everybody wants to read; None for an event that is no news."""
    del event
    return None


@headline.register
def _(event: events.ProjectStarted) -> str:
    return f"run {event.project_id}: {legible.line(event.brief.project, 72)}"


@headline.register
def _(event: events.PlanReady) -> str:
    return f"plan: {legible.count(len(event.plan.tasks), 'task')}"


@headline.register
def _(event: events.TaskStarted) -> str:
    return f"{event.task.id} started: {legible.line(event.task.title, 72)}"


@headline.register
def _(event: events.TaskCompleted) -> str:
    return f"{event.result.task.id} {event.result.status.value}{_outcome(event.result)}"


@headline.register
def _(event: events.RemediationTried) -> str:
    outcome = "helped" if event.success else "did not help"
    return f"{event.task_id} after {event.trigger}: {event.strategy} {outcome}"


@headline.register
def _(event: events.BreakerChanged) -> str:
    return f"{event.model} of {event.provider}: {_BREAKER[event.to_state]}"


@headline.register
def _(event: events.ProviderDisabled) -> str:
    return f"{event.provider} is not asked again in this run: {event.reason}"


@headline.register
def _(event: events.BudgetThresholdPassed) -> str:
    return f"budget: {event.threshold:.0%} spent ({legible.usd(event.spent_usd)})"


@headline.register
def _(event: events.ProjectCompleted) -> str:
    state = event.state
    return (
        f"{state.status.value}: {legible.count(state.calls, 'call')}, "
        f"{legible.usd(state.total_cost_usd, state.estimated_cost_usd)}, "
        f"{legible.duration(state.duration_s)}"
    )


@singledispatch
def detail(event: events.Event) -> str | None:
    """What somebody wants to read who follows every call: the headlines and more."""
    return headline(event)


@detail.register
def _(event: events.CallStarted) -> str:
    return f"{_place(event.task_id)} {event.call_type}: asking {event.model}"


@detail.register
def _(event: events.CallCompleted) -> str:
    usage = event.usage
    outcome = f" failed ({event.error_type})" if event.error_type else ""
    return (
        f"{_place(event.task_id)} {event.call_type}: {event.model}{outcome}, "
        f"{usage.input_tokens} tokens in, {usage.output_tokens} out, "
        f"{legible.usd(event.cost_usd)}, {event.latency_ms:.0f} ms, "
        f"{legible.count(event.attempts, 'attempt')}"
    )


@detail.register
def _(event: events.PolicyDecided) -> str:
    broken = dict.fromkeys(violation.rule for violation in event.violations)
    return (
        f"{_place(event.task_id)} policy {event.operation} for the {event.role}: "
        f"{len(event.allowed)} of {legible.count(len(event.candidates), 'model')} may serve"
        + (f" ({', '.join(broken)})" if broken else "")
    )


@detail.register
def _(event: events.ModelChosen) -> str:
    return f"{_place(event.task_id)} {event.role}: {event.reason}"


@detail.register
def _(event: events.ValidationMade) -> str:
    made = event.validation
    why = f": {legible.line(made.detail)}" if made.detail else ""
    return f"{event.task_id} {made.validator} {made.outcome}{why}"


@detail.register
def _(event: events.AttemptScored) -> str:
    return f"{event.task_id} iteration {event.iteration}: {event.model} scored {event.score:.2f}"


def _outcome(result: TaskResult) -> str:
    facts = [
        f"score {result.score:.2f}" if result.score is not None else "",
        legible.count(result.iterations, "iteration") if result.iterations else "",
        result.model or "",
        legible.line(result.failure.sentence) if result.failure else "",
    ]
    said = ", ".join(fact for fact in facts if fact)
    return f": {said}" if said else ""


def _place(task_id: str | None) -> str:
    return task_id or "plan"
