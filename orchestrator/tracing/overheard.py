"""What OpenTelemetry logs while it works for us: heard by us, and said in our own voice or not."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from urllib.parse import unquote

from orchestrator.redaction import REDACTED, redact

Listener = Callable[[logging.LogRecord], None]

_ABOUT_HEADERS: Final = "opentelemetry.util.re"
_HEADERS: Final = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")
_SHORTEST: Final = 4
"""Characters of a header's value that may be a secret; a shorter one would mangle words."""

_log = logging.getLogger("orchestrator.tracing")
_ears = threading.local()


@contextmanager
def overheard(listener: Listener) -> Iterator[None]:
    """Give the listener what OpenTelemetry logs in this thread meanwhile, and nobody else."""
    before: Listener | None = getattr(_ears, "listener", None)
    _ears.listener = listener
    try:
        yield
    finally:
        _ears.listener = before


def attend() -> None:
    """Reach every logger that OpenTelemetry has by now; what others log passes as ever.

    A logger's filter does not see what its children log, so each of them has to have it.
    """
    for name in [*logging.root.manager.loggerDict]:
        if name.startswith("opentelemetry"):
            logging.getLogger(name).addFilter(_pass_on)


def _pass_on(record: logging.LogRecord) -> bool:
    listener: Listener | None = getattr(_ears, "listener", None)
    if listener is None:
        return True
    listener(record)
    return False


def repeat(record: logging.LogRecord) -> None:
    """Say it as one sentence, without the stack; what a header holds is not quoted."""
    if record.levelno >= logging.WARNING:
        quoted = str(record.msg).replace("%s", "…") if record.name == _ABOUT_HEADERS else ""
        _log.warning("OpenTelemetry: %s", redact(quoted or record.getMessage()))


def without_headers(text: str, environ: Mapping[str, str]) -> str:
    """The text without what the environment's headers hold: a receiver may echo them."""
    for pair in ",".join(environ.get(name, "") for name in _HEADERS).split(","):
        for value in (pair.partition("=")[2].strip(), unquote(pair.partition("=")[2]).strip()):
            if len(value) >= _SHORTEST:
                text = text.replace(value, REDACTED)
    return redact(text)
