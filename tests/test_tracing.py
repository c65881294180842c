"""The founding design's promises: names, attributes, parents; and how failures are told."""

import asyncio
import json
from decimal import Decimal

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from orchestrator import spans as names
from orchestrator.errors import InvalidOutput, ProviderError
from orchestrator.models import Prompt, Reply, Usage
from orchestrator.redaction import redact
from orchestrator.tracing import (
    TracingConfig,
    configure_tracing,
    get_tracer,
    record_content,
    traced_decompose,
    traced_llm_call,
    traced_policy_check,
    traced_remediation,
    traced_run,
    traced_task,
    traced_validation,
)
from pytest_otel_spans import assert_span_tree, span

KEY = "sk-proj-abcdef1234567890"


@pytest.fixture(autouse=True)
def off():
    """Every test begins and ends with tracing off."""
    configure_tracing(TracingConfig())
    yield
    configure_tracing(TracingConfig())


@pytest.fixture
def finished(exported):
    """The finished spans by name, read when asked for."""
    return lambda: {span.name: span for span in exported.get_finished_spans()}


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


def test_success_leaves_the_status_unset(finished):
    with traced_task("t1", "writing"):
        pass

    assert finished()["task:t1"].status.status_code is StatusCode.UNSET


def test_an_exception_is_recorded_once_on_the_innermost_span(finished):
    error = ProviderError("openai is busy.", code="rate_limit_exceeded", retryable=True)

    def call():
        with traced_llm_call("m", "generate"):
            raise error

    with pytest.raises(ProviderError), traced_run("p1"), traced_task("t1", "writing"):
        call()

    told = {
        name: (span.status.status_code, span.attributes[names.ERROR_TYPE], len(span.events))
        for name, span in finished().items()
    }
    assert told == {
        "llm_call:generate": (StatusCode.ERROR, "rate_limit_exceeded", 1),
        "task:t1": (StatusCode.ERROR, "rate_limit_exceeded", 0),
        "run_project": (StatusCode.ERROR, "rate_limit_exceeded", 0),
    }


def test_an_exception_that_an_inner_block_dealt_with_leaves_the_outer_one_alone(finished):
    def call():
        with traced_llm_call("m", "generate"):
            raise InvalidOutput("The answer is empty.")

    with traced_task("t1", "writing"), pytest.raises(InvalidOutput):
        call()

    assert finished()["task:t1"].status.status_code is StatusCode.UNSET
    assert finished()["llm_call:generate"].status.description == "The answer is empty."


def test_the_message_of_an_exception_that_is_not_ours_is_never_recorded(finished):
    def echo():
        raise ValueError("the user's own prompt") from KeyError("their key")

    with pytest.raises(ValueError), traced_llm_call("m", "generate"):
        echo()

    span = finished()["llm_call:generate"]
    assert span.attributes[names.ERROR_TYPE] == "ValueError"
    assert "in echo" in span.events[0].attributes[names.EXCEPTION_STACKTRACE]
    assert "prompt" not in span.status.description
    assert names.EXCEPTION_MESSAGE not in span.events[0].attributes
    assert "KeyError" not in span.events[0].attributes[names.EXCEPTION_STACKTRACE]


def test_keys_in_our_own_sentences_are_redacted(finished):
    with traced_remediation("auto_retry", f"Bearer {KEY}"):
        pass
    with pytest.raises(InvalidOutput), traced_task("t1", "writing"):
        raise InvalidOutput(f"It answered {KEY}.")

    assert KEY not in "".join(span.to_json() for span in finished().values())
    assert finished()["task:t1"].status.description == "It answered [redacted]."


def test_cancellation_is_recorded_and_goes_on(finished):
    def call():
        with traced_llm_call("m", "generate"):
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError), traced_run("p1"):
        call()

    assert len(finished()) == 2
    for ended in finished().values():
        assert ended.status.status_code is StatusCode.ERROR
        assert ended.attributes[names.ERROR_TYPE] == "cancelled"


def test_a_failure_without_an_exception_is_told(finished):
    with traced_task("t1", "writing") as span:
        span.fail("budget_exceeded", "The budget of $1 is spent.")
        span.fail("timeout", "A second word changes nothing.")

    span = finished()["task:t1"]
    assert span.attributes[names.ERROR_TYPE] == "budget_exceeded"
    assert span.status.description == "The budget of $1 is spent."
    assert span.events == ()


def test_a_group_of_exceptions_that_were_recorded_is_not_recorded_again(finished):
    async def call():
        with traced_llm_call("m", "generate"):
            raise InvalidOutput("It is empty.")

    async def run():
        with traced_run("p1"):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(call())

    with pytest.raises(ExceptionGroup):
        asyncio.run(run())

    root = finished()["run_project"]
    assert root.attributes[names.ERROR_TYPE] == "invalid_output"
    assert root.events == ()


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


def test_a_task_links_to_the_tasks_it_depends_on(finished):
    with traced_task("t1", "writing") as first:
        pass
    with traced_task("t2", "writing", ("t1",), (first.get_span_context(),)):
        pass

    (link,) = finished()["task:t2"].links
    assert link.context.span_id == finished()["task:t1"].context.span_id
    assert link.attributes == {names.LINK_KIND: "depends_on"}


def test_a_resumed_run_links_to_the_root_it_takes_up(exported):
    with traced_run("p1") as earlier:
        pass
    with traced_run("p1", earlier.get_span_context()):
        pass

    first, second = exported.get_finished_spans()
    assert second.links[0].context.span_id == first.context.span_id
    assert second.parent is None


def test_links_to_what_was_opened_while_tracing_was_off_are_left_out(exported):
    configured = exported
    configure_tracing(TracingConfig())
    with traced_task("t1", "writing") as off:
        pass
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(configured))
    configure_tracing(TracingConfig(enabled=True), tracer_provider=provider)

    with traced_task("t2", "writing", ("t1",), (off.get_span_context(),)):
        pass

    assert configured.get_finished_spans()[0].links == ()


def test_the_callers_traceparent_is_the_parent_of_the_run(finished, monkeypatch):
    monkeypatch.setenv("TRACEPARENT", f"00-{'ab' * 16}-{'cd' * 8}-01")

    with traced_run("p1"), traced_task("t1", "writing"):
        pass

    root = finished()["run_project"]
    assert root.parent.span_id == int("cd" * 8, 16)
    assert finished()["task:t1"].context.trace_id == int("ab" * 16, 16)


def test_a_current_span_is_a_nearer_parent_than_traceparent(finished, monkeypatch):
    monkeypatch.setenv("TRACEPARENT", f"00-{'ab' * 16}-{'cd' * 8}-01")

    with get_tracer().start_as_current_span("host"), traced_run("p1"):
        pass

    assert finished()["run_project"].parent.span_id == finished()["host"].context.span_id


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


PROMPT = Prompt(system="Be brief.", text=f"The plan, with {KEY} in it.")
REPLY = Reply(
    text='He said "no".', usage=Usage(), served_model="m", finish_reason="stop", response_id=None
)


def content_with(capture, monkeypatch, variable=None):
    """What one call says with content captured in this way: on its span, and in its events."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    if variable is not None:
        monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", variable)
    cfg = TracingConfig(enabled=True, capture_content=capture)
    configure_tracing(cfg, tracer_provider=provider)

    with traced_llm_call("m", "generate") as span:
        record_content(span, PROMPT, REPLY)

    (call,) = exporter.get_finished_spans()
    return call.attributes, [event.name for event in call.events]


@pytest.mark.parametrize(
    ("capture", "variable", "on_span", "in_event"),
    [
        (None, None, False, False),
        ("SPAN_ONLY", None, True, False),
        ("EVENT_ONLY", None, False, True),
        ("SPAN_AND_EVENT", "NO_CONTENT", True, True),
        (None, "span_only", True, False),
        (None, "everything", False, False),
        ("NO_CONTENT", "SPAN_ONLY", False, False),
    ],
)
def test_content_is_recorded_where_the_user_asked_for_it(
    capture, variable, on_span, in_event, monkeypatch
):
    attributes, events = content_with(capture, monkeypatch, variable)

    assert (names.GEN_AI_INPUT_MESSAGES in attributes) is on_span
    assert (names.EVENT_CONTENT in events) is in_event


def test_content_is_json_with_its_keys_redacted(monkeypatch):
    attributes, _ = content_with("SPAN_ONLY", monkeypatch)

    assert json.loads(attributes[names.GEN_AI_SYSTEM_INSTRUCTIONS]) == [
        {"type": "text", "content": "Be brief."}
    ]
    assert json.loads(attributes[names.GEN_AI_INPUT_MESSAGES]) == [
        {
            "role": "user",
            "parts": [{"type": "text", "content": "The plan, with [redacted] in it."}],
        }
    ]
    assert json.loads(attributes[names.GEN_AI_OUTPUT_MESSAGES]) == [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": 'He said "no".'}],
            "finish_reason": "stop",
        }
    ]


def test_recording_content_while_tracing_is_off_does_nothing():
    configure_tracing(TracingConfig())

    with traced_llm_call("m", "generate") as span:
        record_content(span, PROMPT, REPLY)

    assert not span.is_recording()


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdef1234567890",
        "sk-ant-api03-abcdef_1234",
        "AIzaSyA1234567890abcdefghijk",
        "xai-abcdef123456",
        "gsk_abcdef123456",
        "ghp_abcdef123456ABCDEF",
        "github_pat_11ABCDE_abcdef",
        "hf_abcdefghijkl",
        "eyJhbGciOiJIUzI1.eyJzdWIiOiIx.c2lnbmF0dXJl",
    ],
)
def test_a_key_is_redacted_wherever_it_stands(secret):
    for text in (secret, f"it is {secret}.", f"({secret})", f'"{secret}",'):
        assert secret not in redact(text)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer [redacted]"),
        ("https://h/v1?key=abcdef123&x=1", "https://h/v1?key=[redacted]&x=1"),
        ('{"api_key": "abcdef123"}', '{"api_key": "[redacted]"}'),
        ("http://me:pass@host/path", "http://[redacted]@host/path"),
        ("traces to me:pass@host:4317, again", "traces to me:[redacted]@host:4317, again"),
    ],
)
def test_what_names_a_key_stays(text, left):
    assert redact(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "Budget of $1.00 is spent.",
        "The task asks for key features: speed.",
        "risk-averse models, task-1234567",
        "8,192 tokens: too many",
        "",
    ],
)
def test_plain_sentences_are_left_alone(text):
    assert redact(text) == text
