"""What is remembered of a test that is over: the ids of its spans, and the threads it left busy."""

from __future__ import annotations

import sys
import threading
from array import array
from bisect import bisect_left
from collections.abc import Container, Iterator
from concurrent.futures import Future
from concurrent.futures import thread as pool
from types import FrameType

from pytest_otel_spans.capturing.recording import Recording

_IDS = "Q"  # 64 bits: a span's id
_WORKER = pool._worker.__code__  # noqa: SLF001 - what every thread of a pool runs, and its mark
_POOL = {
    code.co_filename
    for code in (_WORKER, Future.set_result.__code__, threading.Condition.wait.__code__)
}


class Past:
    """A test that is over.

    Attributes:
        test: The node id of the test.
        recording: Gives its recording, None once nobody holds that any more.
    """

    __slots__ = ("_are_sorted", "_span_ids", "recording", "test")

    def __init__(self, recording: Recording) -> None:
        self.test = recording.test
        self.recording = recording.itself
        self._span_ids = array(_IDS, recording.places)
        self._are_sorted = False

    def started(self, span_id: int) -> bool:
        """Whether the span of this id is one of the test's."""
        if not self._are_sorted:  # few tests are ever asked
            self._span_ids = array(_IDS, sorted(self._span_ids))
            self._are_sorted = True
        at = bisect_left(self._span_ids, span_id)
        return at < len(self._span_ids) and self._span_ids[at] == span_id


def busy_threads(known: Container[threading.Thread]) -> Iterator[threading.Thread]:
    """Yield the threads that are alive, not known, and at work: no idle ones of a pool."""
    new = [thread for thread in threading.enumerate() if thread not in known]
    if not new:
        return
    frames = sys._current_frames()  # noqa: SLF001 - the one way to see what a thread is doing
    for thread in new:
        # A foreign thread, which Python only met, may long be gone: it is nobody's.
        foreign = isinstance(thread, threading._DummyThread)  # noqa: SLF001 - has no other mark
        if not foreign and not _idles_in_a_pool(frames.get(thread.ident or 0)):
            yield thread


def _idles_in_a_pool(frame: FrameType | None) -> bool:
    """Whether a pool's thread is at this frame between two jobs, or just handing in a result."""
    while frame is not None and frame.f_code.co_filename in _POOL:
        if frame.f_code is _WORKER:
            return True
        frame = frame.f_back
    return False
