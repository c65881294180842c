"""What one test recorded: its spans in the order they started, and those it nearly had."""

from __future__ import annotations

import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable
from itertools import count

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pytest_otel_spans.stage import Stage
from pytest_otel_spans.tree import Sighting


class Entry:
    """One span of a recording: the live object until it ends, then the finished one."""

    __slots__ = ("home", "sequence", "span", "thread")

    def __init__(
        self, span: ReadableSpan, sequence: int, thread: str, home: weakref.ref[Recording]
    ) -> None:
        self.span = span
        self.sequence = sequence
        self.thread = thread
        self.home = home


class Recording:
    """The spans of one test.

    Attributes:
        test: The node id of the test.
        stage: Whose code runs on the thread of the session that runs the test.
        exporter: The finished spans. It is the truth about them: what is cleared there is gone,
            and what another processor exports there counts.
        sampled_out: How many spans each sampler, by its description, kept from being recorded.
        unclaimed: How many spans started beside other tests and could be anyone's.
        notes: What happened to providers while the test ran, in full sentences.
    """

    def __init__(self, test: str, stage: Stage) -> None:
        self.test = test
        self.stage = stage
        self.exporter = InMemorySpanExporter()
        self.sampled_out: Counter[str] = Counter()
        self.unclaimed = 0
        self.notes: list[str] = []
        self._entries: list[Entry] = []
        self._by_id: dict[int, Entry] = {}
        self._next = count().__next__
        self._first = -1
        self._bells: tuple[threading.Event, ...] = ()
        self._self = weakref.ref(self)  # an open span must not keep a test's whole recording

    def start(self, span: ReadableSpan, span_id: int) -> Entry:
        """Enter a span that started."""
        known = self._by_id.get(span_id)
        if known is not None and known.span is span:  # two providers may share their processors
            return known
        thread = threading.current_thread().name
        entry = self._by_id[span_id] = Entry(span, self._next(), thread, self._self)
        self._entries.append(entry)
        self._ring()
        return entry

    def end(self, entry: Entry, span: ReadableSpan) -> None:
        """Put the finished span in the place of the live one."""
        if entry.sequence >= self._first and entry.span is not span:
            entry.span = span
            self.exporter.export((span,))
            self._ring()

    def knows(self, span_id: int) -> bool:
        """Whether the span of this id is, or was before `clear`, one of these."""
        return span_id in self._by_id

    @property
    def cleared(self) -> bool:
        """Whether `clear` was called."""
        return self._first >= 0

    def sightings(self) -> list[Sighting | ReadableSpan]:
        """Every span: where its start was seen with its place and thread, else as it is."""
        finished = {id(span): span for span in self.exporter.get_finished_spans()}
        seen: list[Sighting | ReadableSpan] = [
            Sighting(entry.span, entry.sequence, entry.thread)
            for entry in tuple(self._entries)
            if finished.pop(id(entry.span), None) is not None or entry.span.end_time is None
        ]
        seen.extend(finished.values())
        return seen

    def clear(self) -> None:
        """Forget every span that started, also those that have not ended yet."""
        self._first = self._next()
        self._entries = []
        self.exporter.clear()

    def wait_until(self, predicate: Callable[[], bool], timeout: float) -> bool:
        """Wait until `predicate()` holds, asking again whenever a span starts or ends.

        Args:
            predicate: The condition.
            timeout: Seconds after which the answer is given as it stands.
        """
        deadline = time.monotonic() + timeout
        bell = threading.Event()
        self._bells = (*self._bells, bell)
        try:
            while not predicate():
                left = deadline - time.monotonic()
                if left <= 0 or not bell.wait(left):
                    return predicate()
                bell.clear()
            return True
        finally:
            self._bells = tuple(other for other in self._bells if other is not bell)

    def lineage(self) -> tuple[frozenset[int], frozenset[int]]:
        """Give the ids of the traces that began here, and of the spans in any other trace."""
        contexts = [(entry.span.context, entry.span.parent) for entry in self._by_id.values()]
        traces = frozenset(own.trace_id for own, parent in contexts if parent is None)
        spans = frozenset(own.span_id for own, _ in contexts if own.trace_id not in traces)
        return traces, spans

    def _ring(self) -> None:
        for bell in self._bells:
            bell.set()
