"""OTLP receivers of every temper, on loopback: one that takes spans, others that do not."""

import gzip
import inspect
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import grpc
from opentelemetry.exporter.otlp.proto.grpc import exporter as _exporter
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

EXPORTER_TELLS_WHY: Final = "rror details" in inspect.getsource(_exporter)
"""Not in the oldest OpenTelemetry that is allowed."""


@dataclass(slots=True)
class Receiver(trace_service_pb2_grpc.TraceServiceServicer):
    """A gRPC server that keeps what it is sent, or refuses it with a status."""

    refuses: grpc.StatusCode | None = None
    because: str = "no"
    rejects: int = 0
    spans: list[Span] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    service_names: set[str] = field(default_factory=set)
    released: threading.Event = field(default_factory=threading.Event)
    hangs: bool = False
    endpoint: str = ""

    def Export(self, request, context):  # noqa: N802  (the name that the protocol gives it)
        if self.hangs:
            self.released.wait(timeout=60)
        if self.refuses is not None:
            context.abort(self.refuses, self.because)
        self.metadata.update(context.invocation_metadata())
        self.take(request)
        return self.answer()

    def answer(self) -> ExportTraceServiceResponse:
        """What is answered to a batch that is taken: all of it, or all but some."""
        if not self.rejects:
            return ExportTraceServiceResponse()
        partial = ExportTracePartialSuccess(rejected_spans=self.rejects, error_message=self.because)
        return ExportTraceServiceResponse(partial_success=partial)

    def take(self, request: ExportTraceServiceRequest) -> None:
        """Keep what was sent."""
        for resource in request.resource_spans:
            for attribute in resource.resource.attributes:
                if attribute.key == "service.name":
                    self.service_names.add(attribute.value.string_value)
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)

    @property
    def names(self) -> list[str]:
        """The names of the spans, sorted."""
        return sorted(span.name for span in self.spans)


@contextmanager
def receiver(
    *,
    refuses: grpc.StatusCode | None = None,
    because: str = "no",
    hangs: bool = False,
    at: str = "127.0.0.1:0",
    tls: grpc.ServerCredentials | None = None,
) -> Iterator[Receiver]:
    """A gRPC receiver, on a free port unless `at` names one; `endpoint` is without a scheme."""
    servicer = Receiver(refuses=refuses, because=because, hangs=hangs)
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(servicer, server)
    port = server.add_secure_port(at, tls) if tls else server.add_insecure_port(at)
    servicer.endpoint = f"127.0.0.1:{port}"
    server.start()
    try:
        yield servicer
    finally:
        servicer.released.set()
        server.stop(grace=None).wait()


@contextmanager
def http_receiver() -> Iterator[Receiver]:
    """A receiver of OTLP over HTTP; `endpoint` is without a scheme."""
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            kept.metadata.update({name.lower(): value for name, value in self.headers.items()})
            kept.metadata["path"] = self.path
            kept.take(ExportTraceServiceRequest.FromString(body))
            answer = kept.answer().SerializeToString()
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            """Keep the tests' output for the tests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.endpoint = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def silent() -> Iterator[str]:
    """The address of a socket that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def refusing() -> Iterator[str]:
    """The address of a port that is taken, but where nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"
