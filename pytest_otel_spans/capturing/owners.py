"""Whose span it is: its parent's test, else its context's, else the only test that runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from weakref import ref

from opentelemetry import context, trace

from pytest_otel_spans.capturing.recording import Recording


class Owners:
    """The tests that run now, and what is left of those that ran before.

    The rule, for a span that starts:

    1. A span whose parent is known belongs to the parent's test, also when that test is over:
       never to the test that happens to run.
    2. Else it belongs to the test in whose context it starts. Tasks, `asyncio.to_thread` and
       `contextvars.copy_context` carry that context along, also beyond the test.
    3. Else (a thread without context) it belongs to the test that runs, if exactly one runs.
       What pytest's own thread starts outside of fixtures and test bodies is a plugin's.
    """

    def __init__(self) -> None:
        self._running: tuple[Recording, ...] = ()
        self._context: ContextVar[Recording | None] = ContextVar("pytest_otel_spans", default=None)
        self._past_traces: dict[int, ref[Recording]] = {}
        self._past_spans: dict[int, ref[Recording]] = {}

    @property
    def running(self) -> tuple[Recording, ...]:
        """The recordings of the tests that run now: one, but for sessions inside sessions."""
        return self._running

    def owner(self, parent: trace.SpanContext | None) -> Recording | None:
        """Return the recording to which a span with this parent belongs; None when no test's."""
        if parent is not None:
            above = parent.span_id
            for recording in self._running:
                if above in recording.places:
                    return recording
            past = self._past_traces.get(parent.trace_id) or self._past_spans.get(above)
            if past is not None:
                return past()
        mine = self._context.get()
        return self._sole() if mine is None else mine

    @contextmanager
    def run(self, recording: Recording) -> Iterator[None]:
        """Let spans belong to `recording` from here on."""
        self._running += (recording,)
        try:
            yield
        finally:
            self._running = tuple(other for other in self._running if other is not recording)
            traces, spans = recording.lineage()
            self._past_traces.update(dict.fromkeys(traces, ref(recording)))
            self._past_spans.update(dict.fromkeys(spans, ref(recording)))

    @contextmanager
    def claim(self, recording: Recording) -> Iterator[None]:
        """Make this context, and all that is copied from it, `recording`'s."""
        token = self._context.set(recording)
        try:
            yield
        finally:
            self._context.reset(token)

    def _sole(self) -> Recording | None:
        running = [one for one in self._running if not one.stage.runs_pytest_itself()]
        if len(running) == 1:
            return running[0]
        for recording in running:
            recording.unclaimed += 1
        return None


@contextmanager
def no_current_span() -> Iterator[None]:
    """Start without a current span; the rest of OpenTelemetry's context (baggage) stays."""
    stays = context.get_current()
    if trace.get_current_span().get_span_context().is_valid:
        stays = trace.set_span_in_context(trace.INVALID_SPAN)
    token = context.attach(stays)
    try:
        yield
    finally:
        context.detach(token)
