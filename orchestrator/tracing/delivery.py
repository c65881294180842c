"""The road out of the process: every span counted in and out, closed within a deadline."""

import logging
import os
import re
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from orchestrator.redaction import redact
from orchestrator.tracing.advice import advice_on
from orchestrator.tracing.overheard import overheard, without_headers

if TYPE_CHECKING:
    from orchestrator.tracing.refusals import Refusals

_log = logging.getLogger("orchestrator.tracing")

QUEUE_SIZE: Final = 102_400
"""Holds a burst of 100,000 spans however slow the receiver is, at 1.3 kB for a call of 26 keys;
the SDK's own 2,048 loses a sixth of 10,000."""

_GRACE_S: Final = 0.2
"""What an interrupted request gets to come back, so that the count is true."""

_RETRYING: Final = re.compile(r",? retrying in [\d.]+s")
"""Part of the SDK's sentence; when it is quoted, nothing is retried any more."""


class _CountedExporter(SpanExporter):
    """Counts what was delivered; what went wrong is kept instead of printed each time."""

    def __init__(self, exporter: SpanExporter, refusals: "Refusals | None") -> None:
        self._exporter = exporter
        self._refusals = refusals
        self._refused = 0
        self.delivered = 0
        self.complaint = ""

    def complain(self, sentence: str) -> None:
        """Keep the first thing that went wrong since something last went well."""
        self.complaint = self.complaint or sentence

    def at_work(self) -> AbstractContextManager[None]:
        """Whatever OpenTelemetry logs in this thread meanwhile is kept for the end."""
        return overheard(lambda record: self.complain(record.getMessage()))

    def export(self, batch: Sequence[ReadableSpan]) -> SpanExportResult:
        with self.at_work():
            try:
                result = self._exporter.export(batch)
            except Exception as error:  # noqa: BLE001  (a failed export is counted, never raised)
                self.complain(f"{type(error).__name__}: {error}")
                result = SpanExportResult.FAILURE
        if result is SpanExportResult.SUCCESS:
            self.delivered += len(batch) - self._newly_refused()
            self.complaint = ""
        return result

    def _newly_refused(self) -> int:
        """How many spans of the batch just taken the receiver did not want."""
        if self._refusals is None:
            return 0
        newly, self._refused = self._refusals.spans - self._refused, self._refusals.spans
        return newly

    @property
    def reason(self) -> str:
        """Why spans did not arrive, as far as that is known."""
        if self.complaint or not self._refused:
            return self.complaint
        said = self._refusals.reason if self._refusals else ""
        return f"{self._refused} of them it refused: {said}" if said else "it refused them"

    def shutdown(self) -> None:
        with self.at_work():
            self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class Delivery(SpanProcessor):
    """Hands spans to a receiver in batches, in the background.

    The SDK's own processor drops silently, waits up to 30 s for a dead receiver, and its
    `force_flush` keeps no bound; this one counts, and its `close` keeps the bound.
    """

    def __init__(
        self,
        exporter: SpanExporter,
        *,
        to: str,
        environ: Mapping[str, str],
        refusals: "Refusals | None" = None,
    ) -> None:
        self._to = redact(to)
        self._environ = environ
        self._exporter = _CountedExporter(exporter, refusals)
        size = None if environ.get("OTEL_BSP_MAX_QUEUE_SIZE") else QUEUE_SIZE
        self._inner = BatchSpanProcessor(self._exporter, max_queue_size=size)
        self._surely_fits = size or 0
        self._lock = threading.Lock()
        self._handed = 0
        self._told = threading.Event()
        self._closing: Callable[[], None] = self.shutdown
        self._closer = self._waiting_closer()
        forget = weakref.WeakMethod(self._forget)
        os.register_at_fork(after_in_child=lambda: (method := forget()) and method())

    def _waiting_closer(self) -> threading.Thread:
        """A thread that is there before the end: at exit, Python 3.12 starts none."""
        closer = threading.Thread(target=self._close_when_told, name="trace-closer", daemon=True)
        closer.start()
        return closer

    def _close_when_told(self) -> None:
        self._told.wait()
        self._closing()

    def _forget(self) -> None:
        """After a fork the spans, the counts and the threads are the parent's."""
        self._lock = threading.Lock()
        self._handed = self._exporter.delivered = 0
        self._told = threading.Event()
        self._closer = self._waiting_closer()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing is to be done."""

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a span, unless the trace was not sampled."""
        if self._told.is_set() or not (span.context and span.context.trace_flags.sampled):
            return
        with self._lock:
            self._handed += 1
        if self._handed - self._exporter.delivered < self._surely_fits:
            self._inner.on_end(span)
            return
        with self._exporter.at_work():  # a full queue is told of at the end, with its losses
            self._inner.on_end(span)

    def shutdown(self) -> None:
        """Deliver what is queued, however long it takes: `close` is the one with a bound."""
        self._inner.shutdown()  # type: ignore[no-untyped-call]  # the SDK has no annotation

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Deliver what is queued."""
        return self._inner.force_flush(timeout_millis)

    def close(self, timeout_s: float, closing: Callable[[], None] | None = None) -> int:
        """Deliver what is queued within `timeout_s`, then give up; say what was lost.

        Args:
            timeout_s: seconds; a request that cannot be interrupted may add a fraction of one.
            closing: what shuts down more than this road, such as a provider's own shutdown.

        Returns:
            How many spans never arrived, those dropped by a full queue included.
        """
        self._closing = closing or self.shutdown
        self._told.set()
        self._closer.join(timeout_s)
        if self._closer.is_alive():
            # Interrupts the exporter's waits between attempts. It may block, hence the thread; at
            # the end of the process there may be no new one, and then nothing to wait for either.
            with suppress(RuntimeError):
                threading.Thread(target=self._exporter.shutdown, daemon=True).start()
            self._closer.join(_GRACE_S)
        lost = self._handed - self._exporter.delivered
        if lost:
            _log.warning(
                "%d of %d spans were lost: %s did not take them within %g s%s",
                lost,
                self._handed,
                self._to,
                timeout_s,
                self._reason(),
            )
        return lost

    def _reason(self) -> str:
        safe = without_headers(advice_on(self._exporter.reason), self._environ)
        complaint = _RETRYING.sub("", safe)[:300]
        return f" ({complaint})." if complaint else "."
