"""One journal as a SQLite file: made, opened, read whole or refused whole."""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from pydantic import ValidationError

from orchestrator import legible
from orchestrator.errors import InputError
from orchestrator.journal.entries import READ, VERSION, Entry

_APPLICATION_ID: Final = 0x4F524348
"""By this SQLite files know whose they are; "ORCH"."""
ELSEWHERE: Final = (
    "Mend that, choose another directory with --state-dir, or use --no-journal for a run that "
    "cannot be resumed."
)
_LONGEST_REASON: Final = 100
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS entries (
    number INTEGER PRIMARY KEY,
    at_s REAL NOT NULL,
    body TEXT NOT NULL,
    chain INTEGER NOT NULL
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One entry, and when it was made."""

    entry: Entry
    at_s: float
    """Seconds since its run began, by a clock that never runs backwards."""


@dataclass(slots=True)
class Pen:
    """Where the next entry goes; each is chained to the one before it."""

    connection: sqlite3.Connection
    number: int = 0
    chain: int = 0

    def write(self, lines: Iterable[tuple[float, str]]) -> None:
        """Write entries, each with its time, all of them or none.

        Raises:
            sqlite3.Error: they are not written.
        """
        number, chain = self.number, self.chain
        values = list[Any]()
        for at_s, body in lines:
            number, chain = number + 1, _chained(body.encode(), chain)
            values += (number, at_s, body, chain)
        if values:
            # One statement, which is its own transaction: each one gives the interpreter's lock
            # away, and a thread beside a busy one waits 5 ms to have it back.
            rows = ", ".join(["(?, ?, ?, ?)"] * (number - self.number))
            self.connection.execute(f"INSERT INTO entries VALUES {rows}", values)  # noqa: S608
        self.number, self.chain = number, chain


def make(path: Path) -> Pen:
    """Make an empty journal that its owner alone can read.

    Raises:
        InputError: it cannot be made there.
    """
    with _said(path, "be made", ELSEWHERE):
        try:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
            with closing(sqlite3.connect(path)) as connection, connection:
                # An empty journal may be lost with the power; waiting for a disk is for nothing.
                connection.execute("PRAGMA synchronous = OFF")
                connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {VERSION}")
                connection.execute(_TABLE)
            return Pen(_connected(path))
        except BaseException:
            with suppress(OSError):
                remove(path)
            raise


def reopen(path: Path) -> Pen:
    """Where to go on writing in a journal that was read.

    Raises:
        InputError: it cannot be written.
    """
    with _said(path, "be opened for writing"):
        connection = _connected(path)
        number, chain = connection.execute(
            "SELECT number, chain FROM entries ORDER BY number DESC LIMIT 1"
        ).fetchone()
    return Pen(connection, number, chain)


def read(path: Path) -> list[Line]:
    """What stands in a journal, which may be one that is being written.

    Raises:
        InputError: it is damaged, of another version, or no journal at all.
    """
    if _is_empty(path):
        return []
    with closing(_opened(path)) as connection:
        return list(_lines(connection, path))


def last(path: Path) -> Entry | None:
    """The last entry of a journal, without a look at the others; None: it has none.

    Raises:
        InputError: as for `read`.
    """
    with closing(_opened(path)) as connection, _said(path, "be read"):
        _refuse_foreign(connection, path)
        row = connection.execute("SELECT body FROM entries ORDER BY number DESC LIMIT 1").fetchone()
    try:
        return None if row is None else READ.validate_json(row[0])
    except ValidationError:
        raise _damaged(path, "at its last entry") from None


def remove(path: Path) -> None:
    """Throw a journal away, with what SQLite keeps beside it."""
    for each in (path, *(path.with_name(f"{path.name}{end}") for end in ("-wal", "-shm"))):
        each.unlink(missing_ok=True)


def is_blank(path: Path) -> bool:
    """Whether nothing was written yet: its process ended too early for that."""
    if _is_empty(path):
        return True
    with closing(_opened(path)) as connection, _said(path, "be read"):
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        return not tables or not connection.execute("SELECT count(*) FROM entries").fetchone()[0]


def _is_empty(path: Path) -> bool:
    with _said(path, "be opened"):
        return not path.stat().st_size


def _opened(path: Path) -> sqlite3.Connection:
    """Open it for reading; writing too, where that is allowed, so that nothing is left behind."""
    modes = ["mode=rw", "mode=ro"]
    if not path.with_name(f"{path.name}-wal").exists():
        # Where SQLite can put nothing beside the file, it takes one that nobody changes.
        modes.append("immutable=1")
    with _said(path, "be opened"):
        for mode in modes:
            connection = sqlite3.connect(f"{path.as_uri()}?{mode}", uri=True)
            try:
                connection.execute("SELECT count(*) FROM sqlite_master")
            except (sqlite3.Error, UnicodeDecodeError):
                connection.close()
                if mode == modes[-1]:
                    raise
            else:
                break
    # As bytes: SQLite's own complaint about text that is none would quote all of it.
    connection.text_factory = bytes
    return connection


def _connected(path: Path) -> sqlite3.Connection:
    # One writer, which is a thread of its own; the lock keeps other processes out.
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _lines(connection: sqlite3.Connection, path: Path) -> Iterator[Line]:
    with _said(path, "be read"):
        _refuse_foreign(connection, path)
        rows = connection.execute("SELECT number, at_s, body, chain FROM entries ORDER BY number")
        before = 0
        for place, (number, at_s, body, chain) in enumerate(rows, start=1):
            is_whole = isinstance(body, bytes) and isinstance(at_s, float)
            before = _chained(body, before) if is_whole else before
            if not is_whole or number != place or chain != before:
                raise _damaged(path, f"at entry {place}")
            try:
                yield Line(entry=READ.validate_json(body), at_s=at_s)
            except ValidationError:
                raise _damaged(path, f"at entry {place}") from None


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != _APPLICATION_ID:
        raise InputError(f"{str(path)!r} is no journal; it is left alone. Move it away.")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != VERSION:
        raise InputError(
            f"The journal {str(path)!r} is of version {version}, and this program reads version "
            f"{VERSION}. Use the program that wrote it."
        )


def _damaged(path: Path, how: str) -> InputError:
    return InputError(
        f"The journal {str(path)!r} is damaged {how}. It is left as it is, and nothing of it is "
        "used; begin the project anew under another id."
    )


def _chained(body: bytes, before: int) -> int:
    """The check sum of an entry and of all before it: none can change or go missing unseen."""
    return crc32(body, before)


@contextmanager
def _said(path: Path, what: str, advice: str = "Mend that and try again.") -> Iterator[None]:
    """Turn what SQLite and the system say into a sentence."""
    try:
        yield
    except UnicodeDecodeError:  # what is wrong stands in SQLite's own message
        raise _damaged(path, "(its very schema)") from None
    except (sqlite3.Error, OSError) as error:
        code = getattr(error, "sqlite_errorcode", None)
        # Our SQL is right, so where it is an error the table or its columns are gone.
        if type(error) is sqlite3.DatabaseError or code == sqlite3.SQLITE_ERROR:
            # It may quote the table's definition, with its line breaks and what became of them.
            raise _damaged(path, f"({legible.line(str(error), _LONGEST_REASON)})") from None
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"The journal {str(path)!r} cannot {what}: {why}. {advice}") from None
