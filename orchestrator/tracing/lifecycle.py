"""Tracing switched on, changed, and off again: the one state of it that a process has."""

import atexit
import logging
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.errors import TracingUnavailable
from orchestrator.tracing.blocks import record_with
from orchestrator.tracing.config import TracingConfig

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer, TracerProvider

    from orchestrator.tracing.provider import Output

_log = logging.getLogger("orchestrator.tracing")
_SCOPE = "orchestrator"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    """What is switched on now."""

    cfg: TracingConfig
    given: "TracerProvider | None"
    output: "Output"
    tracer: "Tracer"


_session: _Session | None = None
_lock = threading.RLock()


def configure_tracing(
    cfg: TracingConfig, *, tracer_provider: "TracerProvider | None" = None
) -> None:
    """Switch tracing on as `cfg` says, or off; the same configuration again changes nothing.

    A provider that the host application has set is used and never shut down. So is
    `tracer_provider`. Only an endpoint that `cfg` names is added to either.

    Raises:
        TracingUnavailable: it is to be on, and OpenTelemetry is not installed.
        InputError: the endpoint needs an exporter that is not installed.
    """
    with _lock:
        current = _session
        if current and cfg.enabled and (current.cfg, current.given) == (cfg, tracer_provider):
            return
        shutdown_tracing()
        if cfg.enabled:
            _switch_on(cfg, tracer_provider)


def _switch_on(cfg: TracingConfig, given: "TracerProvider | None") -> None:
    global _session  # noqa: PLW0603  (one state a process: what OpenTelemetry forces)
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        _log.warning("Tracing stays off, for OTEL_SDK_DISABLED is true.")
        return
    try:
        from orchestrator.tracing.content import capture_of
        from orchestrator.tracing.provider import output_of
        from orchestrator.tracing.recorder import SpanRecorder

        output = output_of(cfg, given, os.environ)
        tracer = output.provider.get_tracer(_SCOPE)
        recorder = SpanRecorder(tracer, capture_of(cfg.capture_content, os.environ))
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("opentelemetry"):
            raise TracingUnavailable from error
        raise
    except (
        ValueError
    ) as error:  # the SDK reads its limits when imported, and when a provider is made
        _log.warning("Tracing stays off, for OpenTelemetry refuses a setting: %s", error)
        return
    _session = _Session(cfg=cfg, given=given, output=output, tracer=tracer)
    record_with(recorder)
    atexit.register(shutdown_tracing)


def shutdown_tracing(timeout_s: float | None = None) -> bool:
    """Deliver what is left and switch tracing off; safe to call when it is off.

    Args:
        timeout_s: how long that may take in seconds; None: as the configuration says.

    Returns:
        Whether every span arrived. One warning says how many did not.
    """
    global _session
    with _lock:
        session, _session = _session, None
        if session is None:
            return True
        record_with(None)
        atexit.unregister(shutdown_tracing)
        bound = session.cfg.flush_timeout_s if timeout_s is None else timeout_s
        return session.output.close(bound) == 0


def get_tracer() -> "Tracer":
    """The tracer that runs are traced with; one that does nothing while tracing is off.

    Raises:
        TracingUnavailable: OpenTelemetry is not installed.
    """
    session = _session
    if session is not None:
        return session.tracer
    try:
        from opentelemetry.trace import NoOpTracer
    except ModuleNotFoundError as error:
        raise TracingUnavailable from error
    return NoOpTracer()
