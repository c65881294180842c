"""Entries reach the file in groups, written by a thread, so that no disk holds up the run."""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Final

from orchestrator.errors import JournalFailed
from orchestrator.journal.book import Pen
from orchestrator.journal.entries import Entry
from orchestrator.journal.lock import Lock

_log = logging.getLogger(__name__)

CLOSING_S: Final = 5.0
"""How long the end of a run waits for its last entries; a disk that hangs must not keep it."""

_LARGEST_GROUP: Final = 512

_Item = tuple[float, Entry, "asyncio.Future[None] | None"]


class Writer:
    """The one writer of one journal, from construction to `close`."""

    def __init__(self, pen: Pen, lock: Lock, now_s: Callable[[], float], project_id: str) -> None:
        """Begin to write.

        Args:
            pen: where to.
            lock: keeps others out; released when the last entry is written.
            now_s: seconds since the run began.
            project_id: whose journal it is.
        """
        self._pen = pen
        self._lock = lock
        self._now_s = now_s
        self._project_id = project_id
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[_Item | None] = SimpleQueue()
        self._closed = self._loop.create_future()
        self._failure: str | None = None
        self._was_said = False
        self._thread = threading.Thread(target=self._work, name="orchestrator-journal", daemon=True)
        self._thread.start()

    def note(self, entry: Entry) -> None:
        """Have an entry written, some time soon and in its order."""
        self._queue.put((self._now_s(), entry, None))

    async def record(self, entry: Entry) -> None:
        """Have an entry written, and wait until it is.

        Raises:
            JournalFailed: it is not, and nothing after it will be.
        """
        written = self._loop.create_future()
        self._queue.put((self._now_s(), entry, written))
        await written
        self.check()

    def check(self) -> None:
        """Go on, or not.

        Raises:
            JournalFailed: the journal cannot be written any more.
        """
        if self._failure is not None:
            self._was_said = True
            raise JournalFailed(
                f"The journal cannot be written ({self._failure}), so the run stops before it pays "
                f"for what would be lost. Mend that and go on with --resume {self._project_id}."
            )

    async def close(self) -> None:
        """Write what is left and give the file back; a cancellation waits until that is done."""
        self._queue.put(None)
        try:
            await asyncio.wait({self._closed}, timeout=CLOSING_S)
        except asyncio.CancelledError:
            await asyncio.wait({self._closed}, timeout=CLOSING_S)
            raise
        if self._failure is not None and not self._was_said:
            _log.warning(
                "The end of the journal could not be written (%s); a --resume goes on before it.",
                self._failure,
            )

    def _work(self) -> None:
        group: list[_Item] = []
        open_ = True
        while open_:
            open_ = self._gather(group)
            self._write(group)
            self._tell([written for *_, written in group if written is not None])
            group.clear()
        with suppress(sqlite3.Error):  # what is written is written; closing only tidies
            self._pen.connection.close()
        self._lock.release()
        self._tell([self._closed])

    def _gather(self, group: list[_Item]) -> bool:
        """Wait for an entry and take what has come with it; False: there will be no more."""
        item = self._queue.get()
        while item is not None:
            group.append(item)
            if self._queue.empty() or len(group) >= _LARGEST_GROUP:
                return True
            item = self._queue.get()
        return False

    def _write(self, group: list[_Item]) -> None:
        if self._failure is not None:
            return  # no entry may stand where one before it is missing
        try:
            self._pen.write((at_s, entry.model_dump_json()) for at_s, entry, _ in group)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for ever
            self._failure = str(error) if isinstance(error, sqlite3.Error) else type(error).__name__

    def _tell(self, waiting: list["asyncio.Future[None]"]) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(_resolve, waiting)


def _resolve(waiting: list["asyncio.Future[None]"]) -> None:
    for written in waiting:
        if not written.done():
            written.set_result(None)
