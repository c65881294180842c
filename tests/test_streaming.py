"""A run's events to iterate over, and what ends it: its end, a break, a cancellation, a failure."""

import asyncio
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import InputError
from orchestrator.events import Event, PlanReady, ProjectCompleted, ProjectStarted, TaskCompleted
from orchestrator.models import Request, RunStatus
from orchestrator.streaming import AHEAD, stream
from tests.fakes import Recorder, ScriptedProvider, hang
from tests.stories import Script, cast, plan, stage

MANY = plan(*((f"t{number}", list[str]()) for number in range(20)))


def hanging(reached: asyncio.Event) -> dict[str, ScriptedProvider]:
    """Models that plan, and then write for ever."""

    def write(request: Request) -> Any:
        reached.set()
        return hang(request)

    return cast(ann=Script(generate=write), bob=Script())


class Awaited:
    """A hook that says when so many events of a kind were told."""

    def __init__(self, kind: type[Event] = Event, number: int = 1) -> None:
        self.come = asyncio.Event()
        self._kind = kind
        self._left = number

    def __call__(self, event: Event, /) -> None:
        self._left -= isinstance(event, self._kind)
        if self._left == 0:
            self.come.set()


def in_flight(models: dict[str, ScriptedProvider]) -> int:
    return sum(each.in_flight for each in models.values())


async def test_a_stream_tells_what_hooks_are_told_and_ends_with_the_project() -> None:
    recorder = Recorder()
    orchestrator = stage(cast(ann=Script(), bob=Script()), hooks=[recorder])

    events = [event async for event in orchestrator.stream("Make it", project_id="p1")]

    assert events == recorder.events
    assert isinstance(events[0], ProjectStarted)
    assert isinstance(events[-1], ProjectCompleted)
    assert [type(event) for event in events].count(ProjectCompleted) == 1
    assert events[-1].state.status is RunStatus.SUCCESS


async def test_two_streams_of_one_orchestrator_do_not_mix() -> None:
    orchestrator = stage(cast(ann=Script(), bob=Script()))

    async def ids(project_id: str) -> set[str]:
        stream = orchestrator.stream("Make it", project_id=project_id)
        return {event.project_id async for event in stream}

    assert list(await asyncio.gather(ids("one"), ids("two"))) == [{"one"}, {"two"}]


async def test_leaving_a_stream_stops_the_run_before_going_on(tmp_path: Path) -> None:
    reached, models = asyncio.Event(), dict[str, ScriptedProvider]()
    models = hanging(reached)
    recorder = Recorder()
    orchestrator = stage(models, hooks=[recorder], state_dir=tmp_path)

    async with aclosing(orchestrator.stream("Make it", project_id="p1")) as events:
        async for event in events:
            if isinstance(event, PlanReady):
                await reached.wait()
                break

    assert in_flight(models) == 0
    (last,) = recorder.of(ProjectCompleted)
    assert last.state.status is RunStatus.CANCELLED
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    # It is saved, and another run may have it at once.
    state = await stage(cast(ann=Script(), bob=Script()), state_dir=tmp_path).resume_project("p1")
    assert state.status is RunStatus.SUCCESS


async def test_breaking_out_of_a_stream_that_nobody_closes_stops_the_run_as_well() -> None:
    reached = asyncio.Event()
    models, recorder, end = hanging(reached), Recorder(), Awaited(ProjectCompleted)

    async for event in stage(models, hooks=[recorder, end]).stream("Make it"):
        if isinstance(event, PlanReady):
            break
    await asyncio.wait_for(end.come.wait(), 5)

    assert in_flight(models) == 0
    assert recorder.events[-1] is recorder.of(ProjectCompleted)[0]


async def test_a_reader_that_is_cancelled_cancels_the_run_and_is_cancelled() -> None:
    reached = asyncio.Event()
    models, recorder = hanging(reached), Recorder()
    orchestrator = stage(models, hooks=[recorder])

    async def read() -> None:
        async with aclosing(orchestrator.stream("Make it")) as events:
            async for _ in events:
                pass

    reader = asyncio.create_task(read())
    await reached.wait()
    reader.cancel()
    await asyncio.wait({reader})

    assert reader.cancelled()
    assert in_flight(models) == 0
    assert recorder.of(ProjectCompleted)[0].state.status is RunStatus.CANCELLED


async def test_a_cancelled_run_is_cancelled_and_never_swallows_it() -> None:
    reached = asyncio.Event()
    models, recorder = hanging(reached), Recorder()
    run = asyncio.create_task(stage(models, hooks=[recorder]).run_project("Make it"))
    await reached.wait()

    run.cancel()
    await asyncio.wait({run})

    assert run.cancelled()
    assert in_flight(models) == 0
    assert isinstance(recorder.events[-1], ProjectCompleted)


async def test_what_a_run_raises_is_raised_to_its_reader() -> None:
    events = stage(cast(ann=Script())).stream("  ")

    with pytest.raises(InputError, match="The project is empty"):
        await anext(events)


async def test_a_slow_reader_holds_the_run_up_and_loses_nothing() -> None:
    """Memory is bounded: a run goes no more than so many events ahead."""
    recorder = Recorder()
    models = cast(ann=Script(decompose=MANY), bob=Script())
    orchestrator = stage(models, hooks=[recorder])

    seen = list[Event]()
    async with aclosing(orchestrator.stream("Make it")) as events:
        async for event in events:
            seen.append(event)
            assert len(recorder.events) - len(seen) <= AHEAD + 1
            await asyncio.sleep(0)

    assert seen == recorder.events
    assert len([event for event in seen if isinstance(event, TaskCompleted)]) == 20


async def test_a_reader_that_never_reads_on_can_still_leave() -> None:
    """The run waits to tell something, and is told to stop meanwhile."""
    full = Awaited(number=4)  # one is read, two wait to be read, one waits to be told
    orchestrator = stage(cast(ann=Script(decompose=MANY), bob=Script()), hooks=[full])
    begin = partial(orchestrator.run_project, "Make it", project_id="p1")

    async with asyncio.timeout(5):
        async with aclosing(stream(orchestrator.hooks, "p1", begin, ahead=2)) as events:
            assert isinstance(await anext(events), ProjectStarted)
            await full.come.wait()

    assert len(asyncio.all_tasks()) == 1
