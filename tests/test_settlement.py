"""What tasks make of a run: a limit outweighs a failure, a failure outweighs a poor result."""

import pytest

from orchestrator.models import Failure, RunStatus, Task, TaskResult, TaskStatus
from orchestrator.settlement import settle

MONEY = Failure(error_type="budget_exceeded", sentence="no money")
TIME = Failure(error_type="timeout", sentence="no time")
RATE = Failure(error_type="rate_limit_exceeded", sentence="too fast")
SLOW = Failure(error_type="timeout", sentence="the model gave no answer")
SKIP = Failure(error_type="skipped", sentence="t1 failed")


def result(status: TaskStatus, failure: Failure | None = None) -> TaskResult:
    task = Task(id="t", title="t", instructions="t", type="writing")
    return TaskResult(task=task, status=status, failure=failure)


COMPLETED = result(TaskStatus.COMPLETED)
DEGRADED = result(TaskStatus.DEGRADED)
FAILED = result(TaskStatus.FAILED, RATE)
SKIPPED = result(TaskStatus.SKIPPED, SKIP)
NO_MONEY = result(TaskStatus.UNFINISHED, MONEY)
NO_TIME = result(TaskStatus.UNFINISHED, TIME)


@pytest.mark.parametrize(
    ("results", "status", "failure"),
    [
        ([COMPLETED, COMPLETED], RunStatus.SUCCESS, None),
        ([COMPLETED, DEGRADED], RunStatus.COMPLETED_DEGRADED, None),
        ([DEGRADED, FAILED, SKIPPED], RunStatus.FAILED, RATE),
        ([result(TaskStatus.FAILED, SLOW)], RunStatus.FAILED, SLOW),
        ([FAILED, NO_MONEY], RunStatus.BUDGET_EXHAUSTED, MONEY),
        ([COMPLETED, NO_TIME, NO_MONEY], RunStatus.TIMEOUT, TIME),
    ],
)
def test_the_heaviest_result_decides(results, status, failure):
    assert settle(results) == (status, failure)
