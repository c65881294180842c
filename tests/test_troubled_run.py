"""A whole command amid trouble: some are forbidden, one is busy, one fails half its calls."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.cli import main
from pytest_otel_spans import SpanCapture, SpanPattern, assert_span_tree, span
from tests.aimock import KEY, Aimock
from tests.trouble import FIXTURES, statuses, written


@pytest.fixture
def servers(aimock: Callable[..., Aimock]) -> dict[str, Aimock]:
    return {name: aimock(*fixtures) for name, fixtures in FIXTURES.items()}


@pytest.fixture
def files(servers: dict[str, Aimock], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The flags that name the catalogue, the policies and the state directory."""
    monkeypatch.setenv("AIMOCK_KEY", KEY)
    return written(tmp_path, servers)


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
