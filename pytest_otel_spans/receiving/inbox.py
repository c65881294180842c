"""Keep what arrived from other processes: spans, who sent them, and what was refused."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence

from opentelemetry.sdk.trace import ReadableSpan

from pytest_otel_spans.capturing.chime import Chime

__all__ = ["Inbox"]


class Inbox:
    """What arrived since the start, or since it was last emptied.

    A span counts once: OTLP delivers at least once, and an exporter that missed an answer sends
    the same span again.

    Attributes:
        chime: Rings when a request has come.
        senders: How many requests came from each program, by the name that it gives itself.
        refusals: Why requests were refused, in sentences.
        repeats: How many spans came again.
        emptied: Whether it was emptied.
    """

    def __init__(self, chime: Chime) -> None:
        self.chime = chime
        self.senders: Counter[str] = Counter()
        self.refusals: list[str] = []
        self.repeats = 0
        self.emptied = False
        self._spans: dict[tuple[int, int], ReadableSpan] = {}
        self._changing = threading.Lock()

    def accept(self, spans: Sequence[ReadableSpan], sender: str) -> None:
        """Take the spans of one request."""
        with self._changing:
            self.senders[sender] += 1
            before = len(self._spans)
            for span in spans:
                self._spans.setdefault((span.context.trace_id, span.context.span_id), span)
            self.repeats += before + len(spans) - len(self._spans)
        self.chime.ring()

    def refuse(self, reason: str, sender: str) -> None:
        """Take note of a request that cannot be read."""
        with self._changing:
            self.refusals.append(f"a request from {sender} was refused: {reason}")
        self.chime.ring()

    def spans(self) -> list[ReadableSpan]:
        """Every span, in the order in which they arrived."""
        with self._changing:
            return list(self._spans.values())

    def drop(self, unwanted: Callable[[ReadableSpan], bool]) -> None:
        """Forget the spans that are unwanted, and all that is known about requests."""
        with self._changing:
            self._spans = {key: span for key, span in self._spans.items() if not unwanted(span)}
            self.senders.clear()
            self.refusals.clear()
            self.repeats = 0
            self.emptied = True
