"""OTLP receivers of every temper, on loopback: one that takes spans, others that do not."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(slots=True)
class Receiver(trace_service_pb2_grpc.TraceServiceServicer):
    """A gRPC server that keeps what it is sent, or refuses it with a status."""

    refuses: grpc.StatusCode | None = None
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
            context.abort(self.refuses, "no")
        self.metadata.update(context.invocation_metadata())
        for resource in request.resource_spans:
            for attribute in resource.resource.attributes:
                if attribute.key == "service.name":
                    self.service_names.add(attribute.value.string_value)
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)
        return trace_service_pb2.ExportTraceServiceResponse()


@contextmanager
def receiver(*, refuses: grpc.StatusCode | None = None, hangs: bool = False) -> Iterator[Receiver]:
    """A receiver on a free port; `endpoint` is its address without a scheme."""
    servicer = Receiver(refuses=refuses, hangs=hangs)
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(servicer, server)
    servicer.endpoint = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield servicer
    finally:
        servicer.released.set()
        server.stop(grace=None).wait()


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
