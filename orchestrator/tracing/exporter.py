"""The OTLP exporter for an endpoint, imported when there is one."""

import os

from opentelemetry.sdk.trace.export import SpanExporter

from orchestrator.errors import InputError
from orchestrator.redaction import redact
from orchestrator.tracing.endpoint import Endpoint
from orchestrator.tracing.overheard import attend


def exporter_for(endpoint: Endpoint) -> SpanExporter:
    """Make the exporter; headers, certificates and compression are its own settings to read.

    Raises:
        InputError: the endpoint speaks HTTP, and the HTTP exporter is not installed.
    """
    if endpoint.protocol == "http/protobuf":
        return _http_exporter(endpoint)
    # gRPC's library in C writes to the standard error by itself when a server goes away.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    attend()
    return OTLPSpanExporter(endpoint=endpoint.url, insecure=endpoint.url.startswith("http:"))


def _http_exporter(endpoint: Endpoint) -> SpanExporter:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ModuleNotFoundError as error:
        raise InputError(
            f"The OTLP endpoint {redact(endpoint.url)!r} speaks HTTP, and the exporter for it is "
            "not installed. Install it with `pip install opentelemetry-exporter-otlp-proto-http`, "
            "or name a gRPC endpoint such as http://localhost:4317."
        ) from error
    attend()
    return OTLPSpanExporter(endpoint=endpoint.url)
