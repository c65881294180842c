"""Wake those who wait for spans, whenever one has come."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable


class Chime:
    """Rung when a span has come: those who wait look again, and never poll."""

    def __init__(self) -> None:
        self._bells: tuple[threading.Event, ...] = ()
        self._changing = threading.Lock()

    def ring(self) -> None:
        """Let everybody who waits look again."""
        for bell in self._bells:
            bell.set()

    def wait_until(self, predicate: Callable[[], bool], timeout: float) -> bool:
        """Wait until `predicate()` holds, asking again whenever the chime rings.

        Args:
            predicate: The condition.
            timeout: Seconds after which the answer is given as it stands.
        """
        deadline = time.monotonic() + timeout
        bell = threading.Event()
        with self._changing:
            self._bells = (*self._bells, bell)
        try:
            while not predicate():
                left = deadline - time.monotonic()
                if left <= 0 or not bell.wait(left):
                    return predicate()
                bell.clear()
            return True
        finally:
            with self._changing:
                self._bells = tuple(other for other in self._bells if other is not bell)


def on_event_loop() -> bool:
    """Whether the calling thread runs an event loop, whose tasks stand still while it waits."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
