"""A whole command amid trouble: some are forbidden, one is busy, one fails half its calls."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.cli import main
from pytest_otel_spans import SpanCapture, SpanPattern, assert_span_tree, span
from tests.aimock import KEY, Aimock
from tests.stories import critique, plan, score

USAGE = {"input_tokens": 120, "output_tokens": 30}
POLICIES = """
org:
  - name: not-by-google
    rules: {blocked_providers: [gcp.gemini]}
  - name: in-europe
    rules: {allowed_regions: [eu]}
"""


def says(asked: str, content: str, **match: Any) -> dict[str, Any]:
    return {
        "match": {"userMessage": asked} | match,
        "response": {"content": content, "usage": USAGE},
    }


def fails(asked: str, status: int, index: int) -> dict[str, Any]:
    """One request of those that ask so is refused, and may be made again at once."""
    error = {"error": {"message": "quotes the prompt", "type": "x"}, "status": status}
    return {
        "match": {"userMessage": asked, "sequenceIndex": index},
        "response": error | {"retryAfter": 0},
    }


BUSY = (  # every first request of a kind is one too many
    fails('{"tasks"', 429, 0),
    says('{"tasks"', plan(("a", []), ("b", ["a"]))),
    fails("Carry out the task", 429, 0),
    says("Carry out the task", "A first draft."),
    fails("Revise the draft", 429, 0),
    says("Revise the draft", "A title, and a better draft."),
)
SHAKY = tuple(  # every first request of two fails
    fixture
    for asked, content in (('{"points"', critique("It lacks a title.")), ('{"reason"', score(0.9)))
    for index in (0, 2)
    for fixture in (fails(asked, 500, index), says(asked, content, sequenceIndex=index + 1))
)
MODELS = {
    # model: server, provider, api, version of the base URL, region, price
    "writer": ("busy", "openai", "openai", "/v1", "eu", (2, 10)),
    "critic": ("shaky", "anthropic", "anthropic", "", "eu", (4, 20)),
    "gemini": ("forbidden", "gcp.gemini", "google", "/v1beta", "eu", (1, 1)),
    "kimi": ("forbidden", "moonshot_ai", "openai", "/v1", "cn", (1, 1)),
}


@pytest.fixture
def servers(aimock: Callable[..., Aimock]) -> dict[str, Aimock]:
    anything = {"match": {}, "response": {"content": "I was asked"}}
    return {"busy": aimock(*BUSY), "shaky": aimock(*SHAKY), "forbidden": aimock(anything)}


@pytest.fixture
def files(servers: dict[str, Aimock], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The flags that name the catalogue, the policies and the state directory."""
    monkeypatch.setenv("AIMOCK_KEY", KEY)
    entries = [
        {
            "id": model,
            "provider": provider,
            "api": api,
            "region": region,
            "key_env": "AIMOCK_KEY",
            "base_url": servers[server].origin + version,
            "price": {"input": price[0], "output": price[1]},
            # Those that are forbidden would be the best.
            "quality": 0.99 if server == "forbidden" else 0.8,
        }
        for model, (server, provider, api, version, region, price) in MODELS.items()
    ]
    (tmp_path / "models.yaml").write_text(yaml.safe_dump({"models": entries}), encoding="utf-8")
    (tmp_path / "policies.yaml").write_text(POLICIES, encoding="utf-8")
    return [
        *("--models", str(tmp_path / "models.yaml"), "--policies", str(tmp_path / "policies.yaml")),
        *("--state-dir", str(tmp_path / "state")),
    ]


def test_what_is_forbidden_is_never_asked_and_what_fails_is_asked_again(
    servers: dict[str, Aimock],
    files: list[str],
    tmp_path: Path,
    traced: SpanCapture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--project", "Make it", "--json", *files])

    state = json.loads(capsys.readouterr().out)
    assert (end.value.code, state["status"]) == (0, "SUCCESS")
    assert {name: statuses(server) for name, server in servers.items()} == {
        "busy": [429, 200, 429, 200, 429, 200, 200, 200],
        "shaky": [500, 200] * 4,
        "forbidden": [],
    }

    judged = span(
        "policy_check",
        {"passed": True, "orchestrator.policy.violated": ("blocked_providers", "allowed_regions")},
    )
    assert_span_tree(
        traced,
        span(
            "run_project",
            {"status": "SUCCESS", "total_cost_usd": 0.00702},
            span("decompose", judged, called("decompose", "writer", retry=429)),
            span(
                "task:t1",
                judged,
                called("generate", "writer", retry=429),
                judged,
                called("critique", "critic", retry=500),
                called("revise", "writer", retry=429),
                called("evaluate", "critic", retry=500),
            ),
            span(
                "task:t2",
                judged,
                called("generate", "writer"),
                judged,
                called("critique", "critic", retry=500),
                called("revise", "writer"),
                called("evaluate", "critic", retry=500),
            ),
        ),
    )
    # Five answers of the writer's at 0.00054 and four of the critic's at 0.00108.
    assert state["total_cost_usd"] == 0.00702
    assert "quotes the prompt" not in json.dumps(state) + str(traced)

    lines = (tmp_path / "state" / "audit.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["role"] for line in lines] == ["planner", *["author", "reviewer"] * 2]
    for line in lines:
        decided = json.loads(line)
        assert decided["allowed"] == ["writer", "critic"]


def statuses(server: Aimock) -> list[int]:
    """How the server answered, request by request."""
    return [entry["response"]["status"] for entry in server.journal()]


def called(call_type: str, model: str, *, retry: int | None = None) -> SpanPattern:
    """A call that was answered, if need be the second time."""
    pattern = span(
        f"llm_call:{call_type}",
        {"model": model, "orchestrator.llm.attempts": 1 if retry is None else 2},
        kind="client",
    )
    if retry is None:
        return pattern.ok()
    return pattern.ok().event("orchestrator.retry", {"http.response.status_code": retry})
