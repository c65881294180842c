"""Hooks hear everything and disturb nothing."""

import asyncio
import logging

import pytest

from orchestrator.events import Event, ProjectStarted
from orchestrator.hooks import HookRegistry
from orchestrator.models import Brief

EVENT = ProjectStarted(project_id="p", brief=Brief(project="a secret"))


def failing(event: Event) -> None:
    raise ValueError("a secret of the hook")


async def test_plain_and_async_hooks_are_told_in_order():
    heard: list[str] = []

    async def slow(event: Event) -> None:
        await asyncio.sleep(0)
        heard.append("async")

    hooks = HookRegistry([slow])
    hooks.add(lambda _: heard.append("plain"))

    await hooks.emit(EVENT)

    assert heard == ["async", "plain"]


async def test_a_hook_that_raises_does_not_keep_others_from_hearing(caplog):
    heard: list[Event] = []

    async def failing_later(event: Event) -> None:
        await asyncio.sleep(0)
        raise KeyError("x")

    hooks = HookRegistry([failing, failing_later, heard.append])

    await hooks.emit(EVENT)

    assert heard == [EVENT]


async def test_a_failing_hook_is_named_in_the_log_once_and_without_content(caplog):
    hooks = HookRegistry([failing])

    with caplog.at_level(logging.WARNING):
        await hooks.emit(EVENT)
        await hooks.emit(EVENT)

    [record] = caplog.records
    message = record.getMessage()
    assert message.startswith("The hook failing raised ValueError on ProjectStarted.")
    assert "secret" not in caplog.text


async def test_a_failing_hook_is_still_called():
    calls: list[Event] = []

    def counting(event: Event) -> None:
        calls.append(event)
        raise ValueError

    hooks = HookRegistry([counting])

    await hooks.emit(EVENT)
    await hooks.emit(EVENT)

    assert len(calls) == 2


async def test_a_keyboard_interrupt_is_not_taken_for_a_failure():
    def stop(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await HookRegistry([stop]).emit(EVENT)


async def test_a_cancellation_is_not_taken_for_the_failure_of_the_hook_that_is_waited_for():
    is_waiting = asyncio.Event()

    async def waiting(event: Event) -> None:
        is_waiting.set()
        await asyncio.Event().wait()

    telling = asyncio.ensure_future(HookRegistry([waiting]).emit(EVENT))
    await is_waiting.wait()
    telling.cancel()

    with pytest.raises(asyncio.CancelledError):
        await telling


async def test_what_a_hook_waited_for_may_be_cancelled_without_the_run(caplog):
    heard: list[Event] = []
    abandoned = asyncio.get_running_loop().create_future()
    abandoned.cancel()

    async def waiting(event: Event) -> None:
        await abandoned

    await HookRegistry([waiting, heard.append]).emit(EVENT)

    assert heard == [EVENT]
    assert "waiting raised CancelledError on ProjectStarted" in caplog.text


async def test_a_listener_hears_only_what_happens_within_its_block():
    heard: list[Event] = []
    hooks = HookRegistry()

    await hooks.emit(EVENT)
    with hooks.listening(heard.append):
        await hooks.emit(EVENT)
    await hooks.emit(EVENT)

    assert heard == [EVENT]


async def test_leaving_a_block_removes_that_listener_and_no_equal_one():
    heard: list[Event] = []
    listen = heard.append
    hooks = HookRegistry([listen])

    with hooks.listening(listen):
        pass
    await hooks.emit(EVENT)

    assert heard == [EVENT]


async def test_a_hook_may_add_a_hook_while_it_is_told():
    heard: list[Event] = []
    hooks = HookRegistry()
    hooks.add(lambda _: hooks.add(heard.append))

    await hooks.emit(EVENT)
    assert heard == []

    await hooks.emit(EVENT)
    assert heard == [EVENT]
