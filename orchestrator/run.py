"""One run: its plan, its tasks as they become ready, its state in the end."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from orchestrator import spans, tracing
from orchestrator.errors import (
    BudgetExceeded,
    CallFailed,
    OrchestratorError,
    PolicyViolation,
    TimeExceeded,
)
from orchestrator.events import PlanReady, TaskCompleted, TaskStarted
from orchestrator.models import (
    Failure,
    Plan,
    ProjectState,
    RunStatus,
    Task,
    TaskResult,
    TaskStatus,
)
from orchestrator.planner import Planner
from orchestrator.ports import Clock
from orchestrator.scheduler import run_by_readiness
from orchestrator.settlement import settle, settle_failure
from orchestrator.task_loop import TaskLoop
from orchestrator.workshop import Workshop

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

UNPLANNED = (CallFailed, PolicyViolation, BudgetExceeded, TimeExceeded)
"""What may keep a run from having a plan."""
USABLE = (TaskStatus.COMPLETED, TaskStatus.DEGRADED)
"""A task that ended so has a result that others can build on."""


class Run:
    """One project on its way; executed once, and shared with nobody."""

    def __init__(self, shop: Workshop, clock: Clock) -> None:
        self._shop = shop
        self._clock = clock
        self._started = clock.monotonic()
        self._plan = Plan(tasks=())
        self._results: dict[str, TaskResult] = {}
        self._contexts: dict[str, SpanContext] = {}
        self._limit: Failure | None = None

    async def plan(self) -> Plan:
        """Decompose the project.

        Raises:
            OrchestratorError: there is no plan, and why.
        """
        shop = self._shop
        self._plan = await Planner(shop.client, shop.router, shop.settings).decompose(shop.brief)
        await shop.hooks.emit(PlanReady(project_id=shop.project_id, plan=self._plan))
        return self._plan

    async def execute(self) -> ProjectState:
        """Plan, run every task, settle."""
        try:
            plan = await self.plan()
        except UNPLANNED as error:
            return self.unplanned(error)
        results = await run_by_readiness(
            plan, self._run_task, concurrency=self._shop.settings.concurrency
        )
        return self._state(*settle(results))

    def planned(self) -> ProjectState:
        """The state of a run of which only the plan was wanted: nothing of it is begun."""
        return self._state(RunStatus.SUCCESS, None)

    def unplanned(self, error: OrchestratorError) -> ProjectState:
        """The state of a run that has no plan."""
        failure = Failure(error_type=error.code, sentence=str(error))
        return self._state(settle_failure(failure), failure)

    def cancelled(self) -> ProjectState:
        """The state of a run that was stopped from outside: what is done, and what is not."""
        for task in self._plan.tasks:
            self._results.setdefault(task.id, TaskResult(task=task, status=TaskStatus.CANCELLED))
        failure = Failure(error_type="cancelled", sentence="The run was cancelled.")
        return self._state(RunStatus.CANCELLED, failure)

    async def _run_task(self, task: Task, needed: Mapping[str, TaskResult]) -> TaskResult:
        if self._limit is not None:
            # Never begun: it has no span, because nothing happened.
            result = TaskResult(task=task, status=TaskStatus.UNFINISHED, failure=self._limit)
        else:
            result = await self._begin(task, needed)
        if result.status is TaskStatus.UNFINISHED:
            self._limit = result.failure
        self._results[task.id] = result
        await self._shop.hooks.emit(TaskCompleted(project_id=self._shop.project_id, result=result))
        return result

    async def _begin(self, task: Task, needed: Mapping[str, TaskResult]) -> TaskResult:
        links = tuple(self._contexts[need] for need in task.depends_on if need in self._contexts)
        with tracing.traced_task(task.id, task.type, task.depends_on, links) as span:
            if span.is_recording():
                self._contexts[task.id] = span.get_span_context()
            lost = [need for need, result in needed.items() if result.status not in USABLE]
            if lost:
                return _skipped(task, lost[0], span)
            await self._shop.hooks.emit(TaskStarted(project_id=self._shop.project_id, task=task))
            inputs = {
                f"{need}: {result.task.title}": result.output for need, result in needed.items()
            }
            return await TaskLoop(self._shop, task, inputs, span=span).run()

    def _state(self, status: RunStatus, failure: Failure | None) -> ProjectState:
        shop = self._shop
        return ProjectState(
            project_id=shop.project_id,
            brief=shop.brief,
            status=status,
            results=tuple(
                self._results[task.id] for task in self._plan.tasks if task.id in self._results
            ),
            total_cost_usd=shop.ledger.spent,
            estimated_cost_usd=shop.ledger.estimated,
            usage=shop.client.usage,
            calls=shop.client.calls,
            task_costs=dict(shop.client.cost_of_task),
            failure=failure,
            duration_s=self._clock.monotonic() - self._started,
        )


def _skipped(task: Task, lost: str, span: tracing.Span) -> TaskResult:
    failure = Failure(
        error_type="skipped", sentence=f"Skipped because {lost}, which it needs, has no result."
    )
    span.set_attributes(
        {
            spans.ITERATION: 0,
            spans.TASK_STATUS: TaskStatus.SKIPPED.value,
            spans.TASK_SKIPPED_BECAUSE: lost,
        }
    )
    return TaskResult(task=task, status=TaskStatus.SKIPPED, failure=failure)
