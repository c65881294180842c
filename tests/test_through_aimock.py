"""The whole command against model servers that nobody here wrote, its spans taken off the wire."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_otel_spans import SpanPattern, assert_span_tree, span
from tests.aimock import KEY, Aimock
from tests.stories import critique, plan, score

USAGE = {"prompt_tokens": 120, "completion_tokens": 30, "total_tokens": 150}
TOO_FAST = {"error": {"message": "slow down", "type": "rate_limit"}, "status": 429}


def answer(asked: str, content: str, **match: Any) -> dict[str, Any]:
    return {
        "match": {"userMessage": asked} | match,
        "response": {"content": content, "usage": USAGE},
    }


FIXTURES = (
    answer('{"tasks"', plan(("a", []), ("b", ["a"]))),
    {
        "match": {"userMessage": "Carry out the task", "sequenceIndex": 0},
        "response": TOO_FAST | {"retryAfter": 0},
    },
    answer("Carry out the task", "A first draft."),
    answer('{"points"', critique("It lacks a title.")),
    answer("Revise the draft", "A title, and a better draft."),
    answer('{"reason"', score(0.9)),
)


@pytest.fixture
def catalogue(aimock: Callable[..., Aimock], tmp_path: Path) -> tuple[list[Aimock], Path]:
    servers = [aimock(*FIXTURES), aimock(*FIXTURES)]
    entries = [
        {
            "id": f"model-{index}",
            "provider": f"vendor-{index}",
            "api": "openai",
            "base_url": server.base_url,
            "key_env": "AIMOCK_KEY",
            "quality": 0.9 - index / 10,
            "price": {"input": 1.5, "output": 6},
        }
        for index, server in enumerate(servers)
    ]
    path = tmp_path / "models.yaml"
    path.write_text(yaml.safe_dump({"models": entries}), encoding="utf-8")
    return servers, path


def orchestrate(
    models: Path, *flags: str, key: str = KEY, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "orchestrator", "--project", "Make it", "--quiet"),
            *("--models", str(models), *flags),
        ],
        check=False,
        env=(env or dict(os.environ)) | {"AIMOCK_KEY": key},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_requests_at_the_servers_are_the_attempts_on_the_spans_and_cost_is_one_number(
    catalogue, otlp_spans
):
    servers, models = catalogue

    done = orchestrate(
        models,
        *("--json", "--tracing", "--otlp-endpoint", otlp_spans.endpoint),
        env=otlp_spans.env(),
    )

    assert done.returncode == 0, done.stderr
    work = (
        span("policy_check"),
        span("llm_call:generate", {"model": "model-0"}, kind="client").ok(),
        span("policy_check"),
        span("llm_call:critique", {"model": "model-1"}, kind="client").ok(),
        span("llm_call:revise", {"model": "model-0"}, kind="client").ok(),
        span("llm_call:evaluate", {"model": "model-1"}, kind="client").ok(),
    )
    assert_span_tree(
        otlp_spans,
        span(
            "run_project",
            {"status": "SUCCESS"},
            span("decompose", span("policy_check"), span("llm_call:decompose")),
            span("task:t1", *work),
            span("task:t2", *work),
        ),
        wait=5,
    )
    calls = otlp_spans.all("llm_call:*")
    assert sum(len(server.journal()) for server in servers) == calls.sum(
        "orchestrator.llm.attempts"
    )
    assert calls.sum("orchestrator.llm.attempts") == calls.count + 1
    cost = sum(Decimal(repr(value)) for value in calls.values("cost_usd"))
    assert cost == calls.count * (120 * Decimal("1.5") + 30 * 6) / 1_000_000
    assert otlp_spans.one("run_project")["total_cost_usd"] == float(cost)
    assert json.loads(done.stdout)["total_cost_usd"] == float(cost)


def test_the_printed_table_shows_the_same_cost(catalogue):
    _, models = catalogue

    done = orchestrate(models)

    assert done.returncode == 0, done.stderr
    # Nine calls at 0.00036.
    (total,) = [line for line in done.stdout.splitlines() if line.startswith("| total")]
    assert "$0.0032" in total


def test_a_wrong_key_fails_the_run_with_the_name_of_its_variable(catalogue):
    _, models = catalogue

    done = orchestrate(models, key="sk-wrong-0123456789abcdef")

    assert done.returncode == 1
    assert "AIMOCK_KEY" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "sk-wrong" not in done.stdout + done.stderr


VENDORS: dict[str, tuple[str, str, str, dict[str, float], float]] = {
    "openai": ("gpt-a", "openai", "/v1", {"input": 2, "output": 10}, 0.9),
    "anthropic": ("claude-b", "anthropic", "", {"input": 4, "output": 20}, 0.8),
    "google": ("gemini-c", "gcp.gemini", "/v1beta", {"input": 0.75, "output": 3.75}, 0.7),
}
"""For each API a model, its provider, the version in its base URL, its price and its quality.

The planner and author is the first, the reviewer the second; the third steps in.
"""

TOO_MUCH = {"error": {"message": "I know your key", "type": "invalid_request_error"}, "status": 400}
CRITIC = [
    answer('{"points"', critique("It lacks a title."), sequenceIndex=0),
    {"match": {"userMessage": '{"points"', "sequenceIndex": 1}, "response": TOO_MUCH},
    answer('{"reason"', score(0.9)),
]


@pytest.fixture
def three_vendors(aimock: Callable[..., Aimock], tmp_path: Path) -> tuple[dict[str, Aimock], Path]:
    servers = {
        "openai": aimock(FIXTURES[0], FIXTURES[2], FIXTURES[4]),
        "anthropic": aimock(*CRITIC),
        "google": aimock(FIXTURES[3], FIXTURES[5]),
    }
    entries = [
        {
            "id": model,
            "provider": provider,
            "api": api,
            "key_env": "AIMOCK_KEY",
            "price": price,
            "quality": quality,
            "base_url": servers[api].origin + version,
        }
        for api, (model, provider, version, price, quality) in VENDORS.items()
    ]
    path = tmp_path / "models.yaml"
    path.write_text(yaml.safe_dump({"models": entries}), encoding="utf-8")
    return servers, path


def test_a_run_over_three_vendors_arrives_as_one_tree_and_costs_what_each_bills(
    three_vendors, otlp_spans
):
    servers, models = three_vendors

    done = orchestrate(
        models,
        *("--json", "--tracing", "--otlp-endpoint", otlp_spans.endpoint),
        env=otlp_spans.env(),
    )

    def call(call_type: str, api: str, **also: Any) -> SpanPattern:
        model, provider, _, price, _ = VENDORS[api]
        host, port = servers[api].origin.removeprefix("http://").split(":")
        said = {"tokens_in": 120, "tokens_out": 30} | also
        cost = (said["tokens_in"] * price["input"] + said["tokens_out"] * price["output"]) / 1e6
        told = {
            "model": model,
            "gen_ai.provider.name": provider,
            "cost_usd": cost,
            "server.address": host,
            "server.port": int(port),
        }
        return span(f"llm_call:{call_type}", told | said, kind="client")

    assert done.returncode == 0, done.stderr
    refused = {"tokens_in": 0, "tokens_out": 0, "error.type": "bad_request"}
    stands_in = {"orchestrator.fallback.from": "claude-b"}
    assert_span_tree(
        otlp_spans,
        span(
            "run_project",
            {"status": "SUCCESS", "total_cost_usd": 0.005265},
            span("decompose", span("policy_check"), call("decompose", "openai")),
            span(
                "task:t1",
                span("policy_check"),
                call("generate", "openai"),
                span("policy_check"),
                call("critique", "anthropic"),
                call("revise", "openai"),
                call("evaluate", "anthropic"),
            ),
            span(
                "task:t2",
                span("policy_check"),
                call("generate", "openai"),
                span("policy_check"),
                call("critique", "anthropic", **refused).error(),
                span(
                    "remediation",
                    {"strategy": "fallback_model", "success": True},
                    span("policy_check"),
                    call("critique", "google", **stands_in),
                ),
                call("revise", "openai"),
                call("evaluate", "google"),
            ),
        ),
        wait=5,
    )
    # Five calls at 0.00054, two at 0.00108 and two at 0.0002025: what a price list would say.
    assert json.loads(done.stdout)["total_cost_usd"] == 0.005265
    assert {api: len(server.journal()) for api, server in servers.items()} == {
        "openai": 5,
        "anthropic": 3,
        "google": 2,
    }
    assert "I know your key" not in done.stdout + done.stderr + str(otlp_spans)
