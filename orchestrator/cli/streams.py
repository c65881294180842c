"""The two standard streams: results on one, everything that is said about them on the other."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from orchestrator.cli.arguments import PROGRAM
from orchestrator.redaction import redact

_TRACER: Final = "opentelemetry"


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
    """Give what the package and OpenTelemetry log the same voice as everything else."""
    ours, theirs = logging.getLogger(PROGRAM), logging.getLogger(_TRACER)
    voice, once = _Voice(), _VoiceOfTracing()
    ours.addHandler(voice)
    theirs.addHandler(once)
    try:
        yield
    finally:
        ours.removeHandler(voice)
        theirs.removeHandler(once)


class _Voice(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


class _VoiceOfTracing(logging.Handler):
    """Says once what OpenTelemetry says of every span, such as that a limit is reached."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        sentence = redact(record.getMessage())
        if sentence not in self._said:
            self._said.add(sentence)
            say(f"OpenTelemetry: {sentence}")


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
