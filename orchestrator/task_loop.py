"""One task's life: generate, critique, revise, validate, evaluate, until it is good enough."""

from asyncio import CancelledError
from collections.abc import Mapping
from typing import Final

from orchestrator import prompts, spans
from orchestrator.crew import Crew
from orchestrator.errors import (
    AuditFailed,
    BudgetExceeded,
    CallFailed,
    InvalidOutput,
    JournalFailed,
    NotInJournal,
    OrchestratorError,
    PolicyViolation,
    TimeExceeded,
)
from orchestrator.events import AttemptScored
from orchestrator.inspection import Inspector, without_refusals
from orchestrator.models import (
    Attempt,
    Failure,
    Strategy,
    Task,
    TaskResult,
    TaskStatus,
)
from orchestrator.remediation import LOW_SCORE, VALIDATION_FAILED
from orchestrator.tracing import Span
from orchestrator.workshop import Workshop

LIMITS: Final = (BudgetExceeded, TimeExceeded, JournalFailed, AuditFailed, NotInJournal)
"""What ends the whole run, and leaves a task to be gone on with when there is more of it."""


class TaskLoop:
    """One task, from its first prompt to its result."""

    def __init__(
        self, shop: Workshop, task: Task, inputs: Mapping[str, str], *, span: Span
    ) -> None:
        self._shop = shop
        self._task = task
        self._inputs = inputs
        self._span = span
        self._crew = Crew(shop, task, span)
        self._inspector = Inspector(shop, task, inputs)
        self._iterations = 0
        self._last: Attempt | None = None
        self._best: Attempt | None = None

    async def run(self) -> TaskResult:
        """Work until the threshold, a plateau or the limit, and say on the span how it went.

        What breaks the task off is in its result; only a cancellation is raised.
        """
        try:
            await self._improve()
            result = self._settled()
        except CancelledError:
            self._record(self._result(TaskStatus.CANCELLED))
            raise
        except (CallFailed, PolicyViolation, *LIMITS) as error:
            result = self._broken_off(error)
        self._record(result)
        return result

    async def _improve(self) -> None:
        """Iterate; when that is not enough, let remediation try."""
        settings = self._shop.settings
        best_score = 0.0
        for _ in range(settings.max_iterations):
            attempt = await self._iterate()
            if self._is_good(attempt):
                return
            if self._iterations > 1 and attempt.score - best_score < settings.plateau:
                break
            best_score = max(best_score, attempt.score)
        trigger = LOW_SCORE if self._best and self._best.is_valid else VALIDATION_FAILED

        async def attempt_with(strategy: Strategy) -> Attempt | None:
            return await self._raise_quality(strategy, trigger)

        await self._shop.remediation.run(
            trigger, attempt_with, task_id=self._task.id, is_possible=self._is_possible
        )

    def _is_possible(self, strategy: Strategy) -> bool:
        """Whether a strategy has anything to work with."""
        match strategy:
            case "degrade_quality":
                return self._best is not None and self._best.is_valid
            case "skip_validator":
                return self._best is not None and self._inspector.may_skip(self._best)
            case "abort_task":
                return True
            case _:
                return self._iterations < self._shop.settings.max_iterations

    async def _raise_quality(self, strategy: Strategy, trigger: str) -> Attempt | None:
        """Execute one strategy against a best attempt that is not good enough."""
        if strategy == "degrade_quality":
            return self._best
        if strategy == "skip_validator":
            self._best = self._best and without_refusals(self._best)
            return self._best
        if strategy == "fallback_model":
            await self._crew.replace_author(trigger)
        attempt = await self._iterate(is_afresh=strategy == "adjust_prompt")
        return attempt if self._is_good(attempt) else None

    async def _iterate(self, *, is_afresh: bool = False) -> Attempt:
        """Make and judge one attempt; keep it when it is the best so far."""
        shop, task, crew = self._shop, self._task, self._crew
        crew.iteration = self._iterations + 1
        draft = await crew.write(
            "generate",
            prompts.draft_prompt(shop.brief, task, self._inputs, self._last, is_afresh=is_afresh),
        )
        critique = await crew.critique(draft)
        output = draft
        if critique.points:
            output = await crew.write(
                "revise", prompts.revise_prompt(shop.brief, task, draft, critique, self._inputs)
            )
        validations = await self._inspector.examined(output, crew.iteration)
        judgement = await crew.judge(output)
        self._iterations += 1
        attempt = Attempt(
            iteration=self._iterations,
            output=output,
            author=crew.author or "",
            reviewer=critique.reviewer,
            critique=critique,
            crosses=crew.crosses,
            score=judgement.score,
            reason=judgement.reason,
            validations=validations,
        )
        await self._keep(attempt)
        return attempt

    async def _keep(self, attempt: Attempt) -> None:
        self._last = attempt
        if self._best is None or self._rank(attempt) > self._rank(self._best):
            self._best = attempt
        if self._span.is_recording():
            self._span.add_event(
                spans.EVENT_EVALUATION,
                {
                    spans.EVENT_EVALUATION_NAME: "critique",
                    spans.EVENT_EVALUATION_SCORE: attempt.score,
                },
            )
        await self._shop.hooks.emit(
            AttemptScored(
                project_id=self._shop.project_id,
                task_id=self._task.id,
                iteration=attempt.iteration,
                model=attempt.author,
                score=attempt.score,
                is_retold=self._shop.journal.has_told(self._task.id),
            )
        )

    def _rank(self, attempt: Attempt) -> tuple[bool, bool, float]:
        """A valid attempt beats one that a skip may save, and that any other; then the score."""
        return attempt.is_valid, self._inspector.may_skip(attempt), attempt.score

    def _is_good(self, attempt: Attempt) -> bool:
        return attempt.is_valid and attempt.score >= self._shop.settings.threshold

    def _settled(self) -> TaskResult:
        """The result of a task that ran to its end; a check set aside leaves it degraded."""
        if self._best is not None and self._is_good(self._best) and not self._best.skipped:
            return self._result(TaskStatus.COMPLETED)
        if self._best is not None and self._best.is_valid:
            return self._result(TaskStatus.DEGRADED)
        refused = self._best.refusals if self._best else ()
        why = "; ".join(f"{v.validator}: {v.detail}" for v in refused)
        sentence = f"No attempt passed the validators ({why})."
        return self._result(
            TaskStatus.FAILED, Failure(error_type=InvalidOutput.error_type, sentence=sentence)
        )

    def _result(self, status: TaskStatus, failure: Failure | None = None) -> TaskResult:
        return TaskResult(
            task=self._task,
            status=status,
            best=self._best,
            iterations=self._iterations,
            failure=failure,
            model=self._crew.author,
        )

    def _broken_off(self, error: OrchestratorError) -> TaskResult:
        """A limit leaves the task unfinished; a failure loses it unless an attempt stands."""
        if isinstance(error, LIMITS):
            status = TaskStatus.UNFINISHED
        elif self._best is not None and self._best.is_valid:
            status = TaskStatus.DEGRADED
        else:
            status = TaskStatus.FAILED
        return self._result(status, Failure(error_type=error.code, sentence=str(error)))

    def _record(self, result: TaskResult) -> None:
        span = self._span
        if not span.is_recording():
            return
        span.set_attributes(
            {spans.ITERATION: result.iterations, spans.TASK_STATUS: result.status.value}
        )
        if result.model is not None:
            span.set_attribute(spans.MODEL_SELECTED, result.model)
        if result.best is not None:
            span.set_attributes(
                {
                    spans.TASK_SCORE: result.best.score,
                    spans.TASK_REVIEW_CROSSES: result.best.crosses,
                }
            )
        if result.failure and result.status is not TaskStatus.DEGRADED:
            span.fail(result.failure.error_type, result.failure.sentence)
