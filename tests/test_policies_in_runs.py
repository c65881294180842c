"""Policies on every hop of whole runs: who is asked, who is not, and what the audit says of it."""

import asyncio
import json
import os
import stat
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from orchestrator.audit import FILE_NAME, AuditLog
from orchestrator.engine import Orchestrator
from orchestrator.errors import InputError, ProviderError
from orchestrator.events import PolicyDecided, TaskStarted
from orchestrator.models import RunStatus, Settings, TaskStatus
from orchestrator.policies import Policy, Rules
from tests.effort import tried
from tests.fakes import (
    LoopClock,
    ManualClock,
    ScriptedProvider,
    catalogue,
    in_virtual_time,
    model,
)
from tests.model_server import ModelServer, answer_to
from tests.policy_sets import forbids, policy_sets
from tests.stories import Script, asked, cast, score, stage

LOST = ProviderError("It broke off.", code="unavailable", retryable=False)


DECIDED = PolicyDecided(
    project_id="p",
    role="author",
    operation="check",
    task_id="t1",
    candidates=("a",),
    allowed=("a",),
    violations=(),
)


def policy(name="p", mode="hard", **rules):
    return Policy(name=name, mode=mode, rules=Rules(**rules))


MODELS = (
    model("a", provider="north", region="eu", tags={"x"}),
    model("b", provider="north", region="us", tags={"x", "y"}),
    model("c", provider="south"),
)
"""Between them they bear every name that a policy of `policy_sets` can use."""


@settings(deadline=None)
@given(
    policies=policy_sets,
    lost=st.sets(st.sampled_from(["a", "b", "c"])),
    value=st.sampled_from([0.2, 0.9]),
)
def test_whatever_the_policies_no_forbidden_model_is_ever_asked(policies, lost, value):
    hard = [policy.rules for policy in policies if policy.mode == "hard"]
    forbidden = {model.id for model in MODELS if any(forbids(rules, model) for rules in hard)}
    providers = {
        model.id: ScriptedProvider(then=LOST if model.id in lost else Script(evaluate=score(value)))
        for model in MODELS
    }

    with pytest.raises(InputError) if len(forbidden) == len(MODELS) else nullcontext():
        orchestrator = Orchestrator(
            catalogue=catalogue(*MODELS),
            connected=providers,
            policies=policies,
            settings=Settings(max_iterations=2),
            clock=ManualClock(),
        )
        asyncio.run(orchestrator.run_project("Write a note"))

    asked_models = {name for name, provider in providers.items() if provider.requests}
    assert not asked_models & forbidden
    assert bool(asked_models) is (len(forbidden) < len(MODELS))


@tried(0.1, excused=(HealthCheck.filter_too_much,))
@given(policies=policy_sets)
def test_whatever_the_policies_no_request_for_a_forbidden_model_reaches_the_server(policies):
    hard = [policy.rules for policy in policies if policy.mode == "hard"]
    forbidden = {each.id for each in MODELS if any(forbids(rules, each) for rules in hard)}
    assume(0 < len(forbidden) < len(MODELS))  # the test above tries all and none as well
    served = set()

    def answer(body):
        served.add(body["model"])
        return answer_to(body)

    async def run(base_url):
        facts = {"api": "openai", "base_url": base_url, "price": None}
        async with Orchestrator(
            catalogue=catalogue(*(each.model_copy(update=facts) for each in MODELS)),
            policies=policies,
            settings=Settings(max_iterations=1),
            environ={},
        ) as orchestrator:
            await orchestrator.run_project("Write a note")

    with ModelServer(answer=answer) as server:
        asyncio.run(run(server.base_url))

    assert served
    assert not served & forbidden


async def test_a_forbidden_model_is_no_fallback():
    models = cast(first=LOST, second=Script(), third=Script())

    state = await stage(models, policies=[policy(blocked_models=["second"])]).run_project("x")

    assert state.status is RunStatus.SUCCESS
    assert not asked(models["second"])
    assert asked(models["third"])


def test_a_rate_of_a_policy_is_kept_by_waiting():
    script, asked_at = Script(), []

    def answer(request):
        asked_at.append(asyncio.get_running_loop().time())
        return script(request)

    orchestrator = stage(
        cast(only=answer),
        policies=[policy("org", max_requests_per_minute=3), policy(max_requests_per_minute=2)],
        clock=LoopClock(),
    )

    state = in_virtual_time(orchestrator.run_project("x"))

    assert state.status is RunStatus.SUCCESS
    assert asked_at == pytest.approx([0, 0, 60, 60, 120])


async def test_every_decision_is_a_line_of_the_audit(tmp_path):
    orchestrator = stage(
        cast(first=Script(), second=Script()),
        policies=[policy("ours", "monitor", blocked_models=["second"])],
        state_dir=tmp_path,
    )
    async with orchestrator:
        await orchestrator.run_project("Keep this sentence out", project_id="p1")

    text = (tmp_path / FILE_NAME).read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [(line["role"], line["task_id"], line["operation"]) for line in lines] == [
        ("planner", None, "check"),
        ("author", "t1", "check"),
        ("reviewer", "t1", "check"),
    ]
    assert all(line["project_id"] == "p1" and line["passed"] for line in lines)
    assert lines[0]["allowed"] == ["first", "second"]
    assert lines[0]["violations"] == [
        {
            "model": "second",
            "policy": "ours",
            "rule": "blocked_models",
            "mode": "monitor",
            "reason": "its model is second",
        }
    ]
    assert "sentence" not in text
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


async def test_the_audit_grows_with_every_run(tmp_path):
    for name in ("p1", "p2"):
        orchestrator = stage(
            cast(first=Script(), second=Script()),
            policies=[policy(blocked_models=["second"])],
            state_dir=tmp_path,
        )
        async with orchestrator:
            await orchestrator.run_project("x", project_id=name)

    lines = (tmp_path / FILE_NAME).read_text().splitlines()
    runs = [json.loads(line)["project_id"] for line in lines]
    assert list(dict.fromkeys(runs)) == ["p1", "p2"]


async def test_without_policies_there_is_nothing_to_audit(tmp_path):
    async with stage(cast(first=Script(), second=Script()), state_dir=tmp_path) as orchestrator:
        await orchestrator.run_project("x")

    assert not (tmp_path / FILE_NAME).exists()


def test_a_line_carries_the_time_of_the_decision(tmp_path):
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    log = AuditLog(tmp_path / FILE_NAME, now=lambda: noon)

    log.keep(DECIDED)
    log.close()

    line = (tmp_path / FILE_NAME).read_text().splitlines()[0]
    assert json.loads(line)["time"] == "2026-03-01T12:00:00.000+00:00"


async def test_a_run_stops_before_it_acts_on_a_decision_that_cannot_be_kept(tmp_path):
    (tmp_path / FILE_NAME).symlink_to("/dev/full")
    models = cast(first=Script(), second=Script())

    async with stage(
        models, policies=[policy(blocked_models=["second"])], state_dir=tmp_path
    ) as orchestrator:
        state = await orchestrator.run_project("x")

    assert state.failure is not None
    assert (state.status, state.failure.error_type) == (RunStatus.FAILED, "audit_failed")
    assert "cannot be written (No space left on device), so the run stops" in state.failure.sentence
    assert asked(models["first"]) == []


async def test_a_disk_that_fills_up_leaves_its_task_to_be_gone_on_with(tmp_path):
    models = cast(first=Script(), second=Script())
    full = os.open("/dev/full", os.O_WRONLY)

    async with stage(
        models, policies=[policy(blocked_models=["second"])], state_dir=tmp_path
    ) as orchestrator:

        def fill_the_disk(event):
            if isinstance(event, TaskStarted):
                os.dup2(full, descriptor_of(tmp_path / FILE_NAME))

        orchestrator.hooks.add(fill_the_disk)
        state = await orchestrator.run_project("x")

    assert state.failure is not None
    assert (state.status, state.failure.error_type) == (RunStatus.FAILED, "audit_failed")
    assert [result.status for result in state.results] == [TaskStatus.UNFINISHED]
    assert asked(models["first"]) == ["decompose"]
    os.close(full)


def descriptor_of(path):
    """Of a file that this process has open."""
    return next(
        int(each.name)
        for each in Path("/proc/self/fd").iterdir()
        if each.is_symlink() and each.readlink() == path
    )


def test_a_line_that_was_torn_spoils_none_after_it(tmp_path):
    (tmp_path / FILE_NAME).write_text('{"whole": true}\n{"torn": tr')

    for _ in range(2):
        log = AuditLog(tmp_path / FILE_NAME)
        log.keep(DECIDED)
        log.close()

    whole, torn, *after = (tmp_path / FILE_NAME).read_text().splitlines()
    assert (whole, torn) == ('{"whole": true}', '{"torn": tr')
    assert [json.loads(line)["project_id"] for line in after] == ["p", "p"]


def test_an_audit_that_cannot_be_kept_is_refused_before_the_run(tmp_path):
    (tmp_path / "state").write_text("a file where a directory should be")

    with pytest.raises(InputError, match=r"Cannot write the audit file .*state.*--state-dir"):
        stage(
            cast(first=Script()),
            policies=[policy(allowed_models=["first"])],
            state_dir=tmp_path / "state",
        )
