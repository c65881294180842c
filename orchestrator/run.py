"""One run: its plan, its tasks as they become ready, its state in the end."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from orchestrator import spans, tracing
from orchestrator.errors import (
    AuditFailed,
    BudgetExceeded,
    CallFailed,
    JournalFailed,
    NotInJournal,
    OrchestratorError,
    PolicyViolation,
    TimeExceeded,
)
from orchestrator.events import PlanReady, TaskCompleted, TaskStarted
from orchestrator.journal import Journal
from orchestrator.journal.entries import Began, Planned, TaskEnded
from orchestrator.models import (
    USABLE,
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

UNPLANNED = (
    CallFailed,
    PolicyViolation,
    BudgetExceeded,
    TimeExceeded,
    JournalFailed,
    AuditFailed,
    NotInJournal,
)
"""What may keep a run from having a plan."""


class Run:
    """One project on its way; executed once, and shared with nobody."""

    def __init__(self, shop: Workshop, clock: Clock) -> None:
        self._shop = shop
        self._journal = shop.journal
        self._clock = clock
        self._started = clock.monotonic()
        self._done_before = frozenset[str]()
        self._plan = Plan(tasks=())
        self._results: dict[str, TaskResult] = {}
        self._contexts: dict[str, SpanContext] = {}
        self._traceparents: dict[str, str | None] = {}
        self._limit: Failure | None = None

    async def plan(self) -> Plan:
        """Decompose the project, unless an earlier run of it has.

        Raises:
            OrchestratorError: there is no plan, and why.
        """
        shop, kept = self._shop, self._journal.plan
        if kept is None:
            planner = Planner(shop.client, shop.casting, shop.settings)
            self._plan = await planner.decompose(shop.brief)
            self._journal.note(Planned(plan=self._plan))
        else:
            self._plan = kept
            self._done_before = frozenset(_done(kept, self._journal))
        await shop.hooks.emit(PlanReady(project_id=shop.project_id, plan=self._plan))
        return self._plan

    async def execute(self, began: Began) -> ProjectState:
        """Say in the journal how the run began; plan, run every task, settle."""
        try:
            await self._journal.record(began)
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
        is_limit = not isinstance(error, CallFailed)
        return self._state(settle_failure(failure, is_limit=is_limit), failure)

    def cancelled(self) -> ProjectState:
        """The state of a run that was stopped from outside: what is done, and what is not."""
        for task in self._plan.tasks:
            self._results.setdefault(task.id, TaskResult(task=task, status=TaskStatus.CANCELLED))
        failure = Failure(error_type="cancelled", sentence="The run was cancelled.")
        return self._state(RunStatus.CANCELLED, failure)

    async def _run_task(self, task: Task, needed: Mapping[str, TaskResult]) -> TaskResult:
        if task.id in self._done_before:
            result = self._retold(task)
        else:
            result = await self._new(task, needed)
            traceparent = self._traceparents.get(task.id)
            self._journal.note(TaskEnded(result=result, traceparent=traceparent))
        if result.status is TaskStatus.UNFINISHED:
            self._limit = result.failure
        self._results[task.id] = result
        await self._shop.hooks.emit(
            TaskCompleted(
                project_id=self._shop.project_id,
                result=result,
                is_retold=self._journal.replays or task.id in self._done_before,
            )
        )
        return result

    def _retold(self, task: Task) -> TaskResult:
        """The result of a task that an earlier run has done; its span is in that run's trace."""
        history = self._journal.history
        context = tracing.span_named(history.spans.get(task.id))
        if context is not None:
            self._contexts[task.id] = context
        return history.results[task.id]

    async def _new(self, task: Task, needed: Mapping[str, TaskResult]) -> TaskResult:
        if self._limit is not None:
            # Never begun: it has no span, because nothing happened.
            return TaskResult(task=task, status=TaskStatus.UNFINISHED, failure=self._limit)
        return await self._begin(task, needed)

    async def _begin(self, task: Task, needed: Mapping[str, TaskResult]) -> TaskResult:
        links = tuple(self._contexts[need] for need in task.depends_on if need in self._contexts)
        with tracing.traced_task(task.id, task.type, task.depends_on, links) as span:
            if span.is_recording():
                self._contexts[task.id] = span.get_span_context()
                self._traceparents[task.id] = tracing.traceparent_of(span)
            lost = [need for need, result in needed.items() if result.status not in USABLE]
            if lost:
                return _skipped(task, lost[0], span)
            await self._shop.hooks.emit(TaskStarted(project_id=self._shop.project_id, task=task))
            inputs = {
                f"{need}: {result.task.title}": result.output for need, result in needed.items()
            }
            return await TaskLoop(self._shop, task, inputs, span=span).run()

    def _state(self, status: RunStatus, failure: Failure | None) -> ProjectState:
        shop, earlier_s = self._shop, self._journal.history.spending.duration_s
        own_s = 0.0 if self._journal.replays else self._clock.monotonic() - self._started
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
            task_costs={
                task_id: cost for task_id, cost in shop.client.cost_of_task.items() if cost
            },
            failure=failure,
            duration_s=earlier_s + own_s,
        )


def _done(plan: Plan, journal: Journal) -> Iterator[str]:
    """The tasks that need not be run: an earlier run has done them, and all that they read."""
    done = set[str]()
    for task in plan.tasks:  # what a task needs comes before it
        if journal.result(task.id) is not None and done.issuperset(task.depends_on):
            done.add(task.id)
            yield task.id


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
