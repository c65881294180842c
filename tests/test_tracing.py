"""The founding design's promises: names, attributes, parents; and how failures are told."""

import asyncio
from decimal import Decimal

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind

from orchestrator import spans as names
from orchestrator.tracing import (
    TracingConfig,
    configure_tracing,
    get_tracer,
    traced_decompose,
    traced_llm_call,
    traced_policy_check,
    traced_remediation,
    traced_run,
    traced_task,
    traced_validation,
)
from pytest_otel_spans import assert_span_tree, span

pytestmark = pytest.mark.usefixtures("tracing_off")

KEY = "sk-proj-abcdef1234567890"


def test_a_run_is_one_tree(exported):
    with traced_run("p1"):
        with traced_decompose(), traced_llm_call("m", "decompose"):
            pass
        with traced_task("t1", "writing"):
            with traced_policy_check(1):
                pass
            with traced_llm_call("m", "generate"):
                pass
            with traced_validation("length"):
                pass
            with traced_remediation("auto_retry", "timeout"), traced_llm_call("m", "revise"):
                pass

    assert_span_tree(
        exported,
        span(
            "run_project",
            span("decompose", span("llm_call:decompose", kind="client")),
            span(
                "task:t1",
                span("policy_check"),
                span("llm_call:generate", kind="client"),
                span("validation"),
                span("remediation", span("llm_call:revise", kind="client")),
            ),
            kind="internal",
        ),
    )


def test_every_founding_attribute_is_there_with_its_type(finished):
    with traced_run("p1"), traced_task("t1", "writing") as task:
        task.set_attribute(names.MODEL_SELECTED, "m")
        with traced_llm_call("m", "generate"), traced_policy_check(2):
            pass
        with traced_remediation("auto_retry", "timeout"):
            pass

    founding = {
        "run_project": {"project_id": str, "status": str, "total_cost_usd": float},
        "task:t1": {"task_type": str, "model_selected": str, "iteration": int},
        "llm_call:generate": {
            "model": str,
            "tokens_in": int,
            "tokens_out": int,
            "cost_usd": float,
            "latency_ms": float,
        },
        "policy_check": {"policies_count": int, "passed": bool, "violations_count": int},
        "remediation": {"strategy": str, "trigger_reason": str, "success": bool},
    }
    found = {
        name: {key: type(finished()[name].attributes[key]) for key in keys}
        for name, keys in founding.items()
    }
    assert found == founding


def test_a_call_is_of_kind_client_and_an_answer_of_our_own_is_not(finished):
    with traced_llm_call("m", "generate"), traced_llm_call("m", "critique", cached=True):
        pass

    kinds = {name: span.kind for name, span in finished().items()}
    assert kinds == {
        "llm_call:generate": SpanKind.CLIENT,
        "llm_call:critique": SpanKind.INTERNAL,
    }


def test_what_a_call_is_about_is_known_at_its_start():
    started = []

    class Early(SimpleSpanProcessor):
        def on_start(self, span, parent_context=None):
            started.append(dict(span.attributes))

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Early(InMemorySpanExporter()))
    configure_tracing(TracingConfig(enabled=True), tracer_provider=provider)

    with traced_llm_call("gpt", "generate", provider="openai", max_tokens=10, iteration=2):
        pass

    assert started == [
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt",
            "gen_ai.request.max_tokens": 10,
            "orchestrator.call_type": "generate",
            "orchestrator.iteration": 2,
            "model": "gpt",
        }
    ]


def test_the_span_that_a_block_yields_is_an_opentelemetry_span(finished):
    with traced_task("t1", "writing") as span:
        assert isinstance(span, trace.Span)
        assert span.get_span_context() == trace.get_current_span().get_span_context()
        with get_tracer().start_as_current_span("foreign"):
            pass

    assert finished()["foreign"].parent.span_id == finished()["task:t1"].context.span_id


def test_values_that_cannot_be_carried_are_left_out(finished):
    with traced_llm_call("m", "generate") as span:
        span.set_attribute("nothing", None)
        span.set_attribute("no number", float("nan"))
        span.set_attribute("a mapping", {"a": 1})
        span.set_attribute(names.COST_USD, Decimal("0.25"))
        span.set_attribute(names.GEN_AI_RESPONSE_FINISH_REASONS, ["stop"])

    attributes = finished()["llm_call:generate"].attributes
    assert not {"nothing", "no number", "a mapping"} & attributes.keys()
    assert attributes[names.COST_USD] == 0.25
    assert attributes[names.GEN_AI_RESPONSE_FINISH_REASONS] == ("stop",)


def test_founding_attributes_survive_a_flood_of_others(finished):
    with traced_llm_call("m", "generate") as span:
        span.set_attribute(names.TOKENS_IN, 7)
        span.set_attributes({f"flood.{number}": number for number in range(200)})

    attributes = finished()["llm_call:generate"].attributes
    assert len(attributes) == 128
    assert (attributes[names.MODEL], attributes[names.TOKENS_IN]) == ("m", 7)


def test_concurrent_tasks_keep_their_parents(exported):
    async def task(number):
        with traced_task(f"t{number}", "writing"):
            await asyncio.sleep(0)
            with traced_llm_call("m", "generate", iteration=number):
                await asyncio.sleep(0)

    async def run():
        with traced_run("p1"):
            await asyncio.gather(*(task(number) for number in range(20)))

    asyncio.run(run())

    spans = exported.get_finished_spans()
    by_id = {span.context.span_id: span for span in spans}
    calls = [span for span in spans if span.name == "llm_call:generate"]
    assert len(calls) == 20
    for call in calls:
        parent = by_id[call.parent.span_id]
        assert parent.name == f"task:t{call.attributes[names.CALL_ITERATION]}"


def test_a_host_processor_that_raises_does_not_harm_the_run():
    class Broken(SimpleSpanProcessor):
        def on_start(self, span, parent_context=None):
            raise RuntimeError("broken")

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Broken(InMemorySpanExporter()))
    configure_tracing(TracingConfig(enabled=True), tracer_provider=provider)

    with traced_run("p1") as span:
        span.set_attribute(names.STATUS, "SUCCESS")

    assert not span.is_recording()


def test_a_run_that_is_not_sampled_costs_its_children_nothing_either():
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    configure_tracing(TracingConfig(enabled=True), tracer_provider=provider)

    with traced_run("p1") as run, traced_task("t1", "writing") as task:
        assert not run.is_recording()
        assert task.get_span_context().trace_id == run.get_span_context().trace_id

    assert exporter.get_finished_spans() == ()
