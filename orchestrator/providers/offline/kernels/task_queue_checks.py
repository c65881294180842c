"""What a task queue has to do, as tests."""
# ruff: noqa: D103, PLR2004, S101 - tests assert, and their names and numbers are the point

# %% imports
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.providers.offline.kernels.task_queue import (
    SharedTaskQueue,
    TaskQueue,
    loaded,
    saved,
    work_off,
)


# %% core
def test_the_smaller_priority_comes_first() -> None:
    queue = TaskQueue()
    queue.push("later", priority=5)
    queue.push("now", priority=1)
    assert [queue.pop().payload, queue.pop().payload] == ["now", "later"]


def test_equals_keep_their_order() -> None:
    queue = TaskQueue()
    for name in ("a", "b", "c"):
        queue.push(name)
    assert [job.payload for job in queue.jobs()] == ["a", "b", "c"]


def test_an_empty_queue_has_nothing_to_take() -> None:
    with pytest.raises(LookupError, match="empty"):
        TaskQueue().pop()


# %% retries
def test_retries_help_what_fails_once() -> None:
    queue = TaskQueue()
    queue.push("shaky")
    tries: list[str] = []

    def handle(payload: str) -> None:
        tries.append(payload)
        if len(tries) == 1:
            raise OSError("not yet")

    assert work_off(queue, handle) == []
    assert tries == ["shaky", "shaky"]


def test_retries_end_and_what_is_lost_is_told() -> None:
    queue = TaskQueue()
    queue.push("broken")

    def handle(payload: str) -> None:
        raise OSError(payload)

    assert [job.payload for job in work_off(queue, handle, retries=1)] == ["broken"]


# %% thread safe
def test_threads_together_lose_no_job() -> None:
    queue = SharedTaskQueue()
    with ThreadPoolExecutor(max_workers=8) as pool:
        numbers = list(pool.map(lambda number: queue.push(str(number)), range(300)))
    assert sorted(numbers) == list(range(1, 301))
    assert len(queue) == 300


# %% saving and loading
def test_saving_and_loading_keeps_order_and_attempts() -> None:
    queue = TaskQueue()
    queue.push("later", priority=2)
    queue.push("now", priority=1, attempts=3)
    again = loaded(saved(queue))
    assert [(job.payload, job.attempts) for job in again.jobs()] == [("now", 3), ("later", 0)]
