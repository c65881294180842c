"""The directory of journals: one a project, found by its id, the old finished ones thrown away."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Final

from orchestrator.errors import InputError
from orchestrator.journal import book
from orchestrator.journal.entries import Settled
from orchestrator.journal.history import FINISHED, History, told
from orchestrator.journal.keeping import Journal
from orchestrator.journal.lock import Lock, is_held
from orchestrator.journal.writer import Writer
from orchestrator.models import RunStatus

ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What a project may be called: its id stands in spans, file names and on command lines."""


_OVER: Final = (*FINISHED, RunStatus.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How many finished journals are kept; one that can be resumed is never thrown away."""

    journals: int = 200
    max_bytes: int = 1 << 30
    """All finished ones together."""
    max_age_s: float = 30 * 24 * 3600.0
    always: int = 20
    """So many of the newest stay whatever they weigh, and whatever the clock says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitled:
    """A project on the shelf, or the sentence that says why it cannot be read."""

    project_id: str
    history: History | None
    fault: str = ""
    is_running: bool = False


class Shelf:
    """The journals of one state directory."""

    def __init__(self, state_dir: Path, retention: Retention | None = None) -> None:
        self._folder = state_dir / "journals"
        self._retention = retention or Retention()

    def begin(self, project_id: str, now_s: Callable[[], float]) -> Journal:
        """Begin the journal of a project that has none; called within a running event loop.

        Raises:
            InputError: there is one, another process is about to have one, or none can be made.
        """
        path = self._path(project_id)
        self._make_folder()
        lock = self._locked(project_id)
        try:
            if path.exists() and not book.is_blank(path):
                self._refuse_known(project_id, path)
            self.tidy()
            return Journal(None, Writer(book.make(path), lock, now_s, project_id))
        except BaseException:
            lock.release()
            raise

    def take_up(self, project_id: str, now_s: Callable[[], float]) -> Journal:
        """Go on with a project's journal; called within a running event loop.

        Raises:
            InputError: there is none, another run has it, or it cannot be used.
        """
        path = self._existing(project_id)
        lock = self._locked(project_id)
        try:
            history = _owned(told(book.read(path)), project_id, path).taken_up()
            return Journal(history, Writer(book.reopen(path), lock, now_s, project_id))
        except BaseException:
            lock.release()
            raise

    def read(self, project_id: str) -> History:
        """What the journal of a project says; it may be written meanwhile.

        Raises:
            InputError: there is none, or it cannot be used.
        """
        path = self._existing(project_id)
        return _owned(told(book.read(path)), project_id, path)

    def is_running(self, project_id: str) -> bool:
        """Whether a run of this project is on now, here or in another process."""
        return is_held(self._lock_path(project_id))

    def projects(self) -> Iterator[Entitled]:
        """Every project, the one that was written last first."""
        for path in self._paths():
            project_id = path.stem
            running = self.is_running(project_id)
            try:
                history = self.read(project_id)
            except InputError as error:
                yield Entitled(
                    project_id=project_id, history=None, fault=str(error), is_running=running
                )
            else:
                yield Entitled(project_id=project_id, history=history, is_running=running)

    def tidy(self) -> None:
        """Throw away finished journals that retention does not keep."""
        keep, weight = self._retention, 0
        for place, path in enumerate(self._paths()):
            with suppress(OSError, InputError):
                facts = path.stat()
                weight += facts.st_size
                old = time() - facts.st_mtime > keep.max_age_s
                if place < keep.always or not (
                    old or place >= keep.journals or weight > keep.max_bytes
                ):
                    continue
                if self._throw_away(path):
                    weight -= facts.st_size

    def _throw_away(self, path: Path) -> bool:
        """Whether it is finished, nobody has it, and it is gone now."""
        settled = book.last(path)
        if not isinstance(settled, Settled) or settled.status not in _OVER:
            return False
        with self._locked(path.stem):
            book.remove(path)
            self._lock_path(path.stem).unlink()
        return True

    def _paths(self) -> list[Path]:
        """The journals, the one that was written last first."""
        dated = []
        for path in self._folder.glob("*.journal"):
            with suppress(OSError):  # thrown away meanwhile
                dated.append((path.stat().st_mtime_ns, path.name, path))
        return [path for *_, path in sorted(dated, reverse=True)]

    def _path(self, project_id: str) -> Path:
        if ID.fullmatch(project_id) is None:
            raise InputError(
                f"A project cannot be called {project_id[:80]!r}: use up to 64 letters, digits, "
                "'-', '_' and '.', the first a letter or a digit."
            )
        return self._folder / f"{project_id}.journal"

    def _lock_path(self, project_id: str) -> Path:
        return self._folder / f"{project_id}.lock"

    def _existing(self, project_id: str) -> Path:
        path = self._path(project_id)
        if not path.exists():
            raise InputError(
                f"There is no journal of a project {project_id!r} in {str(self._folder)!r}. "
                "`orchestrator --list-projects` lists those there are."
            )
        return path

    def _locked(self, project_id: str) -> Lock:
        return Lock(self._lock_path(project_id), project_id)

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"No journal can be kept in {str(self._folder)!r}: {error.strerror}. "
                f"{book.ELSEWHERE}"
            ) from None

    def _refuse_known(self, project_id: str, path: Path) -> None:
        settled = _owned(told(book.read(path)), project_id, path).settled
        finished = settled is not None and settled.status in FINISHED
        advice = (
            f"`orchestrator show {project_id}` shows what it came to"
            if finished
            else f"`orchestrator --resume {project_id}` goes on with it"
        )
        raise InputError(
            f"There is a project {project_id!r} already: {advice}. Choose another id to begin anew."
        )


def _owned(history: History, project_id: str, path: Path) -> History:
    """The history, if it is this project's.

    Raises:
        InputError: it is another one's (a file that was renamed), or nobody's yet.
    """
    if history.last is None:
        raise InputError(
            f"The journal {str(path)!r} is empty: its run ended before it began. "
            f"Begin it anew with --project-id {project_id}."
        )
    if history.last.project_id != project_id:
        raise InputError(
            f"The journal {str(path)!r} belongs to the project {history.last.project_id!r}; "
            "give the file that name back."
        )
    return history
