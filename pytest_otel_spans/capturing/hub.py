"""One hub a process has an ear on every tracer provider that is, or is to be, the global one.

OpenTelemetry has one global provider a process, and it is set once: hence one hub. The hub resets
nothing, shuts nothing down, and replaces no provider; it wraps the setter of the global provider.
"""

from __future__ import annotations

import functools
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.environment_variables import OTEL_SDK_DISABLED
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import DEFAULT_ON, Decision

from pytest_otel_spans.capturing.ear import Ear, RootFate, TakesProcessors, name_of
from pytest_otel_spans.capturing.owners import Owners

_REFUSED = (
    "set_tracer_provider() was called and refused, because a global provider was set before; "
    "the spans of {} are captured all the same"
)


@functools.cache
def hub() -> Hub:
    """Return the hub of this process."""
    return Hub()


class Hub:
    """The ears of this process.

    Attributes:
        owners: The rule that says whose a span is.
    """

    def __init__(self) -> None:
        self.owners = Owners()
        self._ears: dict[int, Ear] = {}
        self._watch_setter()

    def tune_in(self) -> None:
        """Listen to the global provider; where none is set, set one that samples everything."""
        provider = trace.get_tracer_provider()
        if isinstance(provider, trace.ProxyTracerProvider):
            # The sampler is named, lest a developer's OTEL_TRACES_SAMPLER empties every capture.
            trace.set_tracer_provider(TracerProvider(sampler=DEFAULT_ON, shutdown_on_exit=False))
        else:
            self.listen(provider)

    def listen(self, provider: trace.TracerProvider) -> Ear | None:
        """Put an ear on a provider, once; None if it is no SDK provider and takes none."""
        provider = _behind(provider)
        ear = self._ears.get(id(provider))
        if ear is not None and ear.is_on(provider):
            return ear
        if not isinstance(provider, TakesProcessors):
            return None
        ear = self._ears[id(provider)] = Ear(provider, self.owners)
        return ear

    def deafness(self, provider: trace.TracerProvider) -> str | None:
        """Say why a root span of this provider would not be captured; None when it would be."""
        ear = self.listen(provider)
        if ear is None:
            return f"{name_of(provider)} takes no span processor: it is not the SDK's"
        if ear.is_disabled():
            return f"{name_of(provider)} was made while {OTEL_SDK_DISABLED}=true was set"
        if not ear.is_attached():
            return f"{name_of(provider)} tells no more of its spans: its processors were replaced"
        if ear.decision(RootFate.BEST) is not Decision.RECORD_AND_SAMPLE:
            return f"root spans of {name_of(provider)} are sampled out by `{ear.sampler}`"
        return None

    def thins(self, provider: trace.TracerProvider) -> str | None:
        """Name the sampler of a provider that drops root spans, some or all; None for others."""
        ear = self.listen(provider)
        if ear is None or ear.decision(RootFate.WORST) is not Decision.DROP:
            return None
        return ear.sampler

    def shut_down_in(self, provider: trace.TracerProvider) -> str | None:
        """Return the test in which the provider was shut down, None when it was in no test."""
        ear = self.listen(provider)
        return None if ear is None else ear.shut_down_in

    def _watch_setter(self) -> None:
        """Listen to every provider that is set as the global one, also when it is refused.

        The inner function is the seam: the public one looks it up at every call, so that code
        which imported the public one by name is heard as well.
        """
        inner = trace._set_tracer_provider  # noqa: SLF001 - see above

        @functools.wraps(inner)
        def set_and_listen(
            tracer_provider: trace.TracerProvider, *args: Any, **kwargs: Any
        ) -> None:
            inner(tracer_provider, *args, **kwargs)
            self.listen(tracer_provider)
            if trace.get_tracer_provider() is not tracer_provider:
                for recording in self.owners.running:
                    recording.notes.append(_REFUSED.format(name_of(tracer_provider)))

        trace._set_tracer_provider = set_and_listen  # noqa: SLF001 - see above


def _behind(provider: trace.TracerProvider) -> trace.TracerProvider:
    """Return the SDK's provider where another stands before it, free to exchange it (Logfire's)."""
    behind = getattr(provider, "provider", None)
    return behind if isinstance(behind, TracerProvider) else provider
