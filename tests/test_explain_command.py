"""`orchestrator explain` says who was looked at, what put whom out of the running, and why."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orchestrator.budget import Budget
from orchestrator.errors import ProviderError
from orchestrator.models import Settings
from orchestrator.policies import Policy, Rules
from tests.command_line import Run
from tests.stories import Script, cast, plan, stage

Explain = Callable[..., str]
NO_CYD = Policy(name="no cyd", rules=Rules(blocked_providers=("cyd_inc",)))
DOWN = ProviderError("Set ANN_KEY.", code="authentication", retryable=False, status_code=401)


@pytest.fixture
def explain(command_line: Run, tmp_path: Path) -> Explain:
    def command(*args: str, code: int = 0) -> str:
        done = command_line("explain", *args, "--state-dir", str(tmp_path))
        assert done.code == code
        return done.out if code == 0 else done.err

    return command


async def run(tmp_path: Path, **facts: Any) -> None:
    models = cast(ann=Script(decompose=plan(("a", []))), bob=Script(), cyd=Script(), dan=Script())
    models |= facts.pop("models", {})
    usual: dict[str, Any] = {"policies": [NO_CYD], "settings": Settings(max_iterations=1)}
    async with stage(models, state_dir=tmp_path, **(usual | facts)) as orchestrator:
        await orchestrator.run_project("Make it", project_id="p1")


async def test_every_choice_is_explained_with_its_candidates(
    explain: Explain, tmp_path: Path
) -> None:
    dear = {"dan": {"input": 1_000_000, "output": 1_000_000}}
    await run(tmp_path, prices=dear, budget=Budget(max_usd=Decimal(1)))

    said = explain("p1")

    assert said.startswith(
        "# Who was chosen, and why: Make it\n\n## Planning\n\n**planner: ann**. "
    )
    _, _, author, reviewer = said.split("\n\n**")
    assert (
        "'ann' is the best of 2: quality 0.90, $0.0040 a call, no latency measured yet;" in author
    )
    rows = {row.split("|")[1].strip(): row.split("|")[-2].strip() for row in author.splitlines()
            if row.startswith("| ")}  # fmt: skip
    assert rows == {
        "model": "verdict",
        "ann": "chosen",
        "bob": "not the best: 'ann' is at least as good in everything",
        "cyd": "out by policy: blocked_providers of policy 'no cyd': its provider is cyd_inc",
        "dan": rows["dan"],
    }
    assert rows["dan"].startswith("out by the budget: a call may cost $")
    assert "| ann   | ann_inc  |" in reviewer
    assert "out as a judge: it is the author" in reviewer


async def test_for_programs_there_is_one_document_in_the_order_of_events(
    explain: Explain, tmp_path: Path
) -> None:
    await run(tmp_path)

    document = json.loads(explain("p1", "--json"))

    assert {key: document[key] for key in ("version", "project_id", "project")} == {
        "version": 1,
        "project_id": "p1",
        "project": "Make it",
    }
    assert [(each["task_id"], each["role"], each["model"]) for each in document["decisions"]] == [
        (None, "planner", "ann"),
        ("t1", "author", "ann"),
        ("t1", "reviewer", "bob"),
    ]
    _, author, _ = document["decisions"]
    assert (author["routing"], author["error_type"]) == ("pareto", None)
    first, _, cyd, _ = author["candidates"]
    assert first == {
        "model": "ann",
        "provider": "ann_inc",
        "quality": 0.9,
        "latency_ms": None,
        "cost_usd": pytest.approx(0.004, rel=1),
        "score": pytest.approx(0.9, rel=0.1),
        "barred_by": None,
        "why": "",
    }
    assert (cyd["barred_by"], cyd["score"]) == ("policy", None)


async def test_a_choice_that_came_to_nothing_is_explained_too(
    explain: Explain, tmp_path: Path
) -> None:
    refusing = cast(ann=Script(decompose=plan(("a", []), ("b", [])), generate=DOWN))
    everybody = Policy(name="only ann", mode="hard", rules=Rules(allowed_models=("ann",)))
    await run(
        tmp_path,
        models=refusing,
        policies=[everybody],
        settings=Settings(concurrency=1, max_iterations=1),
    )

    said = explain("p1")

    assert "**fallback: nobody**. Policies leave no model to serve as fallback" in said
    assert "out: it did not do before" in said
    assert "**author: nobody**. No model is left to serve as author. Set ANN_KEY." in said
    assert "out without a key: Set ANN_KEY." in said


def test_a_run_that_nobody_knows_is_one_sentence(explain: Explain) -> None:
    assert "There is no journal of a project 'nobody'" in explain("nobody", code=2)
