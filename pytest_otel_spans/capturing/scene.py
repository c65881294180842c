"""Put one test under capture: what starts while its fixture stands is its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from opentelemetry import trace

from pytest_otel_spans.capturing.capture import SpanCapture
from pytest_otel_spans.capturing.hub import Hub, hub
from pytest_otel_spans.capturing.owners import no_current_span
from pytest_otel_spans.capturing.recording import Recording
from pytest_otel_spans.capturing.stage import Stage


class Scene:
    """One test under capture.

    Attributes:
        capture: What the test is given.
    """

    def __init__(self, recording: Recording, hub: Hub) -> None:
        self.capture = SpanCapture(recording, hub)
        self._recording = recording
        self._owners = hub.owners

    def fixture(self) -> AbstractContextManager[None]:
        """Claim the context for a fixture, and let no span of a plugin be current there.

        A span of the test's own stays: one fixture may hold it open for the next.
        """
        current = trace.get_current_span().get_span_context()
        own = not current.is_valid or current.span_id in self._recording.places
        return self._owners.claim(self._recording) if own else self.body()

    @contextmanager
    def body(self) -> Iterator[None]:
        """Claim the context for the test, and let no span at all be current there."""
        with self._owners.claim(self._recording), no_current_span():
            yield


@contextmanager
def scene(test: str, stage: Stage) -> Iterator[Scene]:
    """Capture spans for the test of this node id while the block runs."""
    ears = hub()
    ears.tune_in()
    recording = Recording(test, stage)
    with ears.owners.run(recording):
        yield Scene(recording, ears)
