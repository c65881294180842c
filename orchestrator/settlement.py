"""What the results of its tasks make of a run."""

from collections.abc import Sequence
from typing import Final

from orchestrator.errors import BudgetExceeded, NotInJournal, TimeExceeded
from orchestrator.models import Failure, RunStatus, TaskResult, TaskStatus

LIMITS: Final = {
    BudgetExceeded.error_type: RunStatus.BUDGET_EXHAUSTED,
    TimeExceeded.error_type: RunStatus.TIMEOUT,
    NotInJournal.error_type: RunStatus.PARTIAL_SUCCESS,
}


def settle(results: Sequence[TaskResult]) -> tuple[RunStatus, Failure | None]:
    """Say how a run ended whose every task has a result, and which failure decided that.

    A limit outweighs a failure, because the run can be resumed with more of it; a failure outweighs
    a poor result; the first in the plan's order decides among equals.
    """
    for status in (TaskStatus.UNFINISHED, TaskStatus.FAILED):
        for result in results:
            if result.status is status and result.failure is not None:
                is_limit = status is TaskStatus.UNFINISHED
                return settle_failure(result.failure, is_limit=is_limit), result.failure
    if any(result.status is TaskStatus.DEGRADED for result in results):
        return RunStatus.COMPLETED_DEGRADED, None
    return RunStatus.SUCCESS, None


def settle_failure(failure: Failure, *, is_limit: bool) -> RunStatus:
    """Say how a run ended that this failure decided; a model's timeout is no limit of the run."""
    return LIMITS.get(failure.error_type, RunStatus.FAILED) if is_limit else RunStatus.FAILED
