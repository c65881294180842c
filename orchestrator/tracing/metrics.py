"""Metrics of model calls, as the GenAI conventions define them, where somebody collects metrics.

They are recorded for calls of runs that are not sampled as well: what a call took and used does not
depend on whether it is traced.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.metrics import Histogram, MeterProvider, get_meter_provider
from opentelemetry.trace import set_span_in_context

from orchestrator import spans
from orchestrator.tracing.recording import RecordingSpan

_log = logging.getLogger("orchestrator.tracing")

DURATION: Final = "gen_ai.client.operation.duration"
USAGE: Final = "gen_ai.client.token.usage"
TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105  (tokens of text)

_SECONDS: Final = tuple(0.01 * 2**power for power in range(14))
_TOKENS: Final = tuple(4**power for power in range(14))
_LABELS: Final = (
    spans.GEN_AI_OPERATION_NAME,
    spans.GEN_AI_PROVIDER_NAME,
    spans.GEN_AI_REQUEST_MODEL,
    spans.GEN_AI_RESPONSE_MODEL,
    spans.SERVER_ADDRESS,
    spans.SERVER_PORT,
)
"""Of few values each, so never an id."""


class CallMetrics:
    """The two histograms, of one meter provider."""

    def __init__(self, provider: MeterProvider) -> None:
        meter = provider.get_meter("orchestrator")
        self._duration: Histogram = meter.create_histogram(
            DURATION,
            unit="s",
            description="How long a model call took, all its attempts included.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._tokens: Histogram = meter.create_histogram(
            USAGE,
            unit="{token}",
            description="Tokens that a model call sent and received.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )

    def record(self, call: Mapping[str, Any], span: RecordingSpan) -> None:
        """Record what a call says of itself at its end; one that was never sent took nothing."""
        if not call.get(spans.LLM_ATTEMPTS):
            return
        labels = {key: call[key] for key in _LABELS if key in call}
        failed = {spans.ERROR_TYPE: call[spans.ERROR_TYPE]} if spans.ERROR_TYPE in call else {}
        context = set_span_in_context(span)  # so that an exemplar can name the span
        self._duration.record(call[spans.LATENCY_MS] / 1000, labels | failed, context)
        for kind, key in (
            ("input", spans.GEN_AI_USAGE_INPUT_TOKENS),
            ("output", spans.GEN_AI_USAGE_OUTPUT_TOKENS),
        ):
            if key in call:
                self._tokens.record(call[key], labels | {TOKEN_TYPE: kind}, context)


class CurrentMetrics:
    """The histograms of whoever collects metrics now, made once for each meter provider."""

    def __init__(self) -> None:
        self._provider: MeterProvider | None = None
        self._metrics: CallMetrics | None = None

    def __call__(self) -> CallMetrics | None:
        """Those histograms; None while nobody collects."""
        provider = get_meter_provider()
        if provider is not self._provider:
            self._provider, self._metrics = provider, _made_by(provider)
        return self._metrics


def _made_by(provider: MeterProvider) -> CallMetrics | None:
    # The API's own providers stand in for one that is missing.
    if type(provider).__module__.startswith("opentelemetry.metrics"):
        return None
    try:
        return CallMetrics(provider)
    except Exception:  # noqa: BLE001  (a host's provider may raise; the run must not)
        _log.exception("Calls are not measured: the meter provider makes no histograms.")
        return None


class MeteredCall(RecordingSpan):
    """A traced call that is measured too: it keeps its results even where its span does not."""

    __slots__ = ("_metrics",)
    _metrics: CallMetrics | None

    def measured_by(self, metrics: CallMetrics) -> "MeteredCall":
        """Have the call recorded there when it ends."""
        self._metrics = metrics
        return self

    def is_recording(self) -> bool:
        """Always: the metrics keep what the span may not."""
        return True

    def _ended(self) -> None:
        metrics, self._metrics = self._metrics, None
        if metrics is not None:
            metrics.record({**self._facts, **self._results}, self)
