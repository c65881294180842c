"""The two standard streams: results on one, everything that is said about them on the other."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from orchestrator.cli.arguments import PROGRAM


def open_both() -> None:
    """Make writing safe, whatever the streams are connected to."""
    # A stream that the caller has closed is None, and printing to None prints elsewhere.
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    # A character that the encoding does not have is shown escaped, and costs nothing else.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def say(sentence: str) -> None:
    """Tell the user something in one line; nobody listening is no failure."""
    with suppress(OSError):
        sys.stderr.write(f"{PROGRAM}: {' '.join(sentence.split())}\n")
        sys.stderr.flush()


@contextmanager
def saying_what_is_logged() -> Iterator[None]:
    """Give what the package logs, while the block lasts, the same voice as everything else."""
    log, handler = logging.getLogger(PROGRAM), _Voice()
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


class _Voice(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


def show(results: str) -> bool:
    """Write the results; False when they could not be written."""
    try:
        sys.stdout.write(results)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence_stdout()  # whoever reads has read enough
    except OSError as error:
        _silence_stdout()
        say(f"Cannot write the results to the standard output: {error.strerror}.")
        return False
    return True


def _silence_stdout() -> None:
    """Keep Python from flushing, and failing, once more when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
