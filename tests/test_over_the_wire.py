"""The command line in a process of its own, seen by the spans that it exports."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry import trace

from orchestrator.state_dir import ENVIRON
from orchestrator.tracing.config import DEFAULT_SERVICE_NAME
from pytest_otel_spans import SpanCapture, assert_span_tree, span
from pytest_otel_spans.receiving.otlp import OtlpCapture
from tests.span_contract import keeps_its_promises

TRACED = ("--tracing", "--otlp-endpoint")


@pytest.fixture(autouse=True)
def _no_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run where nothing is configured: on the offline models."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "ORCHESTRATOR_")) and name != ENVIRON:
            monkeypatch.delenv(name)


def run_project(env: dict[str, str], *arguments: str) -> None:
    command = (sys.executable, "-m", "orchestrator", "--project", "Build a rate limiter library")
    subprocess.run([*command, *arguments], env=env, check=True, timeout=60, capture_output=True)


def test_a_run_arrives_as_one_tree(otlp_spans: OtlpCapture) -> None:
    run_project(otlp_spans.env(), *TRACED, otlp_spans.endpoint)

    assert_span_tree(
        otlp_spans,
        span(
            "run_project",
            {"status": "SUCCESS", "orchestrator.tasks.failed": 0},
            span("decompose", span("policy_check"), span("llm_call:decompose", kind="client")),
            span("task:*", ...).descendant("llm_call:generate").at_least(1),
        ).ok(),
    )
    run = otlp_spans.one("run_project")
    assert otlp_spans.all("llm_call:*").sum("tokens_in") == run["orchestrator.usage.input_tokens"]
    assert otlp_spans.services == (DEFAULT_SERVICE_NAME,)


def test_what_arrives_is_what_the_schema_promises(otlp_spans: OtlpCapture) -> None:
    run_project(otlp_spans.env(), *TRACED, otlp_spans.endpoint)

    assert keeps_its_promises(otlp_spans)


def test_the_environment_alone_says_where_to_export(otlp_spans: OtlpCapture) -> None:
    run_project(otlp_spans.env(), "--tracing")

    assert_span_tree(otlp_spans, span("run_project", ...))


def test_a_run_hangs_under_the_span_of_its_caller(
    otlp_spans: OtlpCapture, spans: SpanCapture
) -> None:
    with trace.get_tracer("caller").start_as_current_span("the caller"):
        run_project(otlp_spans.env(), *TRACED, otlp_spans.endpoint)

    assert_span_tree(otlp_spans, span("the caller", span("run_project", ...)))


def test_without_tracing_nothing_is_exported(otlp_spans: OtlpCapture) -> None:
    run_project(otlp_spans.env())

    otlp_spans.assert_empty()
