"""The environment in which another process sends its spans here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

__all__ = ["environment"]

_EXPORTER: Final = "OTEL_EXPORTER_OTLP_"
_SILENT: Final = frozenset(
    {
        "OTEL_CONFIG_FILE",
        "OTEL_EXPERIMENTAL_CONFIG_FILE",
        "OTEL_SDK_DISABLED",
        "OTEL_TRACES_SAMPLER",
        "OTEL_TRACES_SAMPLER_ARG",
        "TRACEPARENT",
        "TRACESTATE",
    }
)
"""What would silence or redirect the spans, with all that begins as `_EXPORTER` does."""

_LOOPBACK: Final = "127.0.0.1"


def environment(endpoint: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return a copy of `environ` in which an OpenTelemetry SDK exports to the endpoint.

    What a developer's shell says of exporters, sampling and parents is left out; a test that
    means it adds it: `{**otlp_spans.env(), "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}`. With a
    span that is current, `TRACEPARENT` names it (and `TRACESTATE` its state), so that a program
    which reads them hangs its spans under that one.

    Args:
        endpoint: The URL of the receiver.
        environ: The environment to copy.
    """
    copy = {
        name: value
        for name, value in environ.items()
        if not name.startswith(_EXPORTER) and name not in _SILENT
    }
    parent: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(parent)
    return {
        **copy,
        **{name.upper(): value for name, value in parent.items()},
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_TRACES_EXPORTER": "otlp",
        "no_grpc_proxy": _unproxied(environ),
    }


def _unproxied(environ: Mapping[str, str]) -> str:
    """Keep gRPC from asking a proxy for the way to this very machine."""
    known = environ.get("no_grpc_proxy") or environ.get("no_proxy") or ""
    return ",".join(filter(None, (known, _LOOPBACK)))
