"""The founding design's promises: names, attributes, parents, and no span when tracing is off."""

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
from orchestrator.models import RunStatus
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
from tests.stories import Script, cast, plan, stage

pytestmark = pytest.mark.usefixtures("tracing_off")


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


def test_every_founding_attribute_is_there_with_its_type(traced):
    with traced_run("p1"), traced_task("t1", "writing") as task:
        task.set_attribute(names.MODEL_SELECTED, "m")
        with traced_llm_call("m", "generate"), traced_policy_check(2):
            pass
        with traced_remediation("auto_retry", "timeout"):
            pass

    call = {
        "model": "m",
        "tokens_in": int,
        "tokens_out": int,
        "cost_usd": float,
        "latency_ms": float,
    }
    assert_span_tree(
        traced,
        span(
            "run_project",
            {"project_id": "p1", "status": str, "total_cost_usd": float},
            span(
                "task:t1",
                {"task_type": "writing", "model_selected": "m", "iteration": int},
                span(
                    "llm_call:generate",
                    call,
                    span(
                        "policy_check",
                        {"policies_count": 2, "passed": bool, "violations_count": int},
                    ),
                ),
                span(
                    "remediation",
                    {"strategy": "auto_retry", "trigger_reason": "timeout", "success": bool},
                ),
            ),
        ),
    )


async def test_a_whole_run_has_the_shape_that_was_promised(traced):
    models = cast(ann=Script(decompose=plan(("a", []), ("b", ["a"]))), bob=Script())

    async with stage(models) as orchestrator:
        await orchestrator.run_project("Make it", project_id="p1")

    def call(kind, model):
        used = {"model": model, "tokens_in": 100, "tokens_out": 20, "cost_usd": 0.00012}
        return span(f"llm_call:{kind}", used | {"latency_ms": float}, kind="client")

    check = span("policy_check", {"policies_count": 0, "passed": True, "violations_count": 0})

    def task(name):
        return span(
            f"task:{name}",
            {"task_type": "writing", "model_selected": "ann", "iteration": 1},
            check,
            call("generate", "ann"),
            check,
            call("critique", "bob"),
            call("revise", "ann"),
            call("evaluate", "bob"),
        )

    assert_span_tree(
        traced,
        span(
            "run_project",
            {"project_id": "p1", "status": "SUCCESS", "total_cost_usd": 0.00108},
            span("decompose", check, call("decompose", "ann")),
            task("t1"),
            task("t2"),
        ),
    )


async def test_a_run_has_no_span_at_all_while_tracing_is_off(spans):
    async with stage(cast(ann=Script(), bob=Script())) as orchestrator:
        state = await orchestrator.run_project("Make it", project_id="p1")

    assert state.status is RunStatus.SUCCESS
    spans.assert_empty()


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


async def test_concurrent_tasks_keep_their_parents(traced):
    async def task(number):
        with traced_task(f"t{number}", "writing"):
            await asyncio.sleep(0)
            with traced_llm_call("m", "generate", iteration=number):
                await asyncio.sleep(0)

    with traced_run("p1"):
        await asyncio.gather(*(task(number) for number in range(20)))

    assert traced.all("task:*").max_parallel == 20
    for number in range(20):
        [call] = traced.one(f"run_project / task:t{number}").children
        assert call[names.CALL_ITERATION] == number


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
