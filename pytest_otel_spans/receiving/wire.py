"""Read spans off the wire: an OTLP request becomes the SDK's finished spans."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1 import common_pb2 as common
from opentelemetry.proto.trace.v1 import trace_pb2 as wire
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState

__all__ = ["spans_of"]

_ID_BYTES: Final = 8
_TRACE_ID_BYTES: Final = 16
_TRACE_FLAGS: Final = wire.SPAN_FLAGS_TRACE_FLAGS_MASK
_REMOTE: Final = wire.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK | wire.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK
_NO_STATE: Final = TraceState()
_UNSET: Final = Status(StatusCode.UNSET)
_KINDS: Final = {
    wire.Span.SPAN_KIND_SERVER: SpanKind.SERVER,
    wire.Span.SPAN_KIND_CLIENT: SpanKind.CLIENT,
    wire.Span.SPAN_KIND_PRODUCER: SpanKind.PRODUCER,
    wire.Span.SPAN_KIND_CONSUMER: SpanKind.CONSUMER,
}


def spans_of(request: ExportTraceServiceRequest) -> list[ReadableSpan]:
    """Read every span of a request, in its order.

    Values keep the type that they had on the wire: an int64 is an int and a double a float,
    bytes are bytes, an array is a tuple, a kvlist is a dict, and a value that is not set None.
    A span that says no end never ended. A parent is remote where the span says so; where it
    says nothing about that, it is not. Counts of what was dropped are not read.

    Raises:
        ValueError: An id has the wrong length, or is zero where a span must have one.
    """
    return [
        _span(span, resource, scope)
        for by_resource in request.resource_spans
        for resource in [Resource(_attributes(by_resource.resource.attributes))]
        for by_scope in by_resource.scope_spans
        for scope in [_scope(by_scope)]
        for span in by_scope.spans
    ]


def _span(span: wire.Span, resource: Resource, scope: InstrumentationScope | None) -> ReadableSpan:
    flags = TraceFlags(span.flags & _TRACE_FLAGS)
    context = SpanContext(
        _trace_id(span.trace_id, span.name),
        _span_id(span.span_id, span.name),
        is_remote=False,
        trace_flags=flags,
        trace_state=_trace_state(span.trace_state),
    )
    parent = None
    if span.parent_span_id and any(span.parent_span_id):
        parent_id = _span_id(span.parent_span_id, span.name)
        is_remote = span.flags & _REMOTE == _REMOTE
        parent = SpanContext(context.trace_id, parent_id, is_remote=is_remote, trace_flags=flags)
    return ReadableSpan(
        name=span.name,
        context=context,
        parent=parent,
        resource=resource,
        attributes=_attributes(span.attributes),
        events=[_event(event) for event in span.events],
        links=[_link(link, span.name) for link in span.links],
        kind=_KINDS.get(span.kind, SpanKind.INTERNAL),
        status=_status(span.status),
        start_time=span.start_time_unix_nano or None,
        end_time=span.end_time_unix_nano or None,
        instrumentation_scope=scope,
    )


def _trace_id(given: bytes, name: str) -> int:
    if len(given) != _TRACE_ID_BYTES or not any(given):
        raise ValueError(f"a trace id in span {name!r} is {_hex(given)}, not 16 bytes above zero")
    return int.from_bytes(given)


def _span_id(given: bytes, name: str) -> int:
    if len(given) != _ID_BYTES or not any(given):
        raise ValueError(f"a span id in span {name!r} is {_hex(given)}, not 8 bytes above zero")
    return int.from_bytes(given)


def _hex(given: bytes) -> str:
    return f"0x{given.hex()}" if given else "missing"


def _trace_state(header: str) -> TraceState:
    return TraceState.from_header([header]) if header else _NO_STATE


def _event(event: wire.Span.Event) -> Event:
    return Event(event.name, _attributes(event.attributes), event.time_unix_nano)


def _link(link: wire.Span.Link, name: str) -> Link:
    target = SpanContext(
        _trace_id(link.trace_id, name),
        _span_id(link.span_id, name),
        is_remote=link.flags & _REMOTE == _REMOTE,
        trace_flags=TraceFlags(link.flags & _TRACE_FLAGS),
        trace_state=_trace_state(link.trace_state),
    )
    return Link(target, _attributes(link.attributes))


def _status(status: wire.Status) -> Status:
    if status.code == wire.Status.STATUS_CODE_ERROR:
        return Status(StatusCode.ERROR, status.message or None)
    return Status(StatusCode.OK) if status.code == wire.Status.STATUS_CODE_OK else _UNSET


def _scope(spans: wire.ScopeSpans) -> InstrumentationScope | None:
    scope = spans.scope
    if not spans.HasField("scope"):
        return None
    return InstrumentationScope(
        scope.name, scope.version or None, spans.schema_url or None, _attributes(scope.attributes)
    )


def _attributes(pairs: Iterable[common.KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: common.AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return tuple([_value(item) for item in value.array_value.values])
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return getattr(value, kind)
