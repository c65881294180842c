"""What a traced model call costs beside the tracing libraries that people use: off, and on.

Run by `make bench-peers` in an environment of its own, for the peers bring a hundred packages; a
peer that is not installed is left out. On, every peer writes spans that go nowhere.
"""

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import SpanKind, set_tracer_provider

sys.path.insert(0, str(Path(__file__).parents[1]))

from stopwatch import Case, measure, report

from orchestrator.tracing import TracingConfig, configure_tracing, traced_llm_call, traced_run

OURS = "ours: traced_llm_call"
ATTRIBUTES: dict[str, Any] = {
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 812,
    "gen_ai.usage.output_tokens": 210,
    "tokens_in": 812,
    "tokens_out": 210,
    "cost_usd": 0.0042,
    "latency_ms": 512.5,
}
CODE = "one()"


class Drop(SpanProcessor):
    """A processor that keeps nothing."""


def _provider() -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Drop())
    return provider


def ours(*, on: bool) -> Callable[[], None]:
    configure_tracing(TracingConfig(enabled=on), tracer_provider=_provider() if on else None)

    def one() -> None:
        with traced_llm_call("gpt-4o", "generate") as span:
            span.set_attributes(ATTRIBUTES)

    return one


def sdk(*, on: bool) -> Callable[[], None]:
    if not on:
        from opentelemetry.trace import NoOpTracer

        start = NoOpTracer().start_as_current_span
    else:
        start = _provider().get_tracer("benchmark").start_as_current_span

    def one() -> None:
        with start("llm_call:generate", kind=SpanKind.CLIENT) as span:
            span.set_attributes(ATTRIBUTES)

    return one


def logfire(*, on: bool) -> Callable[[], None]:
    import logfire as peer

    if on:
        peer.configure(
            send_to_logfire=False,
            console=False,
            inspect_arguments=False,
            additional_span_processors=[Drop()],
        )
    else:
        os.environ["LOGFIRE_IGNORE_NO_CONFIG"] = "1"  # off is: imported, and not configured

    def one() -> None:
        with peer.span("llm_call:generate") as span:
            span.set_attributes(ATTRIBUTES)

    return one


def traceloop(*, on: bool) -> Callable[[], None]:
    from opentelemetry import trace
    from traceloop.sdk import Traceloop
    from traceloop.sdk.decorators import task

    Traceloop.init(enabled=on, processor=Drop(), telemetry_enabled=False, instruments=set())

    @task(name="generate")
    def one() -> None:
        trace.get_current_span().set_attributes(ATTRIBUTES)

    return one


def openinference(*, on: bool) -> Callable[[], None]:
    from openinference.instrumentation import OITracer, TraceConfig
    from opentelemetry.trace import NoOpTracer

    inner = _provider().get_tracer("benchmark") if on else NoOpTracer()
    tracer = OITracer(inner, config=TraceConfig())

    def one() -> None:
        with tracer.start_as_current_span(
            "llm_call:generate", openinference_span_kind="llm"
        ) as span:
            span.set_attributes(ATTRIBUTES)

    return one


def ddtrace(*, on: bool) -> Callable[[], None]:
    os.environ["DD_TRACE_ENABLED"] = str(on).lower()
    os.environ["DD_INSTRUMENTATION_TELEMETRY_ENABLED"] = "false"
    os.environ["DD_REMOTE_CONFIGURATION_ENABLED"] = "false"
    from ddtrace.trace import TraceFilter, tracer

    class DropAll(TraceFilter):  # type: ignore[misc]  # the peer may be absent
        def process_trace(self, _trace: Any) -> None:
            return None

    tracer.configure(trace_processors=[DropAll()])
    tracer.enabled = on

    def one() -> None:
        with tracer.trace("llm_call:generate") as span:
            for key, value in ATTRIBUTES.items():
                span.set_tag(key, value)

    return one


def langfuse(*, on: bool) -> Callable[[], None]:
    from langfuse import Langfuse
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    client = Langfuse(
        public_key="pk",
        secret_key="sk",
        base_url="http://127.0.0.1:9",
        tracing_enabled=on,
        span_exporter=InMemorySpanExporter(max_spans=1),
        tracer_provider=_provider(),
    )

    def one() -> None:
        with client.start_as_current_observation(
            name="llm_call:generate", as_type="generation", model="gpt-4o"
        ) as span:
            span.update(usage_details={"input": 812, "output": 210}, metadata=ATTRIBUTES)

    return one


PEERS: dict[str, Callable[..., Callable[[], None]]] = {
    OURS: ours,
    "OpenTelemetry's SDK, its own context manager": sdk,
    "openinference": openinference,
    "ddtrace": ddtrace,
    "traceloop": traceloop,
    "langfuse": langfuse,
    "logfire": logfire,
}


def _cases(*, on: bool) -> list[Case]:
    cases = []
    for title, peer in PEERS.items():
        try:
            cases.append(Case(title=title, code=CODE, names={"one": peer(on=on)}))
        except ImportError as missing:
            print(f"{title} is left out: {missing}")
    return cases


def main(state: str) -> None:
    logging.disable(logging.CRITICAL)
    on = state == "on"
    cases = _cases(on=on)
    for case in cases:
        case.names["one"]()  # a peer that cannot run fails here, and not between two figures
    figures: dict[str, float]
    if on:
        with traced_run("benchmark"):
            figures = measure(cases, loops=20, rounds=200)
    else:
        figures = measure(cases, loops=200, rounds=100)
    report(f"peers_tracing_{state}", figures, OURS, "µs", 1000)


if __name__ == "__main__":
    set_tracer_provider(_provider())
    main(sys.argv[1])
    sys.stdout.flush()
    os._exit(0)  # some peers flush to servers that are not there
