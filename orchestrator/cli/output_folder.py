"""A directory that gets all of a run's files, or none of them."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from orchestrator.errors import InputError


class OutputFolder:
    """Checked before the run by really writing beside the target, filled after it.

    A directory that has anything in it is refused, before the run and once more before it is
    filled: nothing of anybody is overwritten, and two runs never mix. A new directory appears with
    all its files at once; in one that exists, the files are moved in the order given, so whoever
    sees the last one sees them all.

    Raises:
        InputError: the directory cannot be written, or is not empty.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._is_new = not target.is_dir()
        _refuse_occupied(target)
        try:
            self._staging = _new_staging(target.absolute())
        except FileExistsError:
            raise _occupied(target) from None
        except OSError as error:
            raise InputError(
                f"Cannot write into the output directory {str(target)!r}: {error.strerror}. "
                "Name another one."
            ) from error
        self._filling = self._staging / "files"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self._staging, ignore_errors=True)

    def write(self, files: Mapping[str, str]) -> None:
        """Fill the directory with these texts by file name.

        Raises:
            OSError: the disk is full, or the directory vanished.
            InputError: somebody else has filled the directory since; it is left as it is.
        """
        # A directory inside the staging one, because a temporary one is readable by us alone.
        self._filling.mkdir()
        for name, text in files.items():
            # A lone surrogate in a model's text must not cost the whole result.
            (self._filling / name).write_text(text, encoding="utf-8", errors="backslashreplace")
        if self._is_new:
            self._appear()
        else:
            self._move_in(files)

    def _appear(self) -> None:
        """Become the target as a whole, which succeeds for one of several at most."""
        self._target.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._filling.rename(self._target)
        except OSError as error:
            if os.path.lexists(self._target):
                raise _occupied(self._target) from error
            raise

    def _move_in(self, names: Iterable[str]) -> None:
        if any(path.name != self._staging.name for path in self._target.iterdir()):
            raise _occupied(self._target)
        for name in names:
            (self._filling / name).replace(self._target / name)


def _new_staging(target: Path) -> Path:
    """A directory of our own on the target's file system: in the target, or near its place."""
    if target.is_dir():
        # By a name that a second run would take as well: it finds the directory in use.
        staging = target / ".orchestrator"
        staging.mkdir()
        return staging
    near = next(path for path in target.parents if path.is_dir())
    return Path(tempfile.mkdtemp(prefix=".orchestrator-", dir=near))


def _occupied(target: Path) -> InputError:
    return InputError(
        f"The output directory {str(target)!r} is not empty; name a new one, so that nothing in "
        "it is overwritten."
    )


def _refuse_occupied(target: Path) -> None:
    try:
        occupied = target.is_dir() and any(target.iterdir())
        paths = (target, *target.parents)
        blocked = next((p for p in paths if os.path.lexists(p) and not p.is_dir()), None)
    except OSError as error:
        raise InputError(
            f"Cannot read the output directory {str(target)!r}: {error.strerror}. Name another one."
        ) from error
    if blocked is not None:
        raise InputError(
            f"The output directory {str(target)!r} cannot be made, because {str(blocked)!r} is no "
            "directory; name another one."
        )
    if occupied:
        raise _occupied(target)
