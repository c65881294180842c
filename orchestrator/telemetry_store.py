"""What was measured of models, kept from run to run in one file that many processes may share."""

import asyncio
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from enum import Enum
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from orchestrator.catalogue import Catalogue
from orchestrator.events import Event, ProjectCompleted
from orchestrator.ports import Hook
from orchestrator.tallies import Tally
from orchestrator.telemetry import TelemetryCollector

FILE_NAME: Final = "telemetry.sqlite"
"""Its name in the state directory."""

VERSION: Final = 1
"""Grows when a tally means something else; a reader takes no other one."""

FORGOTTEN_AFTER_S: Final = 365 * 86_400.0
"""A model that nobody used for so long is strange again; it keeps the file small."""

BUSY_S: Final = 5.0
"""How long one process waits while others write; a write takes milliseconds."""

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS tallies (
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    as_of_s REAL NOT NULL,
    tally TEXT NOT NULL,
    PRIMARY KEY (provider, model)
) WITHOUT ROWID
"""
_TALLY: Final = TypeAdapter(Tally)

_log = logging.getLogger(__name__)


def opened(
    state_dir: Path | None, catalogue: Catalogue
) -> tuple[TelemetryCollector, tuple[Hook, ...]]:
    """A collector that knows what was kept in this directory, and the hook that keeps the rest.

    Without a directory it knows nothing, and there is no such hook.
    """
    if state_dir is None:
        return TelemetryCollector(), ()
    store = TelemetryStore(state_dir / FILE_NAME, catalogue)
    telemetry = TelemetryCollector(store.read())
    return telemetry, (_Keeper(store, telemetry),)


class _OtherVersion(Exception):
    """The file is of another version of this program."""


class _Outcome(Enum):
    OVER = "over"
    SET_ASIDE = "set_aside"


class TelemetryStore:
    """A row a model of a provider; each process adds what it measured to what is there.

    Nothing here stops a run: what cannot be read or kept costs a warning. A damaged file is set
    aside beside its place and a new one begun.

    Args:
        path: the file; it and its directory are made when something is kept, for the user alone.
        catalogue: which provider a model id stands for.
        now: the wall clock.
    """

    def __init__(
        self, path: Path, catalogue: Catalogue, *, now: Callable[[], float] = time.time
    ) -> None:
        self._path = path
        self._providers = {model.id: model.provider for model in catalogue.entries()}
        self._now = now

    def read(self) -> dict[str, Tally]:
        """What is known of the catalogue's models, by id; nothing where nothing can be read."""
        known: dict[str, Tally] = {}
        if self._path.exists():
            self._tried("read", lambda: known.update(self._read()))
        return known

    def add(self, fresh: Mapping[str, Tally]) -> None:
        """Add what was measured to what this and other processes have kept."""
        if fresh and self._tried("written", lambda: self._write(fresh)) is _Outcome.SET_ASIDE:
            self._tried("written", lambda: self._write(fresh))

    def _read(self) -> dict[str, Tally]:
        with closing(self._connected()) as connection:
            if not _version(connection):
                return {}
            rows = connection.execute("SELECT provider, model, tally FROM tallies").fetchall()
        return {
            model: _TALLY.validate_json(tally)
            for provider, model, tally in rows
            if self._providers.get(model) == provider
        }

    def _write(self, fresh: Mapping[str, Tally]) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        with closing(self._connected()) as connection:
            connection.execute("BEGIN IMMEDIATE")  # nobody else writes between reading and writing
            if not _version(connection):
                connection.execute(_TABLE)
                connection.execute(f"PRAGMA user_version = {VERSION}")
            for model, tally in fresh.items():
                self._merge(connection, model, tally)
            oldest_s = self._now() - FORGOTTEN_AFTER_S
            connection.execute("DELETE FROM tallies WHERE as_of_s < ?", (oldest_s,))
            connection.execute("COMMIT")

    def _merge(self, connection: sqlite3.Connection, model: str, fresh: Tally) -> None:
        provider = self._providers[model]
        row = connection.execute(
            "SELECT tally FROM tallies WHERE provider = ? AND model = ?", (provider, model)
        ).fetchone()
        whole = Tally(as_of_s=fresh.as_of_s) if row is None else _TALLY.validate_json(row[0])
        whole.add(fresh.counts, fresh.latencies_ms, self._now())
        connection.execute(
            "REPLACE INTO tallies VALUES (?, ?, ?, ?)",
            (provider, model, whole.as_of_s, _TALLY.dump_json(whole).decode()),
        )

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None)
        try:
            # Not worth waiting for the disk: what a machine loses that falls, runs measure again.
            connection.execute("PRAGMA synchronous = OFF")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _tried(self, what: str, do: Callable[[], None]) -> _Outcome:
        """Do it; what keeps it from being done is a warning."""
        before = self._inode()
        try:
            do()
        except _OtherVersion:
            _log.warning(
                "What is known of models in %r was written by another version of this program; "
                "this run neither uses nor changes it.",
                str(self._path),
            )
        except (sqlite3.OperationalError, OSError) as error:
            _log.warning(
                "What is known of models cannot be %s (%r: %s); the run goes on without. "
                "Choose another directory with --state-dir.",
                what,
                str(self._path),
                error.strerror if isinstance(error, OSError) else error,
            )
        except (sqlite3.Error, ValidationError):
            self._set_aside(before)
            return _Outcome.SET_ASIDE
        return _Outcome.OVER

    def _inode(self) -> int | None:
        try:
            return self._path.stat().st_ino
        except OSError:
            return None

    def _set_aside(self, inode: int | None) -> None:
        """Rename the damaged file, unless another process has done that by now."""
        if self._inode() != inode:
            return
        aside = self._path.with_name(f"{self._path.name}.damaged-{int(self._now())}-{os.getpid()}")
        for suffix in ("-journal", ""):  # a journal of what is gone must not be played back
            with_suffix = self._path.with_name(f"{self._path.name}{suffix}")
            if with_suffix.exists():
                with_suffix.rename(aside.with_name(f"{aside.name}{suffix}"))
        _log.warning(
            "The file %r, in which is kept what is known of models, is damaged. It is now %r, and "
            "models are measured anew.",
            str(self._path),
            aside.name,
        )


def _version(connection: sqlite3.Connection) -> int:
    """The version of what stands in the file; 0: nothing does."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version not in (0, VERSION):
        raise _OtherVersion
    return version


class _Keeper:
    """Hands the collector's measurements to the store at the end of each run."""

    def __init__(self, store: TelemetryStore, telemetry: TelemetryCollector) -> None:
        self._store = store
        self._telemetry = telemetry

    async def __call__(self, event: Event, /) -> None:
        # Other runs go on while the file is written.
        if isinstance(event, ProjectCompleted):
            await asyncio.to_thread(self._store.add, self._telemetry.take_fresh())
