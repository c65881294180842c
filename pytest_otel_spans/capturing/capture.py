"""The spans that one test started in this process."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pytest_otel_spans.capturing.hub import Hub
from pytest_otel_spans.capturing.questions import Capture
from pytest_otel_spans.capturing.recording import Recording
from pytest_otel_spans.text.render import counted
from pytest_otel_spans.tree import Sighting


class SpanCapture(Capture):
    """The spans that one test started, those that have not ended included."""

    fixture = "spans"

    def __init__(self, recording: Recording, hub: Hub) -> None:
        super().__init__(recording.chime)
        self._recording = recording
        self._hub = hub
        self._attached: tuple[trace.TracerProvider, ...] = ()

    @property
    def exporter(self) -> InMemorySpanExporter:
        """The exporter that holds the finished spans, in the order they ended."""
        return self._recording.exporter

    def sightings(self) -> list[Sighting | ReadableSpan]:
        """Every span that started so far, in the order in which they did."""
        return self._recording.sightings()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of these spans should know about how they came, in sentences."""
        dropped = [
            f"{counted(number, 'span')} sampled out by `{sampler}`"
            for sampler, number in self._recording.sampled_out.items()
        ]
        dropped += [
            f"root spans may have been sampled out by `{sampler}`" for sampler in self._thinning
        ]
        return (*dict.fromkeys(self._recording.notes), *dropped, *self._recording.not_ours())

    def clear(self) -> None:
        """Forget every span that started so far, also those that have not ended yet."""
        self._recording.clear()

    def attach(self, provider: trace.TracerProvider) -> None:
        """Capture the spans of a provider that is not the global one, from now on.

        Providers that the code sets as the global one are attached by themselves.

        Raises:
            TypeError: The provider is not one of the SDK.
        """
        if self._hub.listen(provider) is None:
            raise TypeError(
                f"attach() takes a TracerProvider of opentelemetry.sdk.trace, not {provider!r}"
            )
        if not any(known is provider for known in self._attached):
            self._attached += (provider,)

    def why_empty(self) -> str:
        """Say in one sentence why no span was captured."""
        recording = self._recording
        if recording.sampled_out:
            samplers = " and ".join(f"`{sampler}`" for sampler in recording.sampled_out)
            dropped = counted(recording.sampled_out.total(), "span")
            return f"No span was captured: {dropped} sampled out by {samplers}."
        deaf = [reason for one in self._providers if (reason := self._hub.deafness(one))]
        if deaf:
            return f"No span was captured: {'; '.join(dict.fromkeys(deaf))}."
        others = self._recording.not_ours()
        if others:
            return f"No span was captured: {'; '.join(others)}."
        since = " since spans.clear()" if recording.cleared else ""
        ended = self._hub.shut_down_in(trace.get_tracer_provider())
        aside = f", which was shut down in {ended}," if ended else ""
        return (
            f"No span was captured: none was started{since} on the global provider{aside} or on "
            "one that was attached; a provider of its own needs `spans.attach(provider)`."
        )

    def _check_live(self) -> None:
        __tracebackhide__ = True
        if self._recording.sampled_out:
            raise AssertionError(self.why_empty())
        for provider in self._providers:
            reason = self._hub.deafness(provider)
            if reason is not None:
                raise AssertionError(f"No span was captured, and none could be: {reason}.")

    @property
    def _providers(self) -> tuple[trace.TracerProvider, ...]:
        return (trace.get_tracer_provider(), *self._attached)

    @property
    def _thinning(self) -> dict[str, None]:
        """The samplers, by description, that drop root spans, some or all of them.

        What a sampler drops, no processor hears of: it is asked now what it would do.
        """
        return dict.fromkeys(name for one in self._providers if (name := self._hub.thins(one)))
