"""The console as a receiver of spans: a waterfall when a trace is complete, or JSON lines."""

import os
import sys
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal, TextIO, cast

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import (
    ConsoleSpanExporter,
    SimpleSpanProcessor,
    SpanExportResult,
)
from opentelemetry.trace import INVALID_SPAN_CONTEXT, SpanContext, StatusCode

from orchestrator.waterfall import Line, SpanRecord, draw, traces_of

if TYPE_CHECKING:
    from rich.console import Console

_ASCII = str.maketrans("█░├└│…✗⧗↻⇄✓→≈◀", "#-|`|.xw@=v>~<")
"""For a stream whose encoding has none of these."""


class _Stderr:
    """The standard error as it is when something is written: a live display may stand before it."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


_STDERR: Final = cast("TextIO", _Stderr())  # exporters write and flush, and ask for nothing else


def console_processor(
    trace_format: Literal["tree", "json"], *, last: bool = False
) -> SpanProcessor:
    """Show spans on stderr, for stdout belongs to the results; trees at the very end if `last`."""
    if trace_format == "tree":
        return SimpleSpanProcessor(WaterfallExporter(last=last))
    return SimpleSpanProcessor(
        ConsoleSpanExporter(out=_STDERR, formatter=lambda span: span.to_json(indent=None) + "\n")
    )


class WaterfallExporter(ConsoleSpanExporter):
    """Keeps the spans of a trace until its root has ended, then draws them all.

    What still waits for a root when tracing is shut down is drawn then; if `last`, everything is.
    """

    def __init__(self, *, last: bool = False) -> None:
        super().__init__(out=_STDERR)
        self._last = last
        self._waiting: dict[int, list[SpanRecord]] = {}
        forget = weakref.WeakMethod(self._waiting_is_the_parents)
        os.register_at_fork(after_in_child=lambda: (method := forget()) and method())

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Keep finished spans; draw a trace whose root is among them."""
        for span in spans:
            trace_id = _identity(span).trace_id
            self._waiting.setdefault(trace_id, []).append(_record(span))
            if not self._last and (span.parent is None or span.parent.is_remote):
                self._show(self._waiting.pop(trace_id))
        return SpanExportResult.SUCCESS

    def _waiting_is_the_parents(self) -> None:
        """After a fork: what had ended by then is the parent's to draw."""
        self._waiting.clear()

    def shutdown(self) -> None:
        """Draw what is left."""
        for records in self._waiting.values():
            self._show(records)
        self._waiting.clear()

    def _show(self, records: Sequence[SpanRecord]) -> None:
        from rich.console import Console

        # In one piece: a live display that owns the terminal makes room for it once.
        console = Console(file=sys.stderr, highlight=False, emoji=False, markup=False)
        with console.capture() as captured:
            for trace in traces_of(records):
                console.print()
                for line in draw(trace, console.width):
                    _print(console, line)
            console.print()
        self.out.write(captured.get())
        self.out.flush()


def _print(console: "Console", line: Line) -> None:
    from rich.text import Text

    encoding = (console.encoding or "ascii").lower()
    text = Text.assemble(
        *(
            (part.text if encoding.startswith("utf") else part.text.translate(_ASCII), part.style)
            for part in line
        )
    )
    console.print(text, soft_wrap=True)


def _identity(span: ReadableSpan) -> SpanContext:
    """The context that every finished span has, whatever the SDK's annotation allows."""
    return span.get_span_context() or INVALID_SPAN_CONTEXT


def _record(span: ReadableSpan) -> SpanRecord:
    """What the view needs of a span, without the rest of it."""
    return SpanRecord(
        id=_identity(span).span_id,
        parent_id=span.parent.span_id if span.parent else None,
        name=span.name,
        start_ns=span.start_time or 0,
        end_ns=span.end_time or 0,
        attributes=dict(span.attributes or {}),
        failed=span.status.status_code is StatusCode.ERROR,
        events=tuple(event.name for event in span.events),
    )
