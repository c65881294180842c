"""Figures as people and programs read them: a table, one JSON document."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any, Final, TextIO

from orchestrator.errors import InputError
from orchestrator.figures import Family, Sample

DOCUMENT_VERSION: Final = 1
"""Grows when a key of the JSON document changes its meaning or goes away."""


class ConsoleExporter:
    """Prints a line for each figure when a run has ended."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def export(self, families: tuple[Family, ...], *, is_settled: bool) -> None:
        """Print all figures, if a run has ended."""
        if not is_settled:
            return
        lines = [
            (_named(family, sample), _said(family, sample))
            for family in families
            for sample in family.samples
        ]
        width = max((len(name) for name, _ in lines), default=0)
        text = "".join(f"{name.ljust(width)}  {said}\n" for name, said in lines)
        self._stream.write(text)
        self._stream.flush()


class JSONExporter:
    """Keeps all figures in a file, which is always whole.

    Raises:
        InputError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with tempfile.NamedTemporaryFile(dir=path.parent):
                occupied = path.is_dir()
        except OSError as error:
            raise InputError(
                f"Cannot write the metrics file {str(path)!r}: {error.strerror}. Name another one."
            ) from error
        if occupied:
            raise InputError(f"The metrics file {str(path)!r} is a directory. Name another one.")

    def export(self, families: tuple[Family, ...], *, is_settled: bool) -> None:
        """Write the file anew.

        Raises:
            OSError: it cannot be written.
        """
        del is_settled
        document = {
            "version": DOCUMENT_VERSION,
            "families": [_document(family) for family in families if family.samples],
        }
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        draft.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        draft.replace(self._path)


def _named(family: Family, sample: Sample) -> str:
    labels = ", ".join(f"{n}={v}" for n, v in zip(family.labels, sample.labels, strict=True))
    return f"{family.name}{{{labels}}}" if labels else family.name


def _said(family: Family, sample: Sample) -> str:
    if family.kind == "counter":
        return f"{sample.value:g}"
    number = sample.buckets[-1]
    return f"{number} measured, {sample.value / number:.3g} on average"


def _document(family: Family) -> dict[str, Any]:
    return {
        "name": family.name,
        "kind": family.kind,
        "brief": family.brief,
        "samples": [_sample(family, sample) for sample in family.samples],
    }


def _sample(family: Family, sample: Sample) -> dict[str, Any]:
    labels = dict(zip(family.labels, sample.labels, strict=True))
    if family.kind == "counter":
        return {"labels": labels, "value": sample.value}
    at_most = [*family.bounds, "infinity"]
    return {
        "labels": labels,
        "count": sample.buckets[-1],
        "sum": sample.value,
        "at_most": [list(pair) for pair in zip(at_most, sample.buckets, strict=True)],
    }
