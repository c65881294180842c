"""The console as a receiver of spans: the waterfall at the end of each trace, or JSON lines."""

import sys
from typing import Literal

from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor


def console_processor(trace_format: Literal["tree", "json"]) -> SpanProcessor:
    """Show spans on stderr: stdout belongs to the results."""
    return SimpleSpanProcessor(
        ConsoleSpanExporter(out=sys.stderr, formatter=lambda span: span.to_json(indent=None) + "\n")
    )
