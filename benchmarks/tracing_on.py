"""What an llm_call span costs while tracing is on, with every key that the schema asks for."""

from typing import Any

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import SpanKind
from stopwatch import Case, measure, report

from orchestrator import spans
from orchestrator.tracing import TracingConfig, configure_tracing, traced_llm_call, traced_run

REFERENCE = "start_as_current_span(all at start)"
START: dict[str, Any] = {
    spans.GEN_AI_OPERATION_NAME: "chat",
    spans.GEN_AI_PROVIDER_NAME: "openai",
    spans.GEN_AI_REQUEST_MODEL: "gpt-4o",
    spans.GEN_AI_REQUEST_MAX_TOKENS: 2048,
    spans.GEN_AI_REQUEST_TEMPERATURE: 0.2,
    spans.GEN_AI_OUTPUT_TYPE: "text",
    spans.SERVER_ADDRESS: "api.openai.com",
    spans.SERVER_PORT: 443,
    spans.GEN_AI_AGENT_NAME: "writing",
    spans.CALL_TYPE: "generate",
    spans.CALL_ITERATION: 1,
    spans.MODEL: "gpt-4o",
}
RESULTS: dict[str, Any] = {
    spans.GEN_AI_RESPONSE_MODEL: "gpt-4o-2024-08-06",
    spans.GEN_AI_RESPONSE_ID: "chatcmpl-1",
    spans.GEN_AI_RESPONSE_FINISH_REASONS: ("stop",),
    spans.GEN_AI_USAGE_INPUT_TOKENS: 812,
    spans.GEN_AI_USAGE_OUTPUT_TOKENS: 210,
    spans.GEN_AI_USAGE_COST: 0.0042,
    spans.OPERATION_COST: 0.0042,
    spans.LLM_ATTEMPTS: 1,
    spans.QUEUE_MS: 0.1,
    spans.CACHE_HIT: False,
    spans.TOKENS_IN: 812,
    spans.TOKENS_OUT: 210,
    spans.COST_USD: 0.0042,
    spans.LATENCY_MS: 512.5,
}
OURS_START = (
    "'gpt-4o', 'generate', provider='openai', request_model='gpt-4o', max_tokens=2048, "
    "temperature=0.2, output_type='text', server_address='api.openai.com', server_port=443, "
    "agent_name='writing', iteration=1"
)


class Drop(SpanProcessor):
    """A processor that keeps nothing."""


def _cases(tracer: Any) -> list[Case]:
    names = {
        "start": tracer.start_as_current_span,
        "start_span": tracer.start_span,
        "traced": traced_llm_call,
        "START": START,
        "RESULTS": RESULTS,
        "ALL": {**START, **RESULTS},
        "CLIENT": SpanKind.CLIENT,
    }
    snippets = {
        REFERENCE: "with start('llm_call:generate', kind=CLIENT, attributes=ALL): pass",
        "start_as_current_span(start), set_attributes(results)": (
            "with start('llm_call:generate', kind=CLIENT, attributes=START) as span:\n"
            "    span.set_attributes(RESULTS)"
        ),
        "start_as_current_span(start), set_attribute 14 times": (
            "with start('llm_call:generate', kind=CLIENT, attributes=START) as span:\n"
            "    for key, value in RESULTS.items(): span.set_attribute(key, value)"
        ),
        "the SDK's floor: start_span(all at start).end(), not current": (
            "start_span('llm_call:generate', kind=CLIENT, attributes=ALL).end()"
        ),
        "ours: traced_llm_call, set_attributes(results)": (
            f"with traced({OURS_START}) as span:\n    span.set_attributes(RESULTS)"
        ),
        "ours: traced_llm_call, set_attribute 14 times": (
            f"with traced({OURS_START}) as span:\n"
            "    for key, value in RESULTS.items(): span.set_attribute(key, value)"
        ),
    }
    return [Case(title=title, code=code, names=names) for title, code in snippets.items()]


if __name__ == "__main__":
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Drop())
    configure_tracing(TracingConfig(enabled=True), tracer_provider=provider)
    with traced_run("benchmark"):
        figures = measure(_cases(provider.get_tracer("benchmark")), loops=50, rounds=400)
    report("tracing_on", figures, REFERENCE, "µs", 1000)
