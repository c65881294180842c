"""Readiness: every task once, after what it needs, never more than allowed at a time."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.models import Plan, Task, TaskResult, TaskStatus
from orchestrator.scheduler import run_by_readiness


def task(name: str, *needs: str) -> Task:
    return Task(id=name, title=name, instructions=name, type="writing", depends_on=needs)


def done(one: Task) -> TaskResult:
    return TaskResult(task=one, status=TaskStatus.COMPLETED)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    count = draw(st.integers(1, 12))
    tasks = []
    for index in range(count):
        needs = draw(st.sets(st.integers(0, index - 1))) if index else set()
        tasks.append(task(f"t{index}", *(f"t{need}" for need in sorted(needs))))
    return Plan(tasks=tuple(tasks))


@given(plan=plans(), concurrency=st.integers(1, 5))
def test_each_task_runs_once_after_what_it_needs(plan: Plan, concurrency: int):
    started: list[str] = []
    running = 0
    most = 0

    async def run(one, needed):
        nonlocal running, most
        assert set(needed) == set(one.depends_on)
        started.append(one.id)
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return done(one)

    results = asyncio.run(run_by_readiness(plan, run, concurrency=concurrency))

    assert sorted(started) == sorted(one.id for one in plan.tasks)
    assert [result.task for result in results] == list(plan.tasks)
    assert most <= concurrency


async def test_a_task_does_not_wait_for_a_level_it_does_not_need():
    plan = Plan(tasks=(task("slow"), task("quick"), task("after_quick", "quick")))
    quick_branch_is_done = asyncio.Event()

    async def run(one, _needed):
        if one.id == "slow":
            await quick_branch_is_done.wait()
        if one.id == "after_quick":
            quick_branch_is_done.set()
        return done(one)

    results = await asyncio.wait_for(run_by_readiness(plan, run, concurrency=2), timeout=5)

    assert len(results) == 3


async def test_an_accident_ends_the_run_as_itself_and_leaves_nothing_running():
    plan = Plan(tasks=(task("a"), task("b")))
    was_cancelled = asyncio.Event()

    async def run(one, _needed):
        if one.id == "a":
            raise ZeroDivisionError
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            was_cancelled.set()
            raise
        return done(one)

    with pytest.raises(ZeroDivisionError):
        await run_by_readiness(plan, run, concurrency=2)

    assert was_cancelled.is_set()


async def test_cancellation_reaches_every_task_and_propagates():
    plan = Plan(tasks=(task("a"), task("b")))
    cancelled: list[str] = []
    both_run = asyncio.Barrier(3)

    async def run(one, _needed):
        try:
            await both_run.wait()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(one.id)
            raise
        return done(one)

    whole = asyncio.create_task(run_by_readiness(plan, run, concurrency=2))
    await both_run.wait()
    whole.cancel()

    with pytest.raises(asyncio.CancelledError):
        await whole
    assert sorted(cancelled) == ["a", "b"]


async def test_a_cancellation_of_what_a_task_waits_for_ends_the_run_instead_of_hanging_it():
    plan = Plan(tasks=(task("a"), task("b", "a")))
    abandoned = asyncio.get_running_loop().create_future()
    abandoned.cancel()

    async def run(one, _needed):
        await abandoned
        return done(one)

    with pytest.raises(RuntimeError, match="What a waited for was cancelled, but not a"):
        await asyncio.wait_for(run_by_readiness(plan, run, concurrency=2), timeout=5)
