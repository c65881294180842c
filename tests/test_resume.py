"""Nothing paid twice, nothing lost: runs that are broken off, and what takes them up."""

import asyncio
from collections import Counter
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from orchestrator.audit import FILE_NAME
from orchestrator.budget import Budget
from orchestrator.engine import Orchestrator
from orchestrator.errors import InputError, ProviderError
from orchestrator.events import CallCompleted, Event, ProjectCompleted, RemediationTried
from orchestrator.journal import Shelf
from orchestrator.metrics import Meter
from orchestrator.models import ProjectState, Request, RunStatus, Settings, TaskStatus, Usage
from orchestrator.policies import Policy, Rules
from orchestrator.routing import GreedyBackend
from pytest_otel_spans import SpanCapture, SpanNode, span
from tests.fakes import ManualClock, Recorder, ScriptedProvider, Step, hang
from tests.span_contract import keeps_its_promises
from tests.stories import Script, asked, cast, critique, plan, score, stage

CHAIN = plan(("a", []), ("b", ["a"]), ("c", []))
DOWN = ProviderError("Down.", code="server_error", retryable=False, status_code=500)
CALLS = 21
"""What the whole run takes: a plan, two iterations of two tasks, and one of the task between."""
SCORES = 5


def a_cast() -> dict[str, ScriptedProvider]:
    """Two models that answer by what they are asked, so that any order gives the same texts."""
    return {name: ScriptedProvider(then=_answer) for name in ("ann", "bob")}


def _answer(request: Request) -> Step:
    """A text that depends on the question alone, as a deterministic model's does.

    Whoever reads no second try yet makes a first one, which is not good enough.
    """
    text = request.prompt.text
    which = "second" if "first try" in text or "second try" in text else "first"
    match request.call_type:
        case "decompose":
            return CHAIN
        case "critique":
            return critique(f"It lacks {len(text)}.")
        case "evaluate":
            return score(0.9 if "second try" in text else 0.5)
        case "revise":
            return f"A {which if 'second try' in text else 'first'} try, revised: {len(text)}"
        case "generate":
            return f"A {which} try: {len(text)}."


def requests(models: dict[str, ScriptedProvider]) -> int:
    return sum(len(each.requests) for each in models.values())


class Stop:
    """Answers as a model does until its turn comes: then it hangs until the run is cancelled."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.reached = asyncio.Event()
        self._asked = 0

    def __call__(self, request: Request) -> Any:
        self._asked += 1
        if self._asked > self.after:
            self.reached.set()
            return hang(request)
        return _answer(request)


async def broken_off(state_dir: Path, after: int, **facts: Any) -> dict[str, ScriptedProvider]:
    """A run that is cancelled while its calls after the first `after` are under way."""
    stop = Stop(after)
    models = {name: ScriptedProvider(then=stop) for name in ("ann", "bob")}
    orchestrator = stage(models, state_dir=state_dir, **facts)
    run = asyncio.create_task(orchestrator.run_project("Make it", "short", project_id="p1"))
    await stop.reached.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    return models


async def resumed(
    state_dir: Path, models: dict[str, ScriptedProvider], **facts: Any
) -> ProjectState:
    async with stage(models, state_dir=state_dir, **facts) as orchestrator:
        return await orchestrator.resume_project("p1")


async def whole(state_dir: Path) -> tuple[ProjectState, int]:
    models = a_cast()
    state = await stage(models, state_dir=state_dir).run_project(
        "Make it", "short", project_id="p1"
    )
    return state, requests(models)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def results(state: ProjectState) -> list[tuple[Any, ...]]:
    return [(each.task.id, each.status, each.output, each.score) for each in state.results]


@pytest.mark.parametrize("after", range(CALLS))
async def test_a_run_broken_off_anywhere_and_taken_up_ends_as_if_it_had_not_been(
    tmp_path: Path, after: int
) -> None:
    expected, uninterrupted = await whole(tmp_path / "whole")
    assert uninterrupted == CALLS
    before = await broken_off(tmp_path / "state", after)

    models = a_cast()
    state = await resumed(tmp_path / "state", models)

    assert results(state) == results(expected)
    assert state.status is expected.status
    assert after + requests(models) == uninterrupted
    under_way = requests(before) - after
    lost = state.estimated_cost_usd
    assert (lost > 0) is (under_way > 0)
    assert state.total_cost_usd == expected.total_cost_usd + lost
    assert state.calls == expected.calls + under_way


async def test_a_run_broken_off_again_and_again_pays_for_every_call_once(tmp_path: Path) -> None:
    expected, uninterrupted = await whole(tmp_path / "whole")
    await broken_off(tmp_path / "state", 2)
    paid = 2
    for _ in range(3):
        stop = Stop(3)
        models = {name: ScriptedProvider(then=stop) for name in ("ann", "bob")}
        run = asyncio.create_task(stage(models, state_dir=tmp_path / "state").resume_project("p1"))
        await stop.reached.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        paid += 3

    models = a_cast()
    state = await resumed(tmp_path / "state", models)

    assert results(state) == results(expected)
    assert paid + requests(models) == uninterrupted


async def test_how_long_a_project_took_is_the_sum_of_its_runs(tmp_path: Path) -> None:
    clock = ManualClock()

    def second(request: Request) -> Step:
        clock.advance(1)
        return _answer(request)

    models = {name: ScriptedProvider(then=second) for name in ("ann", "bob")}
    facts: dict[str, Any] = {"clock": clock, "settings": Settings(concurrency=1)}
    short = Budget(max_time_s=5)
    async with stage(models, budget=short, state_dir=tmp_path, **facts) as first:
        await first.run_project("Make it", "short", project_id="p1")
    for _ in range(2):
        await resumed(tmp_path, models, budget=short, **facts)

    state = await resumed(tmp_path, models, **facts)

    assert state.status is RunStatus.SUCCESS
    assert state.duration_s == requests(models)


async def test_what_is_finished_is_not_run_again_and_costs_nothing(tmp_path: Path) -> None:
    expected, _ = await whole(tmp_path)

    models = a_cast()
    state = await resumed(tmp_path, models)

    assert requests(models) == 0
    assert state == expected


async def test_a_taken_up_run_is_linked_to_the_one_before_it(
    traced: SpanCapture, tmp_path: Path
) -> None:
    await broken_off(tmp_path, 10, settings=Settings(concurrency=1))
    await resumed(tmp_path, a_cast())

    first, second = traced.all("run_project")
    assert [(link.target, dict(link.attributes)) for link in second.links] == [
        (first, {"orchestrator.link.kind": "resumed_from"})
    ]
    assert (first["orchestrator.resumed"], second["orchestrator.resumed"]) == (False, True)
    assert second["project_id"] == first["project_id"] == "p1"
    assert second["orchestrator.cost.cumulative_usd"] == pytest.approx(
        first["total_cost_usd"] + second["total_cost_usd"]
    )
    assert keeps_its_promises(traced)


async def test_a_task_is_linked_to_the_span_of_one_that_was_done_before(
    traced: SpanCapture, tmp_path: Path
) -> None:
    await broken_off(tmp_path, 10, settings=Settings(concurrency=1))
    await resumed(tmp_path, a_cast())

    done = traced.one("task:t1")
    reader = traced.one("task:t2")
    assert [link.target for link in reader.links] == [done]


async def test_what_was_answered_before_is_a_hit_that_costs_nothing(
    traced: SpanCapture, tmp_path: Path
) -> None:
    await broken_off(tmp_path, 2, settings=Settings(concurrency=1))

    await resumed(tmp_path, a_cast(), settings=Settings(concurrency=1))

    hits = traced.all(span("llm_call:*", kind="internal"))
    hits.each(
        span(
            "llm_call:generate",
            {
                "tokens_in": 0,
                "tokens_out": 0,
                "cost_usd": 0.0,
                "latency_ms": 0.0,
                "gen_ai.usage.input_tokens": 0,
                "gen_ai.usage.output_tokens": 0,
                "orchestrator.cache.hit": True,
                "orchestrator.cache.saved_input_tokens": 100,
                "orchestrator.cache.saved_output_tokens": 20,
                "orchestrator.cache.saved_usd": 0.00012,
            },
        ).ok()
    )
    (hit,) = hits
    assert [(each.name, dict(each.attributes)) for each in hit.events] == [
        ("orchestrator.cache.lookup", {"hit": True})
    ]


async def test_money_spent_before_counts_against_the_budget(tmp_path: Path) -> None:
    await broken_off(tmp_path, 9)

    models = a_cast()
    state = await resumed(tmp_path, models, budget=Budget(max_usd=Decimal("0.001")))

    assert state.status is RunStatus.BUDGET_EXHAUSTED
    assert requests(models) == 0


async def test_a_run_that_its_budget_ended_goes_on_with_more(tmp_path: Path) -> None:
    expected, uninterrupted = await whole(tmp_path / "whole")
    models = a_cast()
    short = await stage(
        models, state_dir=tmp_path / "state", budget=Budget(max_usd=Decimal("0.005"))
    ).run_project("Make it", "short", project_id="p1")
    assert short.status is RunStatus.BUDGET_EXHAUSTED

    more = a_cast()
    state = await resumed(tmp_path / "state", more, budget=Budget(max_usd=1))

    assert results(state) == results(expected)
    assert state.total_cost_usd == expected.total_cost_usd
    assert requests(models) + requests(more) == uninterrupted


async def test_what_failed_is_tried_anew(tmp_path: Path) -> None:
    down = {name: ScriptedProvider(then=Script(decompose=CHAIN, generate=DOWN)) for name in "ab"}
    failed = await stage(down, state_dir=tmp_path).run_project("Make it", project_id="p1")
    assert failed.status is RunStatus.FAILED

    up = {name: ScriptedProvider(then=_answer) for name in "ab"}
    state = await resumed(tmp_path, up)

    assert state.status is RunStatus.SUCCESS
    assert "decompose" not in [
        request.call_type for each in up.values() for request in each.requests
    ]


async def test_a_failure_within_an_unfinished_task_is_told_again_and_not_met_again(
    tmp_path: Path,
) -> None:
    """Its stand-in has answered, and is paid: asking the first model again would pay twice."""
    reached = asyncio.Event()

    async def stops(request: Request) -> Step:
        reached.set()
        return await hang(request)

    models = cast(ann=Script(generate=DOWN), bob=Script(), cyd=Script(critique=stops))
    run = asyncio.create_task(
        stage(models, state_dir=tmp_path).run_project("Make it", project_id="p1")
    )
    await reached.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    again = cast(ann=Script(), bob=Script(), cyd=Script())
    state = await resumed(tmp_path, again)

    assert state.status is RunStatus.SUCCESS
    assert asked(again["ann"]) == ["critique", "evaluate"] or "generate" not in asked(again["ann"])
    assert "generate" not in asked(again["bob"])


async def test_a_model_that_policies_forbid_now_is_not_told_again(tmp_path: Path) -> None:
    await broken_off(tmp_path, 3)
    ban = Policy(name="ban", rules=Rules(blocked_models=("ann",)))

    models = {**a_cast(), "cyd": ScriptedProvider(then=_answer)}
    state = await resumed(tmp_path, models, policies=(ban,))

    assert state.status is RunStatus.SUCCESS
    assert not models["ann"].requests
    assert {each.best.author for each in state.results if each.best} == {"bob"}


async def test_iterations_are_never_told_each_others_answers(tmp_path: Path) -> None:
    """The same words at two places are two calls."""
    await broken_off(tmp_path, 7, settings=Settings(concurrency=1))

    recorder = Recorder()
    models = a_cast()
    await resumed(tmp_path, models, hooks=[recorder], settings=Settings(concurrency=1))

    told = [each for each in recorder.of(CallCompleted) if each.is_retold]
    assert Counter(each.call_type for each in told) == {
        "generate": 2,
        "critique": 2,
        "revise": 1,
        "evaluate": 1,
    }


async def test_a_library_writes_no_file_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path))

    await stage(a_cast()).run_project("Make it")

    assert not files(tmp_path)


async def test_without_a_place_for_journals_nothing_can_be_taken_up() -> None:
    with pytest.raises(InputError, match="no state directory"):
        await stage(a_cast()).resume_project("p1")


async def test_a_replay_asks_nobody_and_comes_to_the_same(
    traced: SpanCapture, tmp_path: Path
) -> None:
    expected, _ = await whole(tmp_path)
    traced.clear()

    models = a_cast()
    state = await stage(models, state_dir=tmp_path).replay_project("p1")

    assert state == expected
    assert requests(models) == 0
    assert {each.kind for each in traced.all("llm_call:*")} == {"internal"}


async def test_a_replay_counts_nothing_and_keeps_no_verdict(tmp_path: Path) -> None:
    facts: dict[str, Any] = {
        "policies": (Policy(name="any", mode="monitor", rules=Rules(blocked_models=("bob",))),),
        "settings": Settings(max_iterations=1, threshold=0.95, validators={"writing": ("length",)}),
        "state_dir": tmp_path,
    }
    made, told, known = Meter(), Meter(), Recorder()
    async with stage(a_cast(), hooks=[made], **facts) as orchestrator:
        await orchestrator.run_project("Make it", project_id="p1")
    audit = (tmp_path / FILE_NAME).read_bytes()

    async with stage(a_cast(), hooks=[told, known], **facts) as orchestrator:
        before = {each: orchestrator.telemetry.profile(each) for each in ("ann", "bob")}
        await orchestrator.replay_project("p1")
        after = {each: orchestrator.telemetry.profile(each) for each in ("ann", "bob")}

    counted = {
        "runs",
        "tasks",
        "llm_calls",
        "attempt_score",
        "validations",
        "remediations",
        "policy_decisions",
    }
    assert {f"orchestrator_{name}" for name in counted} <= counts(made).keys()
    assert known.of(RemediationTried)
    assert counts(told) == {}
    assert after == before
    assert (tmp_path / FILE_NAME).read_bytes() == audit


async def test_a_replay_is_not_changed_by_what_was_measured_since(tmp_path: Path) -> None:
    quick = Policy(name="quick", rules=Rules(max_latency_ms=100))
    async with stage(a_cast(), state_dir=tmp_path, policies=(quick,)) as orchestrator:
        expected = await orchestrator.run_project("Make it", project_id="p1")
        for model in ("ann", "bob") * 50:
            orchestrator.telemetry(slow(model))

        assert await orchestrator.replay_project("p1") == expected


@pytest.mark.parametrize("after", range(1, CALLS, 2))
async def test_scores_that_are_told_again_are_counted_once(tmp_path: Path, after: int) -> None:
    meter, settings = Meter(), Settings(concurrency=1)
    await broken_off(tmp_path, after, hooks=[meter], settings=settings)
    models = a_cast()
    await resumed(tmp_path, models, hooks=[meter], settings=settings)

    scores = next(each for each in meter.families() if each.name == "orchestrator_attempt_score")
    assert sum(sample.buckets[-1] for sample in scores.samples) == SCORES


def counts(meter: Meter) -> dict[str, float]:
    return {
        family.name: sum(sample.value for sample in family.samples)
        for family in meter.families()
        if family.samples
    }


def slow(model: str) -> CallCompleted:
    return CallCompleted(
        project_id="another",
        call_type="generate",
        model=model,
        provider=f"{model}_inc",
        task_id="t1",
        usage=Usage(),
        cost_usd=Decimal(0),
        latency_ms=9_000,
        attempts=1,
    )


async def test_a_replays_spans_are_the_same_every_time(traced: SpanCapture, tmp_path: Path) -> None:
    await whole(tmp_path)

    def lines(root: SpanNode) -> list[tuple[str, dict[str, Any]]]:
        times = {"latency_ms", "orchestrator.queue_ms"}
        below = sorted(chain.from_iterable(map(lines, root.children)), key=repr)
        facts = {key: value for key, value in root.attributes.items() if key not in times}
        return [(root.name, facts), *below]

    for _ in range(2):
        await stage(a_cast(), state_dir=tmp_path).replay_project("p1")

    made, first, second = traced.all("run_project")
    assert lines(first) == lines(second)
    assert [name for name, _ in lines(first)] == [name for name, _ in lines(made)]


async def test_a_replay_of_a_run_that_was_broken_off_ends_where_it_ended(tmp_path: Path) -> None:
    await broken_off(tmp_path, 5)

    models = a_cast()
    state = await stage(models, state_dir=tmp_path).replay_project("p1")

    assert state.status is RunStatus.PARTIAL_SUCCESS
    assert requests(models) == 0
    assert TaskStatus.UNFINISHED in {each.status for each in state.results}


async def test_two_runs_of_one_orchestrator_keep_two_journals(tmp_path: Path) -> None:
    orchestrator: Orchestrator = stage(a_cast(), state_dir=tmp_path)

    one, two = await asyncio.gather(
        orchestrator.run_project("Make it", project_id="one"),
        orchestrator.run_project("Make that, and more of it", project_id="two"),
    )

    assert await orchestrator.replay_project("one") == one
    assert await orchestrator.replay_project("two") == two


@pytest.mark.parametrize("after", range(6, 20, 2))
async def test_a_run_that_changed_models_for_want_of_money_changes_them_again_when_told(
    tmp_path: Path, after: int
) -> None:
    """With more money nobody would have been changed: what the cheaper one wrote stays paid."""
    facts: Any = {
        "prices": {"ann": {"input": 10.0, "output": 10.0}, "bob": {"input": 0.1, "output": 0.1}},
        "settings": Settings(concurrency=1),
        "routing": GreedyBackend(),
    }
    before = await broken_off(tmp_path, after, budget=Budget(max_usd=0.05), **facts)
    models = a_cast()
    state = await resumed(tmp_path, models, budget=Budget(max_usd=10), **facts)

    assert state.status is RunStatus.SUCCESS
    assert "generate" in asked(before["bob"])  # who is cheaper had to step in
    answered = Counter(chain(*questions(before)))
    again = Counter(chain(*questions(models)))
    assert (answered & again).total() <= 1  # the one that was under way


def questions(models: dict[str, ScriptedProvider]) -> list[list[str]]:
    """What each was asked to write or plan."""
    return [
        [f"{each.call_type}: {each.prompt.text}" for each in provider.requests]
        for provider in models.values()
    ]


async def test_a_run_that_is_cancelled_in_its_last_moment_lets_go_of_its_journal(
    tmp_path: Path,
) -> None:
    def cancel(event: Event) -> None:
        if isinstance(event, ProjectCompleted):
            run.cancel()

    orchestrator = stage(a_cast(), state_dir=tmp_path, hooks=[cancel])
    run = asyncio.create_task(orchestrator.run_project("Make it", project_id="p1"))
    await asyncio.wait({run})

    assert run.cancelled()
    (project,) = Shelf(tmp_path).projects()
    assert not project.is_running
    assert project.history is not None
    assert project.history.state().status is RunStatus.SUCCESS
