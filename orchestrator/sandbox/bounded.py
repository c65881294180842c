"""One command, bounded in time and in what it prints, and gone when nobody waits any more."""

import asyncio
import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from orchestrator.programs import Ended, Limits

_CHUNK: Final = 1 << 16


async def run_bounded(
    command: Sequence[str],
    limits: Limits,
    *,
    environ: Mapping[str, str],
    cwd: Path | None = None,
    pass_fds: Iterable[int] = (),
) -> Ended:
    """Run a command to its end or to its limit, without ever holding the event loop.

    It gets no input, the environment given and nothing of ours, and a session of its own, which is
    killed when this returns or raises, a cancellation included.

    Raises:
        OSError: it cannot be started.
    """
    printed = _Printed(limits.output_bytes)
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=printed.writer,
            stderr=printed.writer,
            env=dict(environ),
            cwd=cwd,
            pass_fds=tuple(pass_fds),
            start_new_session=True,
        )
        try:
            stopped = await _ended(process, printed, limits.seconds)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        return Ended(
            exit_code=None if stopped else process.returncode,
            output=printed.text(),
            stopped=stopped,
        )
    finally:
        printed.close()


async def _ended(
    process: asyncio.subprocess.Process, printed: "_Printed", seconds: float
) -> Literal["", "time", "output"]:
    """Wait for the first of: its end, its time, too much output."""
    end, flood = asyncio.ensure_future(process.wait()), asyncio.ensure_future(printed.flooded())
    try:
        done, _ = await asyncio.wait(
            (end, flood), timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        end.cancel()
        flood.cancel()
    return "" if end in done else "output" if flood in done else "time"


class _Printed:
    """A pipe that is read as it fills, up to a limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept = bytearray()
        self._full = asyncio.Event()
        self._reader, self.writer = os.pipe()
        os.set_blocking(self._reader, False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._reader, self._read)

    async def flooded(self) -> None:
        """Return when more was printed than is allowed."""
        await self._full.wait()

    def text(self) -> str:
        """All that was printed by now, up to the limit."""
        while not self._full.is_set() and self._read():
            pass
        return self._kept[: self._limit].decode(errors="replace")

    def close(self) -> None:
        self._loop.remove_reader(self._reader)
        os.close(self._reader)
        os.close(self.writer)

    def _read(self) -> bool:
        """Take what is there; False when nothing is."""
        try:
            chunk = os.read(self._reader, _CHUNK)
        except BlockingIOError:
            return False
        self._kept += chunk
        if len(self._kept) > self._limit:
            self._loop.remove_reader(self._reader)
            self._full.set()
        return bool(chunk)
