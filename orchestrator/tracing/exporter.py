"""The OTLP exporter for an endpoint, imported when there is one."""

import os
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace.export import SpanExporter

from orchestrator.errors import InputError
from orchestrator.redaction import redact
from orchestrator.tracing.endpoint import Endpoint
from orchestrator.tracing.overheard import attend

if TYPE_CHECKING:
    from orchestrator.tracing.refusals import Refusals


def exporter_for(endpoint: Endpoint) -> "tuple[SpanExporter, Refusals]":
    """Make the exporter; headers, certificates and compression are its own settings to read.

    Returns:
        The exporter, and what its receiver will have refused.

    Raises:
        InputError: the endpoint speaks HTTP, and the HTTP exporter is not installed.
    """
    return _http_exporter(endpoint) if endpoint.protocol == "http/protobuf" else _grpc(endpoint)


def _grpc(endpoint: Endpoint) -> "tuple[SpanExporter, Refusals]":
    # gRPC's library in C writes to the standard error by itself when a server goes away.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    from orchestrator.tracing.refusals import ReadStub, Refusals

    refusals = Refusals()

    class Exporter(OTLPSpanExporter):
        """The SDK's, with the answers read; it makes its stub anew when a server comes back."""

        @property
        def _client(self) -> Any:
            return self.__dict__.get("stub")

        @_client.setter
        def _client(self, stub: Any) -> None:
            self.__dict__["stub"] = None if stub is None else ReadStub(stub, refusals)

    attend()
    exporter = Exporter(endpoint=endpoint.url, insecure=endpoint.url.startswith("http:"))
    return exporter, refusals


def _http_exporter(endpoint: Endpoint) -> "tuple[SpanExporter, Refusals]":
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ModuleNotFoundError as error:
        raise InputError(
            f"The OTLP endpoint {redact(endpoint.url)!r} speaks HTTP, and the exporter for it is "
            "not installed. Install it with `pip install opentelemetry-exporter-otlp-proto-http`, "
            "or name a gRPC endpoint such as http://localhost:4317."
        ) from error
    from requests import Session

    from orchestrator.tracing.refusals import Refusals

    refusals, session = Refusals(), Session()
    session.hooks["response"].append(refusals.note_http)
    attend()
    return OTLPSpanExporter(endpoint=endpoint.url, session=session), refusals
