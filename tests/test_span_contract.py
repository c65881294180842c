"""Runs of every kind, each exported span held against the schema; and nothing leaks."""

import asyncio
import logging
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from orchestrator.budget import Budget
from orchestrator.errors import ProviderError
from orchestrator.models import Settings
from orchestrator.policies import Policy, Rules
from orchestrator.tracing import traced_llm_call, traced_run, traced_task
from tests.span_contract import broken_promises
from tests.stories import Script, cast, critique, plan, score, stage

REFUSED = ProviderError("No.", code="authentication_failed", retryable=False, status_code=401)
TOO_FAST = ProviderError(
    "Too fast.", code="rate_limit_exceeded", retryable=True, retry_after_s=2.0, status_code=429
)
CHAIN = plan(("a", []), ("b", ["a"]), ("c", []))

STORIES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "success": ({}, {}, {}),
    "tasks that depend on each other": ({"decompose": CHAIN}, {}, {}),
    "a validator": ({"decompose": plan(("a", []), validators=["length"])}, {}, {}),
    "two iterations": ({}, {"evaluate": [score(0.4), score(0.9)]}, {}),
    "degraded": ({}, {"evaluate": score(0.3)}, {}),
    "nothing to revise": ({}, {"critique": critique()}, {}),
    "a retry": ({"generate": [TOO_FAST, "Made it."]}, {}, {}),
    "a fallback": ({"generate": REFUSED}, {}, {}),
    "a plan that is no plan": ({"decompose": "A poem."}, {"decompose": "Another poem."}, {}),
    "a failed task": ({"decompose": CHAIN, "generate": REFUSED}, {"generate": REFUSED}, {}),
    "an empty answer": ({"generate": ""}, {"generate": ""}, {}),
    "a blocked provider": (
        {},
        {},
        {"policies": [Policy(name="no ann", rules=Rules(blocked_providers=("ann_inc",)))]},
    ),
    "nobody is left": (
        {},
        {},
        {"policies": [Policy(name="nobody", rules=Rules(blocked_models=("ann", "bob")))]},
    ),
    "a call that fails while a low score is mended": (
        {"evaluate": [score(0.2), score(0.2), score(0.9)]},
        {"generate": [REFUSED, "Bob's."], "evaluate": score(0.2)},
        {"settings": Settings(max_iterations=3)},
    ),
    "a pinned author": ({}, {}, {"pins": {"author": "bob"}}),
    "no money": ({"decompose": CHAIN}, {}, {"budget": Budget(max_usd=Decimal("0.0053"))}),
    "no time": ({"generate": [TOO_FAST, "Late."]}, {}, {"budget": Budget(max_time_s=1.0)}),
}


@pytest.mark.parametrize("story", STORIES)
async def test_every_span_of_a_run_is_what_the_schema_says(
    exported: InMemorySpanExporter, story: str
):
    ann, bob, facts = STORIES[story]

    async with stage(cast(ann=Script(**ann), bob=Script(**bob)), **facts) as orchestrator:
        await orchestrator.run_project("Make it", "short", project_id="p1")

    assert exported.get_finished_spans()
    assert broken_promises(exported.get_finished_spans()) == []


async def test_a_recovery_within_a_recovery_hangs_under_it(exported: InMemorySpanExporter):
    ann, bob, facts = STORIES["a call that fails while a low score is mended"]

    async with stage(cast(ann=Script(**ann), bob=Script(**bob)), **facts) as orchestrator:
        await orchestrator.run_project("Make it", "short", project_id="p1")

    triggers = {
        span.context.span_id: dict(span.attributes or {})["trigger_reason"]
        for span in exported.get_finished_spans()
        if span.name == "remediation"
    }
    nested = [
        (triggers[span.parent.span_id], triggers[span.context.span_id])
        for span in exported.get_finished_spans()
        if span.parent is not None and span.parent.span_id in triggers
        if span.name == "remediation"
    ]
    assert nested == [("low_score", "authentication_failed")]


async def test_every_span_of_a_cancelled_run_is_what_the_schema_says(
    exported: InMemorySpanExporter,
):
    writing = asyncio.Event()

    async def hang(_request):
        writing.set()
        await asyncio.Event().wait()

    async with stage(cast(ann=Script(generate=hang), bob=Script())) as orchestrator:
        run = asyncio.create_task(orchestrator.run_project("Make it", project_id="p1"))
        await asyncio.wait_for(writing.wait(), timeout=10)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    codes = {
        span.name: dict(span.attributes or {}).get("error.type")
        for span in exported.get_finished_spans()
    }
    assert codes["run_project"] == codes["task:t1"] == codes["llm_call:generate"] == "cancelled"
    assert broken_promises(exported.get_finished_spans()) == []


async def test_every_span_of_a_plan_alone_is_what_the_schema_says(exported: InMemorySpanExporter):
    async with stage(cast(ann=Script(), bob=Script())) as orchestrator:
        await orchestrator.plan_project("Make it", project_id="p1")

    assert broken_promises(exported.get_finished_spans()) == []


def test_a_span_that_breaks_the_schema_is_named(exported: InMemorySpanExporter):
    with traced_run("p1"), traced_llm_call("m", "generate") as call:
        call.set_attribute("tokens_in", "many")
        call.set_attribute("surprise", 1)
        with traced_task("t1", "writing"):
            pass

    found = broken_promises(exported.get_finished_spans())
    assert "llm_call:generate: hangs under run_project" in found
    assert "llm_call:generate: tokens_in is 'many', not int" in found
    assert "llm_call:generate: surprise is not in the schema" in found
    assert "llm_call:generate: gen_ai.provider.name is missing" in found
    assert "task:t1: orchestrator.task.status is missing" in found
    assert "task:t1: hangs under llm_call:" in found
    assert "run_project: its status is UNSET, and it says 'FAILED'" in found
    assert "llm_call:generate: it ended well without an answer" in found


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
