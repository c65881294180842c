"""What one test recorded: its spans in the order they started, and those it nearly had."""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from itertools import count

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pytest_otel_spans.capturing.chime import Chime
from pytest_otel_spans.capturing.stage import Stage
from pytest_otel_spans.text.render import counted
from pytest_otel_spans.tree import Sighting


class Recording:
    """The spans of one test.

    Attributes:
        test: The node id of the test.
        stage: Whose code runs on the thread of the session that runs the test.
        exporter: The finished spans. It is the truth about them: what is cleared there is gone,
            and what another processor exports there counts.
        sampled_out: How many spans each sampler, by its description, kept from being recorded.
        early: The names of the spans that the test's setup started before the fixture listened.
        elsewhere: How many spans that started meanwhile went to tests that are over, by the test
            and the reason.
        unclaimed: How many spans started beside other tests and could be anyone's.
        notes: What happened to providers while the test ran, in full sentences.
        places: Where each span stands in the order of all starts, by its id; also those that
            `clear` made forget.
        trace_ids: The ids of the traces in which a span started.
        itself: A weak reference: a span that is never ended must not keep a test's recording.
        chime: Rings when a span starts or ends.
    """

    def __init__(self, test: str, stage: Stage) -> None:
        self.test = test
        self.stage = stage
        self.exporter = InMemorySpanExporter()
        self.sampled_out: Counter[str] = Counter()
        self.early: list[str] = []
        self.elsewhere: Counter[str] = Counter()
        self.unclaimed = 0
        self.notes: list[str] = []
        self.places: dict[int, int] = {}
        self.trace_ids: set[int] = set()
        self.itself = weakref.ref(self)
        self.chime = Chime()
        # By place, and no pairs of both, which the garbage collector would have to visit.
        self._spans: dict[int, ReadableSpan] = {}
        self._home = threading.current_thread()
        self._threads: dict[int, threading.Thread] = {}
        self._ends: dict[int, int] = {}
        self._next = count().__next__
        self._first = 0

    def start(self, span: ReadableSpan, span_id: int) -> None:
        """Enter a span that started."""
        places = self.places
        if span_id in places and self._spans[places[span_id]] is span:
            return  # heard twice: two providers share their processors
        place = self._next()
        thread = threading.current_thread()
        if thread is not self._home:
            self._threads[place] = thread
        self._spans[place] = span
        places[span_id] = place
        self.chime.ring()

    def end(self, span: ReadableSpan, span_id: int) -> None:
        """Put the finished span in the place of the live one."""
        place = self.places[span_id]
        if self._spans[place] is span:  # heard twice, as above
            return
        moment = self._next()
        self._spans[place] = span
        if place >= self._first:
            self.exporter.export((span,))
        self._ends[place] = moment
        self.chime.ring()

    def open_ids(self) -> list[int]:
        """Return the ids of the spans that have not ended."""
        if len(self._ends) == len(self.places):
            return []
        return [one for one, place in self.places.copy().items() if place not in self._ends]

    @property
    def cleared(self) -> bool:
        """Whether `clear` was called."""
        return self._first > 0

    def sightings(self) -> list[Sighting | ReadableSpan]:
        """Every span: where its start was seen with its place and thread, else as it is."""
        # Other threads end spans meanwhile. What is not among these ends has not been taken away.
        ends = self._ends.copy()
        finished = {id(span): span for span in self.exporter.get_finished_spans()}
        seen: list[Sighting | ReadableSpan] = [
            Sighting(span, place, self._threads.get(place, self._home).name, ends.get(place))
            for place, span in self._spans.copy().items()
            if finished.pop(id(span), None) or (place not in ends and place >= self._first)
        ]
        seen.extend(finished.values())
        return seen

    def clear(self) -> None:
        """Forget every span that started, also those that have not ended yet."""
        self._first = self._next() + 1
        self.exporter.clear()

    def not_ours(self) -> list[str]:
        """Tell of the spans that started meanwhile and are not here, in sentences."""
        told = [
            f"{counted(many, 'span')} went to {whose}" for whose, many in self.elsewhere.items()
        ]
        if self.early:
            told.append(
                f"{counted(len(self.early), 'span')} started before this fixture "
                f'("{self.early[0]}"): request `spans` first'
            )
        if self.unclaimed:
            told.append(f"{counted(self.unclaimed, 'span')} could be any of several running tests'")
        return told
