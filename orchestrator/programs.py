"""A Python program that is run to see what comes of it, its limits, and how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that a program may take; past any of it, it is stopped or refused more."""

    seconds: float = 30.0
    """From start to end, whatever it does."""
    cpu_seconds: int = 20
    """Of each of its processes."""
    memory_bytes: int = 1 << 30
    """Address space of each of its processes."""
    processes: int = 32
    """At the same time; threads count, as they do for the kernel."""
    file_bytes: int = 16 << 20
    """Of each file."""
    disk_bytes: int = 64 << 20
    """Of all files together."""
    output_bytes: int = 256 << 10
    """What it prints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A module of the interpreter's, run with ``python -m`` in a directory that holds `files`.

    Raises:
        ValueError: a path leads out of that directory.
    """

    module: str
    arguments: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    """Texts by their path in that directory."""
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        for name in self.files:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or "\0" in name or not path.name:
                raise ValueError(f"{name!r} is no path within a directory")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended."""

    exit_code: int | None
    """None when it was stopped."""
    output: str
    """What it printed on either stream, up to the limit."""
    stopped: Literal["", "time", "output"] = ""
    """The limit for which it was stopped."""
