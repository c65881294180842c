"""The OpenTelemetry provider of a run: the host's where there is one, else one of our own."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased, Sampler, TraceIdRatioBased

from orchestrator.errors import InputError
from orchestrator.redaction import redact
from orchestrator.tracing.config import DEFAULT_SERVICE_NAME, TracingConfig
from orchestrator.tracing.console import console_processor
from orchestrator.tracing.delivery import Delivery
from orchestrator.tracing.endpoint import endpoint_of
from orchestrator.tracing.exporter import exporter_for
from orchestrator.tracing.overheard import attend, overheard, repeat

_log = logging.getLogger("orchestrator.tracing")

_installed: Final[list[trace.TracerProvider]] = []
"""Ours that OpenTelemetry holds globally: it takes one a process, and keeps it for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where the spans of one configuration go, and what has to be closed behind them."""

    provider: trace.TracerProvider
    delivery: Delivery | None = None
    owned: TracerProvider | None = None
    """The provider, when it is ours to shut down."""

    def close(self, timeout_s: float) -> int:
        """Deliver and close what is ours within `timeout_s` seconds; the number of lost spans."""
        if self.delivery is not None:
            shutdown = self.owned.shutdown if self.owned else self.delivery.shutdown
            return self.delivery.close(timeout_s, shutdown)
        if self.owned is not None:
            self.owned.shutdown()
        return 0


def output_of(
    cfg: TracingConfig, given: trace.TracerProvider | None, environ: Mapping[str, str]
) -> Output:
    """Build what a configuration asks for; with a host's provider, its sampler and resource count.

    Raises:
        InputError: the endpoint it names needs an exporter that is not installed.
    """
    attend()
    with overheard(repeat):
        host = given or _host_provider()
        return _built(cfg, environ) if host is None else _joined(host, cfg, environ)


def _built(cfg: TracingConfig, environ: Mapping[str, str]) -> Output:
    """A provider of our own, which OpenTelemetry holds as the global one if it has none."""
    own = TracerProvider(
        resource=_resource(cfg, environ), sampler=_sampler(cfg), shutdown_on_exit=False
    )
    processor = _processor(cfg, environ)
    if processor is not None:
        own.add_span_processor(processor)
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        trace.set_tracer_provider(own)
        _installed.append(own)
    delivery = processor if isinstance(processor, Delivery) else None
    return Output(provider=own, delivery=delivery, owned=own)


def _host_provider() -> trace.TracerProvider | None:
    current = trace.get_tracer_provider()
    is_host = not isinstance(current, trace.ProxyTracerProvider) and current not in _installed
    return current if is_host else None


def _joined(host: trace.TracerProvider, cfg: TracingConfig, environ: Mapping[str, str]) -> Output:
    """Use the host's provider, and add to it only what was asked for by name."""
    add: Any = getattr(host, "add_span_processor", None)
    processor = _processor(cfg, environ) if cfg.otlp_endpoint is not None else None
    if add is None or not isinstance(processor, Delivery):
        return Output(provider=host)
    add(processor)
    return Output(provider=host, delivery=processor)


def _processor(cfg: TracingConfig, environ: Mapping[str, str]) -> SpanProcessor | None:
    """The road to the endpoint that is named, else the console; None: that road cannot be built.

    Whoever names an endpoint does not expect a drawing on the console, so there is none then.
    """
    try:
        endpoint = endpoint_of(cfg.otlp_endpoint, environ)
        if endpoint is None:
            return console_processor(cfg.trace_format, last=cfg.console_last)
        exporter, refusals = exporter_for(endpoint)
        delivery = Delivery(exporter, to=endpoint.url, environ=environ, refusals=refusals)
    except InputError as error:
        if cfg.otlp_endpoint is not None:
            raise
        _log.warning("No span is exported. %s", error)
        return None
    except Exception as error:  # noqa: BLE001  (whatever a setting does to it, the run goes on)
        said = f"{type(error).__name__}: {error}".removesuffix(": ").removesuffix(".")
        _log.warning(
            "No span is exported: OpenTelemetry's exporter refuses a setting (%s). "
            "Mend the OTEL_* variable, or name no endpoint to see the spans on the console.",
            redact(said),
        )
        return None
    for remark in endpoint.remarks:
        _log.warning("%s", remark)
    return delivery


def _resource(cfg: TracingConfig, environ: Mapping[str, str]) -> Resource:
    """Our service name beats the environment's, so it is given only where the user chose it."""
    named = environ.get("OTEL_SERVICE_NAME") or "service.name=" in environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    if cfg.service_name == DEFAULT_SERVICE_NAME and named:
        return Resource.create()
    return Resource.create({"service.name": cfg.service_name})


def _sampler(cfg: TracingConfig) -> Sampler | None:
    """None lets ``OTEL_TRACES_SAMPLER`` decide."""
    return ParentBased(TraceIdRatioBased(cfg.sample_rate)) if cfg.sample_rate < 1 else None
