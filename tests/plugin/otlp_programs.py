"""Programs of other processes that export over OTLP, and requests as one might send them."""

import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

TRACED = """if True:
    import os, subprocess, sys
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), max_queue_size=30_000))
    tracer = provider.get_tracer("app", "1.2")
    w3c = TraceContextTextMapPropagator()
    above = w3c.extract({name.lower(): value for name, value in os.environ.items()})
"""
"""How a program starts that traces by the book: the SDK, the gRPC exporter, a batch processor."""

TRACE_ID = bytes(15) + b"\x01"


def run_program(body: str, env: Mapping[str, str], *arguments: str) -> None:
    """Run a program that begins as `TRACED` does and flushes at its end."""
    program = f"{TRACED}\n{body}\n    provider.shutdown()\n"
    subprocess.run([sys.executable, "-c", program, *arguments], env=env, check=True, timeout=60)


def wire_span(name: str, number: int, parent: int = 0, **fields: Any) -> Span:
    """A span as it stands in a request; its id is its number."""
    start = fields.pop("start", number)
    return Span(
        trace_id=TRACE_ID,
        span_id=number.to_bytes(8),
        parent_span_id=parent.to_bytes(8) if parent else b"",
        name=name,
        start_time_unix_nano=start,
        end_time_unix_nano=start + 1,
        **fields,
    )


def request(spans: Iterable[Span], service: str = "app") -> ExportTraceServiceRequest:
    """One request with the spans of one service."""
    named = KeyValue(key="service.name", value=AnyValue(string_value=service))
    return ExportTraceServiceRequest(
        resource_spans=[
            ResourceSpans(
                resource=Resource(attributes=[named]), scope_spans=[ScopeSpans(spans=list(spans))]
            )
        ]
    )


@contextmanager
def channel(endpoint: str) -> Iterator[grpc.Channel]:
    """A connection to a receiver."""
    options = (("grpc.enable_http_proxy", 0), ("grpc.primary_user_agent", "some-exporter/1"))
    with grpc.insecure_channel(endpoint.removeprefix("http://"), options) as opened:
        yield opened


def send(endpoint: str, *spans: Span, service: str = "app", **options: Any) -> None:
    """Export spans in one request, and wait for the answer."""
    with channel(endpoint) as opened:
        TraceServiceStub(opened).Export(request(spans, service), timeout=30, **options)
