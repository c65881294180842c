"""A run told as it happens: its events, one after the other, to whoever iterates."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

from orchestrator.events import Event, ProjectCompleted
from orchestrator.hooks import HookRegistry

AHEAD: Final = 1024
"""So many events a run may be ahead of its reader; then it waits, and memory stays bounded."""


async def stream(
    hooks: HookRegistry,
    project_id: str,
    begin: Callable[[], Awaitable[object]],
    *,
    ahead: int = AHEAD,
) -> AsyncGenerator[Event, None]:
    """Begin a run of this project and yield its events, of which `ProjectCompleted` is the last.

    Who leaves the iteration cancels the run, and leaves when it has stopped. What the run raises is
    raised after its last event.
    """
    told: asyncio.Queue[Event | None] = asyncio.Queue(ahead)
    is_left = False

    async def hear(event: Event) -> None:
        # Nobody hears what a run says that was left, and a full queue must not hold it up.
        if event.project_id == project_id and not is_left:
            await told.put(event)

    async def run() -> None:
        try:
            await begin()
        finally:
            if not is_left:
                await told.put(None)

    with hooks.listening(hear):
        task = asyncio.create_task(run())
        is_over = False
        try:
            while (event := await told.get()) is not None:
                is_over = isinstance(event, ProjectCompleted)
                yield event
            await task
        finally:
            is_left = True
            if not is_over:
                task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                task.exception()  # what it raised on its way out is nobody's to hear
