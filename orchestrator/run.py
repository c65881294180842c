"""One run: its plan, its tasks as they become ready, its state in the end."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from orchestrator import spans, tracing
from orchestrator.api_clients import UnifiedClient
from orchestrator.budget import Budget, Deadline, Ledger
from orchestrator.catalogue import Catalogue
from orchestrator.crew import Workshop
from orchestrator.errors import (
    BudgetExceeded,
    CallFailed,
    OrchestratorError,
    PolicyViolation,
    TimeExceeded,
)
from orchestrator.events import (
    BudgetThresholdPassed,
    Event,
    PlanReady,
    TaskCompleted,
    TaskStarted,
)
from orchestrator.hooks import HookRegistry
from orchestrator.models import (
    Brief,
    Failure,
    Plan,
    ProjectState,
    Role,
    RunStatus,
    Settings,
    Task,
    TaskResult,
    TaskStatus,
)
from orchestrator.planner import Planner
from orchestrator.policies import Policy
from orchestrator.policy_engine import PolicyEngine
from orchestrator.ports import Clock, Hook, Provider
from orchestrator.remediation import RemediationEngine
from orchestrator.routing import Router
from orchestrator.scheduler import run_by_readiness
from orchestrator.settlement import settle, settle_failure
from orchestrator.task_loop import TaskLoop
from orchestrator.telemetry import TelemetryCollector

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

UNPLANNED = (CallFailed, PolicyViolation, BudgetExceeded, TimeExceeded)
"""What may keep a run from having a plan."""
USABLE = (TaskStatus.COMPLETED, TaskStatus.DEGRADED)
"""A task that ended so has a result that others can build on."""


class Run:
    """One project on its way; built for one `execute`, and shared with nobody."""

    def __init__(
        self,
        *,
        project_id: str,
        brief: Brief,
        catalogue: Catalogue,
        providers: Mapping[str, Provider],
        policies: Sequence[Policy],
        telemetry: TelemetryCollector,
        hooks: HookRegistry,
        budget: Budget,
        settings: Settings,
        pins: Mapping[Role, str],
        clock: Clock,
    ) -> None:
        self.project_id = project_id
        self.brief = brief
        self._budget = budget
        self._settings = settings
        self._hooks = hooks
        self._clock = clock
        self._started = clock.monotonic()
        self._ledger = Ledger(budget.max_usd)
        self._client = UnifiedClient(
            project_id=project_id,
            catalogue=catalogue,
            providers=providers,
            ledger=self._ledger,
            deadline=Deadline(clock, budget.max_time_s),
            hooks=hooks,
            clock=clock,
        )
        self._router = Router(
            catalogue=catalogue,
            ready=tuple(providers),
            policies=PolicyEngine(
                policies, project_id=project_id, hooks=hooks, telemetry=telemetry
            ),
            telemetry=telemetry,
            pins=pins,
        )
        self._shop = Workshop(
            project_id=project_id,
            brief=brief,
            client=self._client,
            router=self._router,
            remediation=RemediationEngine(project_id=project_id, hooks=hooks),
            hooks=hooks,
            settings=settings,
        )
        self._plan = Plan(tasks=())
        self._results: dict[str, TaskResult] = {}
        self._contexts: dict[str, SpanContext] = {}
        self._limit: Failure | None = None

    async def plan(self) -> Plan:
        """Decompose the project.

        Raises:
            OrchestratorError: there is no plan, and why.
        """
        self._plan = await Planner(self._client, self._router, self._settings).decompose(self.brief)
        await self._hooks.emit(PlanReady(project_id=self.project_id, plan=self._plan))
        return self._plan

    async def execute(self, span: tracing.Span) -> ProjectState:
        """Plan, run every task, settle; what budgets do on the way is told to `span`."""
        with self._hooks.listening(self._budget_to(span)):
            try:
                plan = await self.plan()
            except UNPLANNED as error:
                return self.unplanned(error)
            results = await run_by_readiness(
                plan, self._run_task, concurrency=self._settings.concurrency
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

    def record(self, span: tracing.Span, state: ProjectState) -> None:
        """Say on the root span how the run ended."""
        if not span.is_recording():
            return
        failed = [result for result in state.results if result.status is TaskStatus.FAILED]
        if self._budget.max_usd is not None:
            span.set_attribute(spans.BUDGET_USD, float(self._budget.max_usd))
        span.set_attributes(
            {
                spans.TASKS_TOTAL: len(state.results),
                spans.TASKS_FAILED: len(failed),
                spans.LLM_CALLS: state.calls,
                spans.USAGE_INPUT_TOKENS: state.usage.input_tokens,
                spans.USAGE_OUTPUT_TOKENS: state.usage.output_tokens,
                spans.RESUMED: False,
                spans.STATUS: state.status.value,
                spans.TOTAL_COST_USD: float(state.total_cost_usd),
            }
        )
        if state.failure is not None:
            span.fail(state.failure.error_type, state.failure.sentence)

    async def _run_task(self, task: Task, needed: Mapping[str, TaskResult]) -> TaskResult:
        if self._limit is not None:
            # Never begun: it has no span, because nothing happened.
            result = TaskResult(task=task, status=TaskStatus.UNFINISHED, failure=self._limit)
        else:
            result = await self._begin(task, needed)
        if result.status is TaskStatus.UNFINISHED:
            self._limit = result.failure
        self._results[task.id] = result
        await self._hooks.emit(TaskCompleted(project_id=self.project_id, result=result))
        return result

    async def _begin(self, task: Task, needed: Mapping[str, TaskResult]) -> TaskResult:
        links = tuple(self._contexts[need] for need in task.depends_on if need in self._contexts)
        with tracing.traced_task(task.id, task.type, task.depends_on, links) as span:
            if span.is_recording():
                self._contexts[task.id] = span.get_span_context()
            lost = [need for need, result in needed.items() if result.status not in USABLE]
            if lost:
                return _skipped(task, lost[0], span)
            await self._hooks.emit(TaskStarted(project_id=self.project_id, task=task))
            inputs = {
                f"{need}: {result.task.title}": result.output for need, result in needed.items()
            }
            return await TaskLoop(self._shop, task, inputs, span=span).run()

    def _budget_to(self, span: tracing.Span) -> Hook:
        def tell(event: Event) -> None:
            if isinstance(event, BudgetThresholdPassed) and event.project_id == self.project_id:
                span.add_event(
                    spans.EVENT_BUDGET,
                    {
                        spans.EVENT_BUDGET_THRESHOLD: event.threshold,
                        spans.EVENT_BUDGET_SPENT_USD: float(event.spent_usd),
                    },
                )

        return tell

    def _state(self, status: RunStatus, failure: Failure | None) -> ProjectState:
        return ProjectState(
            project_id=self.project_id,
            brief=self.brief,
            status=status,
            results=tuple(
                self._results[task.id] for task in self._plan.tasks if task.id in self._results
            ),
            total_cost_usd=self._ledger.spent,
            usage=self._client.usage,
            calls=self._client.calls,
            task_costs=dict(self._client.cost_of_task),
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
