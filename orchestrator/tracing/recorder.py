"""Opens recording spans: the schema's rows, the tracer and the parent brought together."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import SpanLimits
from opentelemetry.trace import Link, SpanContext, SpanKind, Tracer, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from orchestrator import spans
from orchestrator.redaction import redact
from orchestrator.spans.schema import SCHEMA
from orchestrator.tracing.recording import Family, RecordingSpan

_FAMILIES: Final = {spec.name: Family.of(spec) for spec in SCHEMA}
_REASON_LENGTH: Final = 128


class SpanRecorder:
    """What every traced block asks while tracing is on."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._limit = SpanLimits().max_span_attributes or 1_000_000

    def open(
        self,
        family: str,
        name: str,
        facts: Mapping[str, Any],
        *,
        client: bool = False,
        link_kind: str = "",
        links: Sequence[SpanContext] = (),
        root: bool = False,
    ) -> RecordingSpan:
        """Make a block of the family `family`; `facts` are its attributes at the start."""
        return RecordingSpan(
            self._tracer,
            name,
            _FAMILIES[family],
            _short_reason(facts) if family == spans.SPAN_REMEDIATION else facts,
            kind=SpanKind.CLIENT if client else SpanKind.INTERNAL,
            links=[Link(context, {spans.LINK_KIND: link_kind}) for context in links],
            parent=_parent_from_environment() if root else None,
            limit=self._limit,
        )


def _short_reason(facts: Mapping[str, Any]) -> dict[str, Any]:
    """A reason is a short code; should a sentence arrive all the same, it is made safe."""
    return {**facts, spans.TRIGGER_REASON: redact(facts[spans.TRIGGER_REASON])[:_REASON_LENGTH]}


def _parent_from_environment() -> Context | None:
    """The caller's TRACEPARENT, unless a span of this process is current."""
    if get_current_span().get_span_context().is_valid:
        return None
    carrier = {
        name.lower(): value
        for name in ("TRACEPARENT", "TRACESTATE")
        if (value := os.environ.get(name))
    }
    return TraceContextTextMapPropagator().extract(carrier) if carrier else None
