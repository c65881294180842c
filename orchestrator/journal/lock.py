"""One process a project: a lock that is gone with whoever held it, however they went."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final, Self

from orchestrator.errors import InputError

_MOMENT_S: Final = 0.1


class Lock:
    """Held from construction to `release`.

    SQLite's own lock on an empty file: the system takes it back when the process ends, and it
    holds between the runs of one process as well.
    """

    def __init__(self, path: Path, project_id: str) -> None:
        """Take it.

        Raises:
            InputError: another run holds it.
        """
        # Who only asks whether it is held has it for a moment, which is waited for.
        self._connection = sqlite3.connect(
            path, timeout=_MOMENT_S, isolation_level=None, check_same_thread=False
        )
        try:
            self._connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error:
            self._connection.close()
            raise InputError(
                f"The project {project_id!r} is being run by another process, or by another run of "
                "this one. Wait for its end, or choose another id."
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Let others have it."""
        self._connection.close()


def is_held(path: Path) -> bool:
    """Whether a run holds the lock now."""
    if not path.exists():
        return False
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error:
            return True
    return False
