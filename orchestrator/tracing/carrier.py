"""A span's identity as W3C's ``traceparent``: how it outlives its process."""

from opentelemetry.trace import SpanContext, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator


def written(context: SpanContext) -> str:
    """The header that names the span."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def read(traceparent: str) -> SpanContext:
    """The span that a header names; an invalid one, which no link takes, where it names none."""
    carrier = {"traceparent": traceparent}
    return get_current_span(TraceContextTextMapPropagator().extract(carrier)).get_span_context()
