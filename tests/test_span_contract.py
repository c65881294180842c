"""Runs of every kind, each exported span held against the schema; and nothing leaks."""

import asyncio
import logging
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from orchestrator.budget import Budget
from orchestrator.errors import ProviderError
from orchestrator.models import Request, RunStatus, Settings, Usage
from orchestrator.policies import Policy, Rules
from orchestrator.tracing import traced_llm_call, traced_run, traced_task
from pytest_otel_spans import SpanCapture, SpanSchemaMismatch, assert_span_tree, span
from tests.fakes import ManualClock, reply
from tests.span_contract import REGISTRY, broken_promises, keeps_its_promises
from tests.stories import Script, cast, critique, plan, score, stage

REFUSED = ProviderError("No.", code="authentication_failed", retryable=False, status_code=401)
TOO_FAST = ProviderError(
    "Too fast.", code="rate_limit_exceeded", retryable=True, retry_after_s=2.0, status_code=429
)
CHAIN = plan(("a", []), ("b", ["a"]), ("c", []))

CLOCK = ManualClock()


def take_long(_request: Request) -> str:
    CLOCK.advance(2)
    return "Late."


LONG = "A title, and below it more words than a text must have. " * 9

# How each of them ends is checked too: a story that no longer tells what it says holds nothing.
STORIES: dict[str, tuple[RunStatus, dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "success": (RunStatus.SUCCESS, {}, {}, {}),
    "tasks that depend on each other": (RunStatus.SUCCESS, {"decompose": CHAIN}, {}, {}),
    "a validator that is content": (
        RunStatus.SUCCESS,
        {"decompose": plan(("a", []), validators=["length"]), "revise": LONG},
        {},
        {},
    ),
    "a validator that is not": (
        RunStatus.FAILED,
        {"decompose": plan(("a", []), validators=["length"])},
        {},
        {},
    ),
    "two iterations": (RunStatus.SUCCESS, {}, {"evaluate": [score(0.4), score(0.9)]}, {}),
    "degraded": (
        RunStatus.COMPLETED_DEGRADED,
        {"evaluate": score(0.3)},
        {"evaluate": score(0.3)},
        {},
    ),
    "nothing to revise": (RunStatus.SUCCESS, {}, {"critique": critique()}, {}),
    "a retry": (RunStatus.SUCCESS, {"generate": [TOO_FAST, "Made it."]}, {}, {}),
    "a fallback": (RunStatus.SUCCESS, {"generate": REFUSED}, {}, {}),
    "a plan that is no plan": (
        RunStatus.FAILED,
        {"decompose": "A poem."},
        {"decompose": "Another poem."},
        {},
    ),
    "a failed task": (
        RunStatus.FAILED,
        {"decompose": CHAIN, "generate": REFUSED},
        {"generate": REFUSED},
        {},
    ),
    "an empty answer": (RunStatus.FAILED, {"generate": ""}, {"generate": ""}, {}),
    "a blocked provider": (
        RunStatus.SUCCESS,
        {},
        {},
        {"policies": [Policy(name="no ann", rules=Rules(blocked_providers=("ann_inc",)))]},
    ),
    "nobody is left": (
        RunStatus.FAILED,
        {},
        {},
        {"policies": [Policy(name="cheap", rules=Rules(max_cost_per_task_usd=0.0041))]},
    ),
    "a call that fails while a low score is mended": (
        RunStatus.COMPLETED_DEGRADED,
        {"evaluate": [score(0.2), score(0.2), score(0.9)]},
        {"generate": [REFUSED, "Bob's."], "evaluate": score(0.2)},
        {"settings": Settings(max_iterations=3)},
    ),
    "a pinned author": (RunStatus.SUCCESS, {}, {}, {"pins": {"author": "bob"}}),
    "no money to plan": (
        RunStatus.BUDGET_EXHAUSTED,
        {},
        {},
        {"budget": Budget(max_usd=Decimal("0.0053"))},
    ),
    "no money to finish": (
        RunStatus.BUDGET_EXHAUSTED,
        {"decompose": CHAIN, "generate": reply("At length.", usage=Usage(output_tokens=3000))},
        {},
        {"budget": Budget(max_usd=Decimal("0.0089"))},
    ),
    "no time": (
        RunStatus.TIMEOUT,
        {"decompose": CHAIN, "generate": take_long},
        {},
        {"budget": Budget(max_time_s=1.0), "clock": CLOCK},
    ),
}


@pytest.mark.parametrize("story", STORIES)
async def test_every_span_of_a_run_is_what_the_schema_says(traced: SpanCapture, story: str):
    status, ann, bob, facts = STORIES[story]

    async with stage(cast(ann=Script(**ann), bob=Script(**bob)), **facts) as orchestrator:
        state = await orchestrator.run_project("Make it", "short", project_id="p1")

    assert state.status is status
    assert keeps_its_promises(traced)


async def test_a_recovery_within_a_recovery_hangs_under_it(traced: SpanCapture):
    _, ann, bob, facts = STORIES["a call that fails while a low score is mended"]

    async with stage(cast(ann=Script(**ann), bob=Script(**bob)), **facts) as orchestrator:
        await orchestrator.run_project("Make it", "short", project_id="p1")

    assert_span_tree(
        traced,
        span("run_project", ...).descendant(
            span("remediation", {"trigger_reason": "low_score"}, ...).having_children(
                span("remediation", {"trigger_reason": "authentication_failed"}, ...)
            )
        ),
    )


async def test_every_span_of_a_cancelled_run_is_what_the_schema_says(traced: SpanCapture):
    writing = asyncio.Event()

    async def hang(_request):
        writing.set()
        await asyncio.Event().wait()

    async with stage(cast(ann=Script(generate=hang), bob=Script())) as orchestrator:
        run = asyncio.create_task(orchestrator.run_project("Make it", project_id="p1"))
        await asyncio.wait_for(writing.wait(), timeout=60)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    cancelled = ("run_project", "task:t1", "llm_call:generate")
    assert [traced.one(name)["error.type"] for name in cancelled] == ["cancelled"] * 3
    assert keeps_its_promises(traced)


async def test_every_span_of_a_plan_alone_is_what_the_schema_says(traced: SpanCapture):
    async with stage(cast(ann=Script(), bob=Script())) as orchestrator:
        await orchestrator.plan_project("Make it", project_id="p1")

    assert keeps_its_promises(traced)


def test_a_span_that_breaks_the_schema_is_named(traced: SpanCapture):
    with traced_run("p1"), traced_llm_call("m", "generate") as call:
        call.set_attribute("tokens_in", "many")
        call.set_attribute("surprise", 1)
        call.set_attribute("gen_ai.input.messages", "secret")
        with traced_task("t1", "writing"):
            pass

    with pytest.raises(SpanSchemaMismatch) as caught:
        traced.conforms_to(REGISTRY)
    found = {(one.what, one.node.name, one.key) for one in caught.value.deviations}
    assert found >= {
        ("parent", "llm_call:generate", ""),
        ("type", "llm_call:generate", "tokens_in"),
        ("key", "llm_call:generate", "surprise"),
        ("missing", "llm_call:generate", "gen_ai.provider.name"),
        ("missing", "task:t1", "orchestrator.task.status"),
        ("parent", "task:t1", ""),
    }
    assert broken_promises(traced) == [
        "run_project: its status is unset, and it says 'FAILED'",
        "run_project/llm_call:generate: gen_ai.input.messages is content, and nobody opted in",
        "run_project/llm_call:generate: it ended well without an answer",
        "run_project/llm_call:generate/task:t1: its status is unset, and it says None",
    ]


SECRETS = {
    "description": "the merger with Umbrella",
    "criteria": "nobody may know of it",
    "answer": "Umbrella pays in gold",
    "points": "say which mine it comes from",
    "title": "Write Umbrella's letter",
    "key": "sk-proj-0123456789abcdef",
    "google": "AIzaSyA1234567890abcdefghijk",
    "bearer": "Bearer abcdef.123456.secret",
    "body": "quota of account umbrella-7 exceeded",
}


async def test_nothing_of_the_content_and_no_key_is_in_a_span_or_a_log_line(
    exported: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    keys = f"{SECRETS['key']} {SECRETS['google']} {SECRETS['bearer']}"

    def echo(_request):
        ours = ProviderError(f"Refused {keys}.", code="invalid_request", retryable=False)
        ours.__cause__ = ValueError(SECRETS["body"], SECRETS["description"])
        raise ours

    def broken(_request):
        raise RuntimeError(SECRETS["body"] + keys)

    models = cast(
        ann=Script(
            decompose=plan(("a", []), ("b", []), title=SECRETS["title"]),
            generate=[SECRETS["answer"], echo],
            revise=SECRETS["answer"],
        ),
        bob=Script(critique=critique(SECRETS["points"]), generate=broken),
    )
    async with stage(models, settings=Settings(concurrency=1)) as orchestrator:
        # A defect of a provider ends the run, and is the caller's own to read.
        with pytest.raises(RuntimeError):
            await orchestrator.run_project(SECRETS["description"], SECRETS["criteria"])

    told = "".join(span.to_json() for span in exported.get_finished_spans()) + caplog.text
    assert "llm_call:generate" in told
    assert [name for name, secret in SECRETS.items() if secret in told] == []
