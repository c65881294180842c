"""What was said to a model and answered: recorded where the user asked for it, and nowhere else."""

import json

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from orchestrator import spans as names
from orchestrator.models import Prompt, Reply, Usage
from orchestrator.tracing import TracingConfig, configure_tracing, record_content, traced_llm_call
from orchestrator.tracing.content import LONGEST

pytestmark = pytest.mark.usefixtures("tracing_off")

KEY = "sk-proj-abcdef1234567890"
PROMPT = Prompt(system="Be brief.", text=f"The plan, with {KEY} in it.")
REPLY = Reply(
    text='He said "no".', usage=Usage(), served_model="m", finish_reason="stop", response_id=None
)


def content_with(capture, monkeypatch, variable=None, prompt=PROMPT):
    """What one call says with content captured in this way: on its span, and in its events."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    if variable is not None:
        monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", variable)
    cfg = TracingConfig(enabled=True, capture_content=capture)
    configure_tracing(cfg, tracer_provider=provider)

    with traced_llm_call("m", "generate") as span:
        record_content(span, prompt, REPLY)

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


def test_a_long_text_is_cut_where_no_half_of_a_key_is_left(monkeypatch):
    room = LONGEST - len(KEY) // 2
    prompt = Prompt(system="", text=f"{'word ' * (room // 5)}{KEY} and on")

    attributes, _ = content_with("SPAN_ONLY", monkeypatch, prompt=prompt)

    (message,) = json.loads(attributes[names.GEN_AI_INPUT_MESSAGES])
    (part,) = message["parts"]
    assert len(part["content"]) == LONGEST
    assert "sk-" not in part["content"]


def test_recording_content_while_tracing_is_off_does_nothing():
    configure_tracing(TracingConfig())

    with traced_llm_call("m", "generate") as span:
        record_content(span, PROMPT, REPLY)

    assert not span.is_recording()
