"""One process a project: a lock that is gone with whoever held it, however they went."""

import os
import sqlite3
from contextlib import suppress
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
            InputError: another run holds it, or nothing can be locked there.
        """
        try:
            # Who only asks whether it is held has it for a moment, which is waited for.
            self._connection = _connected(path, _MOMENT_S)
        except sqlite3.Error as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                is_writable = os.access(path.parent, os.W_OK)
                why = error if is_writable else "nothing can be written in its directory"
                raise InputError(
                    f"The journal of the project {project_id!r} cannot be locked with "
                    f"{str(path)!r}: {why}. Mend that, or choose another directory with "
                    "--state-dir."
                ) from None
            raise InputError(
                f"The project {project_id!r} is being run by another process, or by another run of "
                "this one. Wait for its end, or choose another id."
            ) from None
        with suppress(OSError):  # somebody else's, who lets us have it
            path.chmod(0o600)

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
    try:
        _connected(path, timeout_s=0).close()
    except sqlite3.Error as error:
        return error.sqlite_errorcode == sqlite3.SQLITE_BUSY
    return False


def _connected(path: Path, timeout_s: float) -> sqlite3.Connection:
    """A connection that holds the lock for as long as it is open."""
    connection = sqlite3.connect(
        path, timeout=timeout_s, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
