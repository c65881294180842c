"""Whose span it is: its parent's test, its context's, its thread's, or the only one that runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from weakref import WeakKeyDictionary, WeakSet, ref

from opentelemetry import context, trace
from opentelemetry.sdk.trace import ReadableSpan

from pytest_otel_spans.capturing.past import Past, busy_threads
from pytest_otel_spans.capturing.recording import Recording
from pytest_otel_spans.capturing.stage import Stage


class Owners:
    """The tests that run now, and what is left of those that ran before.

    The rule, for a span that starts:

    1. A span whose parent is known belongs to the parent's test, also when that test is over:
       never to the test that happens to run. A parent that came from outside (in a header) is a
       mere id, which may repeat: there the context of a test that runs comes first.
    2. Else it belongs to the test in whose context it starts. Tasks, `asyncio.to_thread` and
       `contextvars.copy_context` carry that context along, also beyond the test.
    3. Else (a thread without context), where a test that is over started the thread and left it
       running, it belongs to that test. A pool's thread that had nothing to do when the test ended
       is no test's: whatever it does later was handed to it later.
    4. Else it belongs to the test that runs, if exactly one runs. What pytest's own thread starts
       outside of fixtures and test bodies is a plugin's.

    A test that runs while a span goes to one that is over is told so.
    """

    def __init__(self) -> None:
        self._running: tuple[Recording, ...] = ()
        self._context: ContextVar[Recording | None] = ContextVar("pytest_otel_spans", default=None)
        self._late: dict[int, ref[Recording]] = {}
        self._past: dict[int, tuple[Past, ...]] = {}
        self._stage: Stage | None = None
        self._early: list[str] = []
        self._early_in = 0
        self._past_threads: WeakKeyDictionary[threading.Thread, Past] = WeakKeyDictionary()

    @property
    def running(self) -> tuple[Recording, ...]:
        """The recordings of the tests that run now: one, but for sessions inside sessions."""
        return self._running

    def owner(self, span: ReadableSpan) -> Recording | None:
        """Return the recording to which a span that starts belongs; None when no test's."""
        parent = span.parent
        if parent is not None:
            parent_id = parent.span_id
            for recording in self._running:
                if parent_id in recording.places:
                    return recording
        owner = self._adopter(span, parent)
        if owner is not None:
            owner.trace_ids.add(span.context.trace_id)
            if owner not in self._running:
                self._late[span.context.span_id] = owner.itself
        return owner

    def _adopter(self, span: ReadableSpan, parent: trace.SpanContext | None) -> Recording | None:
        """Return the owner of a span whose parent no running test started."""
        mine = self._context.get()
        if parent is not None and not (parent.is_remote and mine in self._running):
            for past in self._past.get(parent.trace_id, ()):
                if past.started(parent.span_id):
                    return self._gone_to(past.test, past.recording(), "where its parent started")
        if mine is not None:
            if mine in self._running:
                return mine
            return self._gone_to(mine.test, mine, "in whose context it started")
        past_thread = self._past_threads.get(threading.current_thread())
        if past_thread is not None:
            return self._gone_to(
                past_thread.test, past_thread.recording(), "which started its thread"
            )
        return self._sole(span.name)

    def end_late(self, span: ReadableSpan, span_id: int) -> None:
        """Hand a span that ends to the test that started it, and that is over."""
        started_in = self._late.pop(span_id, None)
        recording = None if started_in is None else started_in()
        if recording is not None and span_id in recording.places:
            recording.end(span, span_id)

    @contextmanager
    def run(self, recording: Recording) -> Iterator[None]:
        """Let spans belong to `recording` from here on."""
        before = WeakSet(threading.enumerate())
        self._stage = recording.stage
        if self._early_in == recording.stage.tests:
            recording.early += self._early
        self._running += (recording,)
        try:
            yield
        finally:
            self._running = tuple(other for other in self._running if other is not recording)
            self._late.update(dict.fromkeys(recording.open_ids(), recording.itself))
            past = Past(recording)
            for trace_id in recording.trace_ids:
                self._past[trace_id] = (past, *self._past.get(trace_id, ()))
            for thread in busy_threads(before):
                self._past_threads.setdefault(thread, past)

    @contextmanager
    def claim(self, recording: Recording) -> Iterator[None]:
        """Make this context, and all that is copied from it, `recording`'s."""
        token = self._context.set(recording)
        try:
            yield
        finally:
            self._context.reset(token)

    def _gone_to(self, test: str, owner: Recording | None, reason: str) -> Recording | None:
        """Return the owner, the recording of a test that is over, and tell those that run."""
        for recording in self._running:
            recording.elsewhere[f"{test}, {reason}"] += 1
        return owner

    def _note_early(self, name: str) -> None:
        """Note what the suite's code starts before a fixture listens, for the test that begins."""
        stage = self._stage
        if stage is None or stage.runs_pytest_itself():
            return
        if self._early_in != stage.tests:
            self._early, self._early_in = [], stage.tests
        self._early.append(name)

    def _sole(self, name: str) -> Recording | None:
        if not self._running:
            self._note_early(name)
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
