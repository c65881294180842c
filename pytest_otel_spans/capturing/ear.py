"""An ear on one tracer provider: it hears its spans start and end, and what its sampler drops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable
from weakref import ref

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.util.types import Attributes

from pytest_otel_spans.capturing.owners import Owners
from pytest_otel_spans.capturing.recording import Recording

_PROBE = "pytest_otel_spans.probe"
_SAMPLED = trace.TraceFlags.SAMPLED
_DROP = Decision.DROP  # looked up for every span that starts
_FRIENDLIEST_TRACE_ID = 1  # a sampler by ratio keeps the low ids: chance has no say in a probe
_SHUT_DOWN = (
    "{} was shut down; its spans are captured all the same, but an exporter drops what ends after"
)


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
        self._open: dict[int, tuple[ref[Recording], int]] = {}
        self._probing = self._heard_probe = False
        provider.add_span_processor(self)
        self._sampler: Sampler | None = None
        if isinstance(provider, TracerProvider):
            self._sampler = provider.sampler
            provider.sampler = _CountingSampler(self._sampler, owners)

    def is_on(self, provider: object) -> bool:
        """Whether this is the ear on that provider."""
        return self._provider() is provider

    @property
    def sampler(self) -> str:
        """The description of the provider's own sampler."""
        return self._sampler.get_description() if self._sampler else "a sampler of its own"

    def on_start(
        self,
        span: Span,
        parent_context: Context | None = None,  # noqa: ARG002 - the SDK names it
    ) -> None:
        """Enter the span in its owner's recording."""
        if self._probing and span.name == _PROBE:
            self._heard_probe = True
            return
        recording = self._owners.owner(span.parent)
        if recording is None:
            return
        own = span.get_span_context()
        if own.trace_flags & _SAMPLED:
            span_id = own.span_id
            self._open[span_id] = recording.itself, recording.start(span, span_id)
        else:  # it records, but no exporter would ever see it
            recording.sampled_out[self.sampler] += 1

    def on_end(self, span: ReadableSpan) -> None:
        """Hand in the finished span, whatever test runs by now."""
        opened = self._open.pop(span.context.span_id, None)
        if opened is None:
            return
        recording, place = opened[0](), opened[1]
        if recording is not None:
            recording.end(place, span)

    def shutdown(self) -> None:
        """Take note, and keep listening: the next test may use the provider too."""
        for recording in self._owners.running:
            self.shut_down_in = recording.test
            recording.notes.append(_SHUT_DOWN.format(self._name))

    def hears_roots(self) -> bool:
        """Whether a root span would be heard, tried with a probe.

        The probe is started and never ended: processors see it start, no exporter gets it.
        """
        provider = self._provider()
        if provider is None:
            return False
        self._probing, self._heard_probe = True, False
        try:
            provider.get_tracer(__name__).start_span(_PROBE, context=Context())
        finally:
            self._probing = False
        return self._heard_probe


class _CountingSampler(Sampler):
    """A provider's own sampler, with a count of what it dropped.

    Best effort: a tracer keeps the sampler that its provider had when the tracer was made.
    """

    def __init__(self, sampler: Sampler, owners: Owners) -> None:
        self._sampler = sampler
        self._owners = owners

    def should_sample(  # noqa: PLR0917 - the signature of the SDK
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: trace.SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[trace.Link] | None = None,
        trace_state: trace.TraceState | None = None,  # noqa: ARG002 - no tracer passes it
    ) -> SamplingResult:
        """Decide as the sampler does."""
        if name == _PROBE:
            trace_id = _FRIENDLIEST_TRACE_ID
        result = self._sampler.should_sample(
            parent_context, trace_id, name, kind, attributes, links
        )
        if result.decision is _DROP and name != _PROBE:
            parent = trace.get_current_span(parent_context).get_span_context()
            recording = self._owners.owner(parent if parent.is_valid else None)
            if recording is not None:
                recording.sampled_out[self._sampler.get_description()] += 1
        return result

    def get_description(self) -> str:
        """Describe the sampler itself."""
        return self._sampler.get_description()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sampler, name)


def name_of(provider: object) -> str:
    """Name a provider by its class, as sentences do."""
    return f"the tracer provider {type(provider).__module__}.{type(provider).__qualname__}"
