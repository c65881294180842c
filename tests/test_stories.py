"""Every story that a run can be, its whole tree in a file: `__snapshots__/test_stories/`.

When a change of the code changes a tree, `pytest` shows where, `pytest --snapshot-update` accepts
it, and the pull request shows the lines.
"""

import asyncio
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from orchestrator.budget import Budget
from orchestrator.errors import ProviderError
from orchestrator.models import RunStatus, Settings, Usage
from orchestrator.policies import Policy, Rules
from pytest_otel_spans import OtlpCapture, SpanCapture, SpanSnapshot, span
from tests.fakes import reply
from tests.stories import Script, cast, critique, plan, score, stage

NO_POINTS = critique()  # nothing to revise: a call less


# Each failure is an exception of its own, as those of a provider are.
def refuse(_request):
    return ProviderError("No.", code="authentication", retryable=False, status_code=401)


def call_too_fast(_request):
    return ProviderError(
        "Too fast.", code="rate_limit_exceeded", retryable=True, retry_after_s=2.0, status_code=429
    )


def break_down(_request):
    return ProviderError("Down.", code="server_error", retryable=True, status_code=503)


async def tell(
    ann: Script, bob: Script | None = None, *, resuming: bool = False, **facts
) -> RunStatus:
    """Run the project of a story, which ann writes and bob reviews; return how it ended."""
    async with stage(cast(ann=ann, bob=bob or Script(critique=NO_POINTS)), **facts) as orchestrator:
        if resuming:
            state = await orchestrator.resume_project("p1")
        else:
            state = await orchestrator.run_project("Make it", "short", project_id="p1")
    return state.status


async def test_a_clean_run(traced: SpanCapture, span_snapshot: SpanSnapshot):
    two_tasks = plan(("a", []), ("b", ["a"]), validators=["length"])
    long_enough = "A title, and below it more words than a text must have. " * 9

    status = await tell(Script(decompose=two_tasks, revise=long_enough), Script())

    assert status is RunStatus.SUCCESS
    assert traced == span_snapshot


async def test_concurrent_tasks(traced: SpanCapture, span_snapshot: SpanSnapshot):
    together = asyncio.Barrier(2)

    async def meet(_request):
        await together.wait()
        return "Both are writing."

    run = tell(Script(decompose=plan(("a", []), ("b", [])), generate=meet))
    status = await asyncio.wait_for(run, timeout=10)

    assert status is RunStatus.SUCCESS
    assert traced.all("task:*").max_parallel == 2
    assert traced == span_snapshot(unordered=["run_project"])


async def test_a_retry(traced: SpanCapture, span_snapshot: SpanSnapshot):
    status = await tell(Script(generate=[call_too_fast, "Made it."]))

    assert status is RunStatus.SUCCESS
    assert traced == span_snapshot


async def test_a_fallback(traced: SpanCapture, span_snapshot: SpanSnapshot):
    status = await tell(Script(generate=refuse))

    assert status is RunStatus.SUCCESS
    assert traced == span_snapshot


async def test_a_model_that_is_left_alone(traced: SpanCapture, span_snapshot: SpanSnapshot):
    status = await tell(Script(generate=break_down))

    assert status is RunStatus.SUCCESS
    assert traced.one(span("llm_call:*").event("orchestrator.circuit_breaker"))
    assert traced == span_snapshot


async def test_policies_that_leave_nobody(traced: SpanCapture, span_snapshot: SpanSnapshot):
    # The draft fits under the ceiling; with what it cost, no reviewer does any more.
    cheap = Policy(name="cheap", rules=Rules(max_cost_per_task_usd=0.0041))

    status = await tell(Script(), policies=[cheap])

    assert status is RunStatus.FAILED
    assert traced == span_snapshot


async def test_a_policy_that_bars_a_model(traced: SpanCapture, span_snapshot: SpanSnapshot):
    no_ann = Policy(name="no ann", rules=Rules(blocked_models=("ann",)))

    status = await tell(Script(), policies=[no_ann])

    assert status is RunStatus.SUCCESS
    assert traced == span_snapshot


async def test_a_remediation_that_works(traced: SpanCapture, span_snapshot: SpanSnapshot):
    status = await tell(Script(generate=["", "This time a text."]))

    assert status is RunStatus.SUCCESS
    assert traced == span_snapshot


async def test_a_remediation_that_does_not_work(traced: SpanCapture, span_snapshot: SpanSnapshot):
    status = await tell(Script(generate=""), Script(generate=""))

    assert status is RunStatus.FAILED
    assert traced == span_snapshot


async def test_a_score_below_the_threshold(traced: SpanCapture, span_snapshot: SpanSnapshot):
    poor = Script(critique=NO_POINTS, evaluate=score(0.3))

    status = await tell(Script(), poor, settings=Settings(max_iterations=1))

    assert status is RunStatus.COMPLETED_DEGRADED
    assert traced == span_snapshot


async def test_a_failed_task_that_skips_another(traced: SpanCapture, span_snapshot: SpanSnapshot):
    refusing = Script(decompose=plan(("a", []), ("b", ["a"])), generate=refuse)

    status = await tell(refusing, refusing)

    assert status is RunStatus.FAILED
    assert traced == span_snapshot


async def test_an_exhausted_budget(traced: SpanCapture, span_snapshot: SpanSnapshot):
    # The draft leaves less than the worst case of its revision, with its 4,096 tokens of output.
    long_draft = reply("A long draft.", usage=Usage(input_tokens=100, output_tokens=4000))

    status = await tell(
        Script(decompose=plan(("a", []), ("b", ["a"])), generate=long_draft),
        budget=Budget(max_usd=Decimal("0.008")),
    )

    assert status is RunStatus.BUDGET_EXHAUSTED
    assert traced == span_snapshot


async def test_a_cancelled_run(traced: SpanCapture, span_snapshot: SpanSnapshot):
    is_writing = asyncio.Event()

    async def write_for_ever(_request):
        is_writing.set()
        await asyncio.Event().wait()

    run = asyncio.create_task(tell(Script(generate=write_for_ever)))
    await is_writing.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert traced == span_snapshot


async def test_a_resumed_run(traced: SpanCapture, span_snapshot: SpanSnapshot, tmp_path: Path):
    is_reviewing = asyncio.Event()

    async def review_for_ever(_request):
        is_reviewing.set()
        await asyncio.Event().wait()

    two_tasks = plan(("a", []), ("b", ["a"]))
    slow = Script(critique=[NO_POINTS, review_for_ever])
    run = asyncio.create_task(tell(Script(decompose=two_tasks), slow, state_dir=tmp_path))
    await is_reviewing.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    status = await tell(Script(), resuming=True, state_dir=tmp_path)

    assert status is RunStatus.SUCCESS
    assert traced == span_snapshot


async def test_a_replayed_run(traced: SpanCapture, span_snapshot: SpanSnapshot, tmp_path: Path):
    await tell(Script(), state_dir=tmp_path)
    traced.clear()

    async with stage(cast(ann=Script(), bob=Script()), state_dir=tmp_path) as orchestrator:
        state = await orchestrator.replay_project("p1")

    assert state.status is RunStatus.SUCCESS
    assert traced == span_snapshot


def test_a_run_over_the_wire(otlp_spans: OtlpCapture, span_snapshot: SpanSnapshot, tmp_path: Path):
    env = {key: value for key, value in otlp_spans.env().items() if not key.endswith("_API_KEY")}
    command = [sys.executable, "-m", "orchestrator", "--project", "Build a rate limiter library"]
    options = ["--project-id", "p1", "--max-tasks", "2", "--threshold", "0.5"]
    tracing = ["--tracing", "--otlp-endpoint", otlp_spans.endpoint]

    command += [*options, *tracing]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, check=False)

    assert done.returncode == 0, done.stderr.decode()
    # How much the offline models write, and how well, may change while the schema stands; and
    # whether what they wrote is run depends on the machine.
    written = {"tokens_*": int, "*.usage.*_tokens": int, "*.score*": float}
    written |= {"*.validation.passed": bool, "*.validation.outcome": str}
    assert otlp_spans == span_snapshot(mask=written)
