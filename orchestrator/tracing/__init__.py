"""Tracing: where a run spent its time and money, as OpenTelemetry spans; nothing when off.

OpenTelemetry is imported when tracing is switched on and not before.
"""

from orchestrator.tracing.blocks import (
    record_content,
    span_named,
    traced_decompose,
    traced_llm_call,
    traced_policy_check,
    traced_remediation,
    traced_run,
    traced_task,
    traced_validation,
    traceparent_of,
)
from orchestrator.tracing.config import TracingConfig
from orchestrator.tracing.lifecycle import configure_tracing, get_tracer, shutdown_tracing
from orchestrator.tracing.span import Span

__all__ = [
    "Span",
    "TracingConfig",
    "configure_tracing",
    "get_tracer",
    "record_content",
    "shutdown_tracing",
    "span_named",
    "traced_decompose",
    "traced_llm_call",
    "traced_policy_check",
    "traced_remediation",
    "traced_run",
    "traced_task",
    "traced_validation",
    "traceparent_of",
]
