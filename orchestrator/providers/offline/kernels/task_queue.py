"""Keep work in order until somebody does it."""

# %% imports
import heapq
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field


# %% core: priority, order, fifo, first in first out
@dataclass(frozen=True, order=True)
class Job:
    """One piece of work; a smaller priority comes first, and equals keep their order."""

    priority: int
    number: int
    payload: str = field(compare=False)
    attempts: int = field(default=0, compare=False)


class TaskQueue:
    """A queue by priority: among equals, first in is first out.

    >>> queue = TaskQueue()
    >>> queue.push("write"), queue.push("fix", priority=-1)
    (1, 2)
    >>> queue.pop().payload
    'fix'
    """

    def __init__(self, capacity: int = 10_000) -> None:
        """Start empty."""
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity!r}")
        self.capacity = capacity
        self._jobs: list[Job] = []
        self._pushed = 0

    def push(self, payload: str, priority: int = 0, attempts: int = 0) -> int:
        """Put work into the queue; its number comes back."""
        if len(self._jobs) >= self.capacity:
            raise OverflowError(f"the queue is full with {self.capacity} jobs")
        self._pushed += 1
        heapq.heappush(self._jobs, Job(priority, self._pushed, payload, attempts))
        return self._pushed

    def pop(self) -> Job:
        """Take the next piece of work; LookupError when there is none."""
        if not self._jobs:
            raise LookupError("the queue is empty")
        return heapq.heappop(self._jobs)

    def jobs(self) -> list[Job]:
        """Everything that waits, in the order in which it will be taken."""
        return sorted(self._jobs)

    def __len__(self) -> int:
        return len(self._jobs)


# %% retries: retry, attempts, failure, fault tolerant, dead letter, reliable
def work_off(queue: TaskQueue, handle: Callable[[str], None], retries: int = 2) -> list[Job]:
    """Handle everything; failed jobs go back for so many retries. What stays failed comes back."""
    lost: list[Job] = []
    while queue:
        job = queue.pop()
        try:
            handle(job.payload)
        except Exception:  # noqa: BLE001 - whatever a handler raises is a failed attempt
            if job.attempts < retries:
                queue.push(job.payload, job.priority, job.attempts + 1)
            else:
                lost.append(job)
    return lost


# %% thread safe: concurrent, concurrency, threads, lock, safe, workers
class SharedTaskQueue(TaskQueue):
    """The same queue for many threads: a lock makes each push and each pop one step."""

    def __init__(self, capacity: int = 10_000) -> None:
        """Start empty, with an open lock."""
        super().__init__(capacity)
        self._lock = threading.Lock()

    def push(self, payload: str, priority: int = 0, attempts: int = 0) -> int:
        """Put work into the queue; its number comes back."""
        with self._lock:
            return super().push(payload, priority, attempts)

    def pop(self) -> Job:
        """Take the next piece of work; LookupError when there is none."""
        with self._lock:
            return super().pop()


# %% saving and loading: persistent, persistence, durable, save, load, json, disk
def saved(queue: TaskQueue) -> str:
    """What waits, as JSON, for saving; `loaded` reads it."""
    return json.dumps([[job.payload, job.priority, job.attempts] for job in queue.jobs()])


def loaded(text: str) -> TaskQueue:
    """A queue from what `saved` wrote; ValueError when it is something else."""
    queue = TaskQueue()
    for payload, priority, attempts in json.loads(text):
        queue.push(str(payload), int(priority), int(attempts))
    return queue
