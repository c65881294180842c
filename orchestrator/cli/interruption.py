"""Ctrl-C and SIGTERM: the first cancels the run, the second leaves at once."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from orchestrator.cli import streams
from orchestrator.cli.exit_codes import ExitCode

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_SHOW_CURSOR: Final = "\x1b[?25h"


@contextmanager
def cancelling_on_signals(*, silently: bool = False) -> Iterator[None]:
    """Cancel the task that is inside the block at the first signal, and say so."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    requests = 0

    def interrupt() -> None:
        nonlocal requests
        requests += 1
        if requests > 1:
            _leave()
        if not silently:
            streams.say("Stopping; once more to leave at once.")
        if task is not None:
            task.cancel()

    # Where a loop takes no signal handlers (Windows), asyncio's own Ctrl-C cancels all the same.
    with suppress(NotImplementedError):
        for number in _SIGNALS:
            loop.add_signal_handler(number, interrupt)
    try:
        yield
    finally:
        with suppress(NotImplementedError):
            for number in _SIGNALS:
                loop.remove_signal_handler(number)


def _leave() -> None:
    """End the process without another step; a live tree has hidden the cursor."""
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), _SHOW_CURSOR.encode())
    os._exit(ExitCode.INTERRUPTED)
