"""What the root span says of a run."""

from orchestrator import spans
from orchestrator.events import BudgetThresholdPassed, Event
from orchestrator.journal import Journal
from orchestrator.models import ProjectState, TaskStatus
from orchestrator.ports import Hook
from orchestrator.tracing import Span


def record(span: Span, state: ProjectState, budget_usd: float | None, journal: Journal) -> None:
    """Say how the run ended; an optional budget is in dollars.

    The state is the project's; what the trace sums is what this run has added to it.
    """
    if not span.is_recording():
        return
    failed = [result for result in state.results if result.status is TaskStatus.FAILED]
    if budget_usd is not None:
        span.set_attribute(spans.BUDGET_USD, budget_usd)
    before, resumed = journal.history.spending, journal.is_resumed and not journal.replays
    if resumed:
        span.set_attribute(spans.COST_CUMULATIVE_USD, float(state.total_cost_usd))
    span.set_attributes(
        {
            spans.TASKS_TOTAL: len(state.results),
            spans.TASKS_FAILED: len(failed),
            spans.LLM_CALLS: state.calls - before.calls,
            spans.USAGE_INPUT_TOKENS: state.usage.input_tokens - before.usage.input_tokens,
            spans.USAGE_OUTPUT_TOKENS: state.usage.output_tokens - before.usage.output_tokens,
            spans.RESUMED: resumed,
            spans.STATUS: state.status.value,
            spans.TOTAL_COST_USD: float(state.total_cost_usd - before.cost_usd),
        }
    )
    if state.failure is not None:
        span.fail(state.failure.error_type, state.failure.sentence)


def budget_told_to(span: Span, project_id: str) -> Hook:
    """A hook that notes on the span which share of the budget this run has passed."""

    def tell(event: Event) -> None:
        if isinstance(event, BudgetThresholdPassed) and event.project_id == project_id:
            span.add_event(
                spans.EVENT_BUDGET,
                {
                    spans.EVENT_BUDGET_THRESHOLD: event.threshold,
                    spans.EVENT_BUDGET_SPENT_USD: float(event.spent_usd),
                },
            )

    return tell
