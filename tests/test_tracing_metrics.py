"""Metrics of model calls: only where they are collected, and then of every call."""

import json
from textwrap import dedent
from typing import Any

from tests.processes import fresh

SETTING = """
import asyncio, json, sys
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from orchestrator.errors import ProviderError
from tests.stories import Script, cast, stage


def run(ann, bob, sampler=ALWAYS_ON):
    kept = InMemorySpanExporter()
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    configure_tracing(TracingConfig(enabled=True), tracer_provider=provider)

    async def go():
        async with stage(cast(ann=Script(**ann), bob=Script(**bob))) as orchestrator:
            await orchestrator.run_project("Make it", project_id="p1")

    asyncio.run(go())
    return kept.get_finished_spans()


def tell(reader, spans):
    data = reader.get_metrics_data()
    points = [
        {
            "metric": metric.name,
            "unit": metric.unit,
            "labels": dict(point.attributes),
            "count": point.count,
            "sum": point.sum,
            "bounds": list(point.explicit_bounds),
        }
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        if scope.scope.name == "orchestrator"
        for metric in scope.metrics
        for point in metric.data.data_points
    ]
    print(json.dumps([points, len(spans)]))


reader = InMemoryMetricReader()
"""


def told(code: str) -> tuple[list[dict[str, Any]], int]:
    """The points that were collected, and the number of spans."""
    done = fresh(f"{SETTING}{dedent(code)}")
    assert done.returncode == 0, done.stderr
    points, spans = json.loads(done.stdout)
    return points, spans


def test_every_call_is_measured_as_the_conventions_say():
    points, _ = told("""
        metrics.set_meter_provider(MeterProvider([reader]))
        tell(reader, run({}, {}))
    """)

    duration = [point for point in points if point["metric"] == "gen_ai.client.operation.duration"]
    tokens = [point for point in points if point["metric"] == "gen_ai.client.token.usage"]
    assert len(points) == len(duration) + len(tokens)
    assert {point["unit"] for point in duration} == {"s"}
    assert {point["unit"] for point in tokens} == {"{token}"}
    assert sum(point["count"] for point in duration) == 5
    # Every answer of a scripted model is said to have taken 100 tokens, and to have 20.
    assert {
        (point["labels"]["gen_ai.request.model"], point["labels"]["gen_ai.token.type"]): (
            point["count"],
            point["sum"],
        )
        for point in tokens
    } == {
        ("ann", "input"): (3, 300),
        ("ann", "output"): (3, 60),
        ("bob", "input"): (2, 200),
        ("bob", "output"): (2, 40),
    }
    assert {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "ann_inc",
        "gen_ai.request.model": "ann",
        "gen_ai.response.model": "m-2026",
    } in [point["labels"] for point in duration]
    assert duration[0]["bounds"][:3] == [0.01, 0.02, 0.04]
    assert duration[0]["bounds"][-1] == 81.92
    assert tokens[0]["bounds"][-1] == 67108864


def test_calls_of_a_run_that_is_not_sampled_are_measured_all_the_same():
    points, spans = told("""
        metrics.set_meter_provider(MeterProvider([reader]))
        tell(reader, run({}, {}, ALWAYS_OFF))
    """)

    counts = [point["count"] for point in points if point["unit"] == "s"]
    assert (spans, sum(counts)) == (0, 5)


def test_a_call_that_failed_is_measured_with_the_code_of_its_failure():
    points, _ = told("""
        metrics.set_meter_provider(MeterProvider([reader]))
        refused = ProviderError("No.", code="authentication", retryable=False, status_code=401)
        tell(reader, run({"generate": refused}, {}, ALWAYS_OFF))
    """)

    failed = [point for point in points if "error.type" in point["labels"]]
    assert [(point["unit"], point["labels"]["error.type"]) for point in failed] == [
        ("s", "authentication")
    ]


def test_a_duration_is_in_seconds_and_holds_the_waits_between_attempts():
    points, _ = told("""
        metrics.set_meter_provider(MeterProvider([reader]))
        limited = ProviderError(
            "Slow down.", code="rate_limit_exceeded", retryable=True, retry_after_s=2.0
        )
        tell(reader, run({"generate": [limited, "Made it."]}, {}))
    """)

    assert sum(point["sum"] for point in points if point["unit"] == "s") == 2.0


def test_a_call_that_nothing_was_sent_for_is_not_measured():
    points, _ = told("""
        metrics.set_meter_provider(MeterProvider([reader]))
        provider = TracerProvider(shutdown_on_exit=False)
        configure_tracing(TracingConfig(enabled=True), tracer_provider=provider)
        with traced_llm_call("m", "generate"), traced_llm_call("m", "generate", cached=True):
            pass
        tell(reader, ())
    """)

    assert points == []


def test_without_a_meter_provider_nothing_is_measured():
    points, spans = told("""
        spans = run({}, {})
        metrics.set_meter_provider(MeterProvider([reader]))
        tell(reader, spans)
    """)

    assert points == []
    assert spans > 5


def test_a_meter_provider_that_makes_no_histograms_does_not_harm_the_run():
    points, spans = told("""
        class Broken:
            __hash__ = None

            def get_meter(self, name):
                raise RuntimeError("broken")

        metrics.set_meter_provider(Broken())
        tell(reader, run({}, {}))
    """)

    assert points == []
    assert spans > 5
