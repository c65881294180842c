"""Receive spans over OTLP/gRPC, on a loopback port that the system chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # it has no types
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pytest_otel_spans.receiving.inbox import Inbox
from pytest_otel_spans.receiving.wire import spans_of

__all__ = ["receive", "silence"]

_HOST: Final = "127.0.0.1"  # never more than this machine can reach it
_PROTOCOL: Final = "opentelemetry.proto.collector"
_TRACES: Final = f"{_PROTOCOL}.trace.v1.TraceService"
_OTHERS: Final = (f"{_PROTOCOL}.metrics.v1.MetricsService", f"{_PROTOCOL}.logs.v1.LogsService")
"""What an exporter may send along: taken and dropped, lest it logs that it could not deliver."""

_SERVED: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.so_reuseport", 0),  # two servers on one port would share the spans by chance
)
_PROBE: Final = "pytest-otel-spans-probe"
_PROBED: Final = (("grpc.primary_user_agent", _PROBE), ("grpc.enable_http_proxy", 0))
_PROBE_S: Final = 5.0
_STOP_S: Final = 5.0
_DONE: Final = b""  # an empty answer of the protocol: all was taken

_Answer = Callable[[bytes, grpc.ServicerContext], bytes]


@contextmanager
def receive(inbox: Inbox) -> Iterator[str]:
    """Put what arrives into the inbox while the block runs; its value is the endpoint's URL."""
    workers = ThreadPoolExecutor(max_workers=1, thread_name_prefix="otlp_spans")
    server = grpc.server(workers, options=_SERVED)
    server.add_generic_rpc_handlers(
        (_exported(_TRACES, partial(_take, inbox)), *(_exported(other, _drop) for other in _OTHERS))
    )
    port = server.add_insecure_port(f"{_HOST}:0")
    server.start()
    try:
        yield f"http://{_HOST}:{port}"
    finally:
        server.stop(grace=None).wait(_STOP_S)
        workers.shutdown(wait=False, cancel_futures=True)


def silence(endpoint: str) -> str | None:
    """Say why a receiver does not answer, asked as an exporter would; None when it does."""
    with grpc.insecure_channel(endpoint.removeprefix("http://"), options=_PROBED) as channel:
        try:
            channel.unary_unary(f"/{_TRACES}/Export", None, None)(b"", timeout=_PROBE_S)
        except grpc.RpcError as error:
            return str(error.details() if isinstance(error, grpc.Call) else error)
    return None


def _exported(service: str, answer: _Answer) -> grpc.GenericRpcHandler[Any, Any]:
    """Let `answer` answer the requests of a service.

    It takes bytes: one that gRPC cannot read itself it answers as if that were our fault.
    """
    handler = grpc.unary_unary_rpc_method_handler(answer)
    return grpc.method_handlers_generic_handler(service, {"Export": handler})


def _take(inbox: Inbox, body: bytes, context: grpc.ServicerContext) -> bytes:
    sender = _sender(context)
    if sender.startswith(_PROBE):
        return _DONE
    try:
        spans = spans_of(ExportTraceServiceRequest.FromString(body))
    except (DecodeError, ValueError) as unreadable:
        inbox.refuse(str(unreadable), sender)
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(unreadable))
    inbox.accept(spans, sender)
    return _DONE


def _drop(_: bytes, __: grpc.ServicerContext) -> bytes:
    return _DONE


def _sender(context: grpc.ServicerContext) -> str:
    """Name the program that sends, as it names itself; one without a name by its address."""
    agents = [str(value) for key, value in context.invocation_metadata() if key == "user-agent"]
    return agents[0].partition(" ")[0] if agents else context.peer()
