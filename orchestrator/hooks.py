"""The notice board: whoever wants to know what happens is told, and cannot disturb the run."""

import asyncio
import inspect
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from orchestrator.events import Event
from orchestrator.ports import Hook

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Listener:
    hook: Hook
    is_faulty: bool = False


class HookRegistry:
    """Hooks, plain or async, told in the order in which they came."""

    def __init__(self, hooks: Iterable[Hook] = ()) -> None:
        self._listeners = [_Listener(hook) for hook in hooks]

    def add(self, hook: Hook) -> None:
        """Tell this hook of every event from now on."""
        self._listeners.append(_Listener(hook))

    @contextmanager
    def listening(self, hook: Hook) -> Iterator[None]:
        """Tell this hook of every event within the block."""
        listener = _Listener(hook)
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    async def emit(self, event: Event) -> None:
        """Tell every hook, one after the other; an async hook is waited for.

        A hook that raises is isolated: the next ones are told all the same, and its first failure
        is logged (the names of hook, exception and event; never what the event says). A
        cancellation of the run and a keyboard interrupt are nobody's failure and propagate; a
        cancellation that the hook met by itself, in what it waited for, is one.
        """
        for listener in tuple(self._listeners):
            try:
                told = listener.hook(event)
                if inspect.isawaitable(told):
                    await told
            except asyncio.CancelledError as error:
                if _is_asked_to_stop():
                    raise
                _complain(listener, error, event)
            except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
                _complain(listener, error, event)


def _is_asked_to_stop() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _complain(listener: _Listener, error: BaseException, event: Event) -> None:
    if listener.is_faulty:
        return
    listener.is_faulty = True
    _log.warning(
        "The hook %s raised %s on %s. The run goes on and the hook is still called; "
        "its later failures are not logged.",
        getattr(listener.hook, "__qualname__", type(listener.hook).__qualname__),
        type(error).__qualname__,
        type(event).__name__,
    )
