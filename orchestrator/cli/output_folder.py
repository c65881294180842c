"""A directory that gets all of a run's files, or none of them."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from orchestrator.errors import InputError


class OutputFolder:
    """Checked before the run by really writing beside the target, filled after it.

    The files are written whole into a staging directory on the same file system and moved only
    when every one of them is there, in the order given: whoever sees the last one sees them all.
    A directory that has anything in it is refused, so nothing of anybody is overwritten.

    Raises:
        InputError: the directory cannot be written, or is not empty.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        _refuse_occupied(target)
        try:
            self._staging = Path(tempfile.mkdtemp(prefix=".orchestrator-", dir=_foothold(target)))
        except OSError as error:
            raise InputError(
                f"Cannot write into the output directory {str(target)!r}: {error.strerror}. "
                "Name another one."
            ) from error

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
        """
        for name, text in files.items():
            # A lone surrogate in a model's text must not cost the whole result.
            (self._staging / name).write_text(text, encoding="utf-8", errors="backslashreplace")
        self._target.mkdir(parents=True, exist_ok=True)
        for name in files:
            (self._staging / name).replace(self._target / name)


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
        raise InputError(
            f"The output directory {str(target)!r} is not empty; name a new one, so that nothing "
            "in it is overwritten."
        )


def _foothold(target: Path) -> Path:
    """Where staging can stand: the target itself, or the nearest parent that exists."""
    absolute = target.absolute()
    return next(path for path in (absolute, *absolute.parents) if path.is_dir())
