"""Opens recording spans: the schema's rows, the tracer and the parent brought together."""

import logging
import os
from collections.abc import Sequence
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import SpanLimits
from opentelemetry.trace import Link, SpanContext, SpanKind, Tracer, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from orchestrator import spans
from orchestrator.models import Prompt, Reply
from orchestrator.spans.schema import SCHEMA
from orchestrator.tracing.config import ContentCapture
from orchestrator.tracing.content import write_content
from orchestrator.tracing.light import starter
from orchestrator.tracing.metrics import CurrentMetrics, MeteredCall
from orchestrator.tracing.recording import Family, RecordingSpan
from orchestrator.tracing.span import Span

_log = logging.getLogger("orchestrator.tracing")

_FAMILIES: Final = {spec.name: Family.of(spec) for spec in SCHEMA}


class SpanRecorder:
    """What every traced block asks while tracing is on."""

    def __init__(self, tracer: Tracer, capture: ContentCapture = "NO_CONTENT") -> None:
        self._start = starter(tracer)
        self._capture = capture
        self._metrics = CurrentMetrics()
        self._limit = SpanLimits().max_span_attributes or 1_000_000

    def open(
        self,
        family: str,
        name: str,
        facts: dict[str, Any],
        *,
        client: bool = False,
        link_kind: str = "",
        links: Sequence[SpanContext] = (),
        root: bool = False,
    ) -> RecordingSpan:
        """Make a block of the family `family`; `facts` are its attributes at the start."""
        row = _FAMILIES[family]
        facts = row.fixed | facts
        if client:
            return self._call(name, row, facts)
        return RecordingSpan(
            self._start,
            name,
            row,
            facts,
            links=_linked(links, link_kind) if links else (),
            parent=_parent_from_environment() if root else None,
            limit=self._limit,
        )

    def _call(self, name: str, row: Family, facts: dict[str, Any]) -> RecordingSpan:
        """A call that leaves the process; it is measured where somebody collects metrics."""
        kind, limit, metrics = SpanKind.CLIENT, self._limit, self._metrics()
        if metrics is None:
            return RecordingSpan(self._start, name, row, facts, kind=kind, limit=limit)
        call = MeteredCall(self._start, name, row, facts, kind=kind, limit=limit)
        return call.measured_by(metrics)

    def content(self, span: Span, prompt: Prompt, reply: Reply | None) -> None:
        """Record what was said, where that was asked for."""
        write_content(span, self._capture, prompt, reply)


def _linked(contexts: Sequence[SpanContext], kind: str) -> list[Link]:
    """Links to spans; what was opened while tracing was off is none."""
    return [Link(context, {spans.LINK_KIND: kind}) for context in contexts if context.is_valid]


def _parent_from_environment() -> Context | None:
    """The caller's TRACEPARENT, unless a span of this process is current."""
    if get_current_span().get_span_context().is_valid:
        return None
    carrier = {
        name.lower(): value
        for name in ("TRACEPARENT", "TRACESTATE")
        if (value := os.environ.get(name))
    }
    if not carrier:
        return None
    context = TraceContextTextMapPropagator().extract(carrier)
    caller = get_current_span(context).get_span_context()
    if not caller.is_valid and "traceparent" in carrier:
        _log.warning("TRACEPARENT names no span, so this run is a trace of its own.")
    elif caller.is_valid and not caller.trace_flags.sampled:
        _log.warning("The caller's TRACEPARENT is not sampled, so this run is not either.")
    return context
