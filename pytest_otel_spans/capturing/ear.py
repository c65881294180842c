"""An ear on one tracer provider: it hears its spans start and end, and changes nothing there."""

from __future__ import annotations

from enum import Enum
from typing import Protocol, runtime_checkable
from weakref import ref

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, Sampler

from pytest_otel_spans.capturing.owners import Owners

_SAMPLED = trace.TraceFlags.SAMPLED
_SHUT_DOWN = (
    "{} was shut down; its spans are captured all the same, but an exporter drops what ends after"
)


class RootFate(Enum):
    """The trace id of a root span: a sampler by ratio keeps the low ones."""

    BEST = 1
    WORST = (1 << 128) - 1


@runtime_checkable
class TakesProcessors(Protocol):
    """A tracer provider that can be listened to: the SDK's, or one that stands before it."""

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Tell the processor of every span that starts or ends from now on."""

    def get_tracer(self, instrumenting_module_name: str) -> trace.Tracer:
        """Return the tracer of this name."""


class Ear(SpanProcessor):
    """Hands the spans of one provider to their owners' recordings.

    Attributes:
        shut_down_in: The test in which the provider was shut down, None while it is not.
    """

    def __init__(self, provider: TakesProcessors, owners: Owners) -> None:
        self.shut_down_in: str | None = None
        self._provider = ref(provider)
        self._name = name_of(provider)
        self._owners = owners
        provider.add_span_processor(self)

    def is_on(self, provider: object) -> bool:
        """Whether this is the ear on that provider."""
        return self._provider() is provider

    @property
    def sampler(self) -> str:
        """The description of the provider's sampler."""
        sampler = self._sampler()
        return sampler.get_description() if sampler else "a sampler of its own"

    def on_start(
        self,
        span: Span,
        parent_context: Context | None = None,  # noqa: ARG002 - the SDK names it
    ) -> None:
        """Enter the span in its owner's recording."""
        recording = self._owners.owner(span)
        if recording is None:
            return
        own = span.context
        if own.trace_flags & _SAMPLED:
            recording.start(span, own.span_id)
        else:  # it records, but no exporter would ever see it
            recording.sampled_out[self.sampler] += 1

    def on_end(self, span: ReadableSpan) -> None:
        """Hand in the finished span, whatever test runs by now."""
        span_id = span.context.span_id
        for recording in self._owners.running:
            if span_id in recording.places:
                recording.end(span, span_id)
                return
        self._owners.end_late(span, span_id)

    def shutdown(self) -> None:
        """Take note, and keep listening: the next test may use the provider too."""
        for recording in self._owners.running:
            self.shut_down_in = recording.test
            recording.notes.append(_SHUT_DOWN.format(self._name))

    def is_disabled(self) -> bool:
        """Whether the provider makes no spans, as it was made while the SDK was disabled."""
        return isinstance(self._tracer(), trace.NoOpTracer)

    def is_attached(self) -> bool:
        """Whether the provider still tells this ear of its spans."""
        processor = getattr(self._tracer(), "span_processor", None)
        heard_by = getattr(processor, "_span_processors", None)  # in every composite of the SDK
        return heard_by is None or self in heard_by

    def decision(self, fate: RootFate) -> Decision:
        """What the sampler, asked now, does with a root span of the best or the worst trace id."""
        sampler = self._sampler()
        if sampler is None:
            return Decision.RECORD_AND_SAMPLE
        return sampler.should_sample(Context(), fate.value, __name__).decision

    def _tracer(self) -> trace.Tracer | None:
        provider = self._provider()
        return provider.get_tracer(__name__) if provider else None

    def _sampler(self) -> Sampler | None:
        provider = self._provider()
        return provider.sampler if isinstance(provider, TracerProvider) else None


def name_of(provider: object) -> str:
    """Name a provider by its class, as sentences do."""
    return f"the tracer provider {type(provider).__module__}.{type(provider).__qualname__}"
