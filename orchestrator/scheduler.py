"""Tasks run as soon as what they depend on has ended, a bounded number at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from graphlib import TopologicalSorter

from orchestrator.models import Plan, Task, TaskResult

RunTask = Callable[[Task, Mapping[str, TaskResult]], Awaitable[TaskResult]]
"""Run one task, given the results of the tasks it depends on."""


async def run_by_readiness(plan: Plan, run: RunTask, *, concurrency: int) -> tuple[TaskResult, ...]:
    """Run every task of the plan once and return the results in the plan's order.

    There is no barrier between levels: a task starts when its own dependencies have ended, however
    they ended. Work and memory are linear in tasks and dependencies.

    Raises:
        Exception: what `run` raised first; all other tasks are cancelled then.
        RuntimeError: what a task waited for was cancelled, but not the task.
    """
    tasks = {task.id: task for task in plan.tasks}
    order = TopologicalSorter({task.id: task.depends_on for task in plan.tasks})
    order.prepare()
    ready: asyncio.Queue[str | None] = asyncio.Queue()
    results: dict[str, TaskResult] = {}
    workers = min(concurrency, len(tasks))

    def announce() -> None:
        for task_id in order.get_ready():
            ready.put_nowait(task_id)
        if not order.is_active():
            for _ in range(workers):
                ready.put_nowait(None)

    async def work() -> None:
        while (task_id := await ready.get()) is not None:
            results[task_id] = await _done(run, tasks[task_id], results)
            order.done(task_id)
            announce()

    announce()
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(work())
    except BaseExceptionGroup as failures:
        # A task that fails by accident ends the run; its siblings only echo the cancellation.
        raise failures.exceptions[0] from None
    return tuple(results[task.id] for task in plan.tasks)


async def _done(run: RunTask, task: Task, results: Mapping[str, TaskResult]) -> TaskResult:
    """The result of a task, or an exception that nobody overlooks.

    A `TaskGroup` takes a worker that ends cancelled for one that is done, whoever cancelled what:
    the others would wait for ever for the task to end.
    """
    worker = asyncio.current_task()
    try:
        return await run(task, {need: results[need] for need in task.depends_on})
    except asyncio.CancelledError as stray:
        if worker is None or worker.cancelling():
            raise
        raise RuntimeError(
            f"What {task.id} waited for was cancelled, but not {task.id}."
        ) from stray
