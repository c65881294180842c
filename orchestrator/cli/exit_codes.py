"""What the process answers to whoever started it."""

from enum import IntEnum


class ExitCode(IntEnum):
    """One number for each kind of end."""

    SUCCESS = 0
    FAILURE = 1
    """The project failed, or some of its results are below the threshold."""
    BAD_INPUT = 2
    EXHAUSTED = 3
    """The budget or the time did not suffice."""
    INTERRUPTED = 130
    """Ctrl-C or SIGTERM."""
