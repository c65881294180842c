"""What a run does, story by story, told by its span tree."""

import asyncio
import json
from decimal import Decimal

import pytest

from orchestrator import spans as schema
from orchestrator.breaker import FAILURES_TO_OPEN
from orchestrator.budget import Budget
from orchestrator.errors import InputError, ProviderError
from orchestrator.events import ModelChosen, ProjectCompleted, RemediationTried
from orchestrator.models import RunStatus, Settings, TaskStatus, Usage
from orchestrator.policies import Policy, Rules
from orchestrator.routing import GreedyBackend
from pytest_otel_spans import any_order, assert_span_tree, never, span
from tests.fakes import ManualClock, Recorder, reply
from tests.stories import Script, asked, cast, critique, plan, score, stage

REFUSED = ProviderError("No.", code="authentication", retryable=False, status_code=401)
BARRED = ProviderError("No.", code="permission_denied", retryable=False, status_code=403)
TOO_FAST = ProviderError(
    "Too fast.", code="rate_limit_exceeded", retryable=True, retry_after_s=2.0, status_code=429
)

CHECK = span("policy_check", {"passed": True, "policies_count": 0, "violations_count": 0})
ITERATION = (
    span("llm_call:generate", {"model": "ann"}, kind="client"),
    CHECK,
    span("llm_call:critique", {"model": "bob"}, kind="client"),
    span("llm_call:revise", {"model": "ann"}, kind="client"),
    span("llm_call:evaluate", {"model": "bob"}, kind="client"),
)
DECOMPOSE = span("decompose", CHECK, span("llm_call:decompose", {"model": "ann"}, kind="client"))


async def run(models, *, project_id="p1", **facts):
    async with stage(models, **facts) as orchestrator:
        return await orchestrator.run_project("Make it", "short", project_id=project_id)


async def test_a_clean_run_is_this_tree(traced):
    state = await run(cast(ann=Script(), bob=Script()))

    assert state.status is RunStatus.SUCCESS
    assert_span_tree(
        traced,
        span(
            "run_project",
            {"project_id": "p1", "status": "SUCCESS", "total_cost_usd": 0.0006},
            DECOMPOSE,
            span(
                "task:t1",
                {"task_type": "writing", "model_selected": "ann", "iteration": 1},
                CHECK,
                *ITERATION,
            ).ok(),
        ).ok(),
    )


async def test_every_call_carries_what_it_used_cost_and_took(traced):
    await run(cast(ann=Script(), bob=Script()))

    traced.all("llm_call:*").each(
        span(
            "llm_call:*",
            {
                "model": str,
                "tokens_in": 100,
                "tokens_out": 20,
                "cost_usd": 0.00012,
                "latency_ms": float,
            },
        ).ok()
    )


async def test_the_total_is_the_exact_sum_of_what_stands_on_the_calls(traced):
    price = {"input": 0.1, "output": 0.7}
    models = cast(ann=Script(evaluate=[score(0.3), score(0.9)]), bob=Script())

    state = await run(models, price=price)

    costs = traced.all("llm_call:*").values("cost_usd")
    assert sum(Decimal(repr(cost)) for cost in costs) == state.total_cost_usd
    assert traced.one("run_project")["total_cost_usd"] == float(state.total_cost_usd)
    assert len(costs) == state.calls


async def test_independent_tasks_overlap_and_keep_their_own_calls(traced):
    together = asyncio.Barrier(2)

    async def meet(_request):
        await together.wait()
        return "Both are writing."

    models = cast(
        ann=Script(decompose=plan(("a", []), ("b", [])), generate=meet),
        bob=Script(critique=critique()),
    )

    state = await asyncio.wait_for(run(models), timeout=10)

    assert state.status is RunStatus.SUCCESS
    assert traced.all("run_project / task:*").max_parallel == 2
    calls = (
        CHECK,
        span("llm_call:generate"),
        CHECK,
        span("llm_call:critique"),
        span("llm_call:evaluate"),
    )
    assert_span_tree(
        traced,
        span(
            "run_project",
            DECOMPOSE,
            any_order(span("task:t1", *calls), span("task:t2", *calls)),
        ),
    )


async def test_a_task_links_to_the_tasks_it_depends_on(traced):
    await run(cast(ann=Script(decompose=plan(("a", []), ("b", ["a"]))), bob=Script()))

    second = traced.one("task:t2")
    assert [link.target.name for link in second.links] == ["task:t1"]
    assert second["orchestrator.task.depends_on"] == ("t1",)


async def test_what_a_task_depends_on_stands_in_its_prompt():
    models = cast(
        ann=Script(decompose=plan(("a", []), ("b", ["a"])), revise=["RESULT OF A", "b"]),
        bob=Script(),
    )

    await run(models)

    drafts = [r.prompt.text for r in models["ann"].requests if r.call_type == "generate"]
    assert "RESULT OF A" not in drafts[0]
    assert "RESULT OF A" in drafts[1]


async def test_each_iteration_sees_the_previous_attempt_and_its_critique():
    models = cast(
        ann=Script(revise=["FIRST ATTEMPT", "SECOND ATTEMPT"]),
        bob=Script(critique=critique("IT LACKS A POINT"), evaluate=[score(0.4), score(0.9)]),
    )

    state = await run(models)

    drafts = [r.prompt.text for r in models["ann"].requests if r.call_type == "generate"]
    assert len(drafts) == 2
    assert "FIRST ATTEMPT" in drafts[1]
    assert "IT LACKS A POINT" in drafts[1]
    (result,) = state.results
    assert (result.iterations, result.output) == (2, "SECOND ATTEMPT")
    assert result.best is not None
    assert result.best.reason == "as scripted"


async def test_the_best_attempt_is_kept_and_a_plateau_ends_the_task(traced):
    models = cast(
        ann=Script(revise=["GOOD", "WORSE"], evaluate=score(0.55)),
        bob=Script(evaluate=[score(0.6), score(0.5)]),
    )

    state = await run(models, settings=Settings(max_iterations=9))

    (result,) = state.results
    assert (result.status, result.output, result.score) == (TaskStatus.DEGRADED, "GOOD", 0.6)
    assert state.status is RunStatus.COMPLETED_DEGRADED
    assert_span_tree(
        traced,
        span(
            "run_project",
            {"status": "COMPLETED_DEGRADED"},
            span(
                "task:t1",
                span("llm_call:evaluate").times(2),
                span(
                    "remediation",
                    {
                        "strategy": "fallback_model",
                        "trigger_reason": "low_score",
                        "success": False,
                    },
                    ...,
                ),
                span(
                    "remediation",
                    {
                        "strategy": "degrade_quality",
                        "trigger_reason": "low_score",
                        "success": True,
                    },
                ),
                ...,
            ).ok(),
            ...,
        ).ok(),
    )


async def test_an_author_that_was_replaced_for_its_text_may_still_review():
    models = cast(ann=Script(), bob=Script(evaluate=score(0.3)))

    state = await run(models)

    (result,) = state.results
    assert result.best is not None
    assert (result.best.author, result.best.reviewer, result.best.crosses) == ("bob", "ann", True)


async def test_a_review_that_nobody_else_could_make_is_recorded_as_such(traced):
    heard = Recorder()

    state = await run(cast(ann=Script()), hooks=[heard])

    (result,) = state.results
    assert result.best is not None
    assert result.best.crosses is False
    assert traced.one("task:t1")["orchestrator.task.review_crosses"] is False
    (_, _, reviewer) = heard.of(ModelChosen)
    assert (reviewer.role, reviewer.crosses) == ("reviewer", False)
    assert "the author itself" in reviewer.reason


async def test_the_limit_of_iterations_holds_for_recoveries_too(traced):
    models = cast(ann=Script(), bob=Script(evaluate=score(0.3)))

    state = await run(models, settings=Settings(max_iterations=1))

    assert [result.iterations for result in state.results] == [1]
    assert traced.all("llm_call:generate").count == 1


async def test_a_critique_without_points_needs_no_revision(traced):
    await run(cast(ann=Script(), bob=Script(critique=critique())))

    assert traced.none("llm_call:revise")


async def test_a_retry_is_an_event_on_the_one_span_of_its_call(traced):
    models = cast(ann=Script(generate=[TOO_FAST, "Made it."]), bob=Script())

    state = await run(models)

    assert state.status is RunStatus.SUCCESS
    call = traced.one("llm_call:generate")
    assert call["orchestrator.llm.attempts"] == 2
    assert call["latency_ms"] == 2000.0
    assert_span_tree(
        traced,
        span(
            "run_project",
            span(
                "task:t1",
                span("llm_call:generate")
                .event(
                    "orchestrator.retry",
                    {
                        "attempt": 1,
                        "error.type": "rate_limit_exceeded",
                        "http.response.status_code": 429,
                        "backoff_ms": 2000.0,
                    },
                )
                .ok(),
                ...,
            ),
            ...,
        ),
    )


async def test_a_lost_call_falls_back_to_another_model_under_a_remediation(traced):
    heard = Recorder()
    models = cast(ann=Script(generate=REFUSED), bob=Script())

    state = await run(models, hooks=[heard])

    assert state.status is RunStatus.SUCCESS
    assert_span_tree(
        traced,
        span(
            "run_project",
            span(
                "task:t1",
                {"model_selected": "bob"},
                CHECK,
                span("llm_call:generate", {"model": "ann"}).error("authentication"),
                span(
                    "remediation",
                    {
                        "strategy": "fallback_model",
                        "trigger_reason": "authentication",
                        "success": True,
                    },
                    CHECK,
                    span(
                        "llm_call:generate",
                        {"model": "bob", "orchestrator.fallback.from": "ann"},
                    ).ok(),
                ).ok(),
                CHECK,
                span("llm_call:critique", {"model": "bob"}),
                span("llm_call:revise", {"model": "bob"}),
                span("llm_call:evaluate", {"model": "bob"}),
            )
            .event(
                "orchestrator.fallback",
                {"from_model": "ann", "to_model": "bob", "reason": "authentication"},
            )
            .ok(),
            ...,
        ),
    )
    (tried,) = heard.of(RemediationTried)
    assert (tried.strategy, tried.success) == ("fallback_model", True)


async def test_a_task_that_nothing_saves_fails_and_skips_only_its_dependants(traced):
    models = cast(
        ann=Script(
            decompose=plan(("a", []), ("b", ["a"]), ("c", []), ("d", ["b"])),
            generate=[BARRED, "c"],
        ),
        bob=Script(generate=BARRED),
    )

    state = await run(models, settings=Settings(concurrency=1))

    by_id = {result.task.id: result.status for result in state.results}
    by_title = {result.task.title: by_id[result.task.id] for result in state.results}
    assert by_title == {
        "Write a": TaskStatus.FAILED,
        "Write b": TaskStatus.SKIPPED,
        "Write c": TaskStatus.COMPLETED,
        "Write d": TaskStatus.SKIPPED,
    }
    assert state.status is RunStatus.FAILED
    lost = span("task:*", {"orchestrator.task.status": "failed"}, ...).error("permission_denied")
    skipped = span(
        "task:*", {"orchestrator.task.status": "skipped", "orchestrator.task.skipped_because": str}
    ).ok()
    assert_span_tree(
        traced,
        span(
            "run_project",
            {"status": "FAILED", "orchestrator.tasks.failed": 1},
            DECOMPOSE,
            any_order(lost, skipped.times(2), span("task:*", CHECK, *ITERATION).ok()),
        ).error("permission_denied"),
    )


async def test_a_model_that_keeps_failing_is_left_alone_by_the_tasks_that_follow(traced):
    down = ProviderError("Down.", code="server_error", retryable=True, status_code=500)
    tasks = plan(*((name, []) for name in "abcd"))
    models = cast(
        ann=Script(decompose=tasks, generate=down), bob=Script(), cyd=Script(generate=reply("C."))
    )

    state = await run(models, settings=Settings(concurrency=1))

    assert state.status is RunStatus.SUCCESS
    assert asked(models["ann"]).count("generate") == FAILURES_TO_OPEN
    opening = {"provider": "ann_inc", "from_state": "closed", "to_state": "open"}
    assert_span_tree(
        traced,
        span(
            "run_project",
            ...,
            span(
                "task:t1",
                span("llm_call:generate", {"model": "ann", "orchestrator.llm.attempts": 4}),
                ...,
                span(
                    "remediation",
                    {"strategy": "auto_retry", "success": False},
                    span("llm_call:generate", {"model": "ann"}).event(
                        "orchestrator.circuit_breaker", opening
                    ),
                ),
                span("remediation", {"strategy": "fallback_model", "success": True}, ...),
                ...,
            ),
            span("task:*", CHECK, span("llm_call:generate", {"model": "bob"}), ...).times(3),
        ),
    )


async def test_a_cheaper_model_takes_over_when_the_budget_no_longer_allows_the_author(traced):
    dear = reply("A dear draft.", usage=Usage(input_tokens=100, output_tokens=4000))
    models = cast(ann=Script(generate=dear), bob=Script())
    prices = {"ann": {"input": 10, "output": 10}, "bob": {"input": 0, "output": 0}}

    state = await run(models, prices=prices, budget=Budget(max_usd=0.08), routing=GreedyBackend())

    assert state.status is RunStatus.SUCCESS
    assert asked(models["ann"]) == ["decompose", "generate", "evaluate"]
    assert_span_tree(
        traced,
        span(
            "run_project",
            ...,
            span(
                "task:t1",
                ...,
                span("llm_call:generate", {"model": "ann"}),
                ...,
                span("llm_call:revise", {"model": "bob"}),
                ...,
            ).event(
                "orchestrator.fallback",
                {"from_model": "ann", "to_model": "bob", "reason": "budget_exceeded"},
            ),
        ),
    )


async def test_each_of_two_runs_notes_the_shares_of_its_own_budget_alone(traced):
    long = reply("A long draft.", usage=Usage(output_tokens=3000))
    models = cast(ann=Script(generate=long, revise=long), bob=Script())
    async with stage(models, budget=Budget(max_usd=0.012)) as house:
        await asyncio.gather(*(house.run_project("Make it", project_id=one) for one in "ab"))

    for root in traced.all("run_project"):
        told = [event for event in root.events if event.name == "orchestrator.budget"]
        assert [event.attributes["threshold"] for event in told] == [0.5]


async def test_a_provider_that_refused_the_key_is_asked_once(traced):
    models = cast(ann=Script(decompose=plan(("a", []), ("b", [])), generate=REFUSED), bob=Script())

    state = await run(models, settings=Settings(concurrency=1))

    assert state.status is RunStatus.SUCCESS
    assert asked(models["ann"]) == ["decompose", "generate"]


async def test_a_policy_that_blocks_a_provider_is_obeyed_on_every_hop(traced):
    blocked = Policy(name="no ann", rules=Rules(blocked_providers=("ann_inc",)))
    models = cast(ann=Script(), bob=Script())

    state = await run(models, policies=[blocked])

    assert state.status is RunStatus.SUCCESS
    assert asked(models["ann"]) == []
    traced.all("policy_check").each(
        span(
            "policy_check",
            {
                "policies_count": 1,
                "passed": True,
                "violations_count": 1,
                "orchestrator.policy.violated": ["blocked_providers"],
            },
        ).event("orchestrator.policy.violation", {"policy": "no ann", "rule": "blocked_providers"})
    )


async def test_policies_that_nobody_satisfies_are_refused_before_the_run(traced):
    blocked = Policy(name="nobody", rules=Rules(blocked_models=("ann", "bob")))
    models = cast(ann=Script(), bob=Script())

    with pytest.raises(InputError, match="'nobody'"):
        await run(models, policies=[blocked])

    assert asked(models["ann"]) == asked(models["bob"]) == []
    traced.assert_empty()


async def test_policies_that_leave_nobody_on_the_way_fail_the_task(traced):
    # The draft fits under the ceiling; with what it cost, no reviewer does any more.
    ceiling = Policy(name="cheap", rules=Rules(max_cost_per_task_usd=0.0041))

    state = await run(cast(ann=Script(), bob=Script()), policies=[ceiling])

    assert state.status is RunStatus.FAILED
    assert state.failure is not None
    assert "'cheap'" in state.failure.sentence
    assert_span_tree(
        traced,
        span(
            "run_project",
            span("decompose", ...),
            span(
                "task:t1",
                span("policy_check", {"passed": True}),
                span("llm_call:generate"),
                span("policy_check", {"passed": False}).ok(),
            ).error("policy_violation"),
        ).error("policy_violation"),
    )


async def test_a_pinned_model_is_enforced_not_chosen(traced):
    await run(cast(ann=Script(), bob=Script()), pins={"author": "bob"})

    assert traced.one("task:t1")["model_selected"] == "bob"
    operations = traced.all("task:t1 / policy_check").values("orchestrator.policy.operation")
    assert operations == ["enforce", "check"]


async def test_an_exhausted_budget_stops_the_run_within_it_and_keeps_what_is_done(traced):
    # The draft leaves less than the worst case of its revision, with its 4,096 tokens of output.
    long_draft = reply("A long draft.", usage=Usage(input_tokens=100, output_tokens=4000))
    models = cast(
        ann=Script(decompose=plan(("a", []), ("b", ["a"])), generate=long_draft), bob=Script()
    )
    budget = Budget(max_usd=Decimal("0.008"))

    state = await run(models, budget=budget)

    assert state.status is RunStatus.BUDGET_EXHAUSTED
    assert state.total_cost_usd <= Decimal("0.008")
    assert [result.status for result in state.results] == [TaskStatus.UNFINISHED] * 2
    assert_span_tree(
        traced,
        span(
            "run_project",
            {"status": "BUDGET_EXHAUSTED", "orchestrator.budget_usd": 0.008},
            DECOMPOSE,
            span("task:t1", {"orchestrator.task.status": "unfinished"}, ...).error(
                "budget_exceeded"
            ),
            never("task:t2"),
        ).error("budget_exceeded"),
    )


async def test_the_time_limit_ends_a_run_as_a_timeout(traced):
    clock = ManualClock()

    def take_long(_request):
        clock.advance(61)
        return "Made it, late."

    models = cast(ann=Script(generate=take_long), bob=Script())

    state = await run(models, clock=clock, budget=Budget(max_time_s=60))

    assert state.status is RunStatus.TIMEOUT
    assert_span_tree(
        traced,
        span(
            "run_project",
            {"status": "TIMEOUT"},
            DECOMPOSE,
            span(
                "task:t1",
                {"orchestrator.task.status": "unfinished"},
                CHECK,
                span("llm_call:generate").ok(),
                CHECK,
                span("llm_call:critique", {"orchestrator.llm.attempts": 0}).error("timeout"),
            ).error("timeout"),
        ).error("timeout"),
    )


async def test_cancelling_a_run_is_recorded_told_and_never_swallowed(traced):
    heard = Recorder()
    is_writing = asyncio.Event()

    async def write_for_ever(_request):
        is_writing.set()
        await asyncio.Event().wait()

    models = cast(ann=Script(generate=write_for_ever), bob=Script())
    task = asyncio.create_task(run(models, hooks=[heard]))
    await is_writing.wait()

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert isinstance(heard.events[-1], ProjectCompleted)
    assert heard.events[-1].state.status is RunStatus.CANCELLED
    assert_span_tree(
        traced,
        span(
            "run_project",
            {"status": "CANCELLED"},
            DECOMPOSE,
            span(
                "task:t1",
                {"orchestrator.task.status": "cancelled"},
                CHECK,
                span("llm_call:generate").error("cancelled"),
            ).error("cancelled"),
        ).error("cancelled"),
    )


async def test_an_empty_answer_is_never_a_success(traced):
    models = cast(ann=Script(generate=reply("   \n")), bob=Script(generate=reply("")))

    state = await run(models)

    assert state.status is RunStatus.FAILED
    assert state.failure is not None
    assert state.failure.error_type == "invalid_output"
    traced.all("llm_call:generate").each(span("llm_call:generate").error("invalid_output"))


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (plan(("a", ["b"]), ("b", ["a"])), "a → b → a"),
        (plan(("a", []), ("a", [])), "more than one task of the plan has the id a"),
        (plan(("a", ["ghost"])), "a depends on ghost"),
        (plan(), "task"),
        (plan(*((f"t{n}", []) for n in range(100))), "100"),
        (plan(*((f"t{n}", []) for n in range(10_000))), "longer than"),
        ("I would rather not plan.", "JSON"),
    ],
    ids=[
        "cycle",
        "duplicate",
        "unknown dependency",
        "no tasks",
        "100 tasks",
        "10,000 tasks",
        "prose",
    ],
)
async def test_a_malformed_plan_is_asked_for_again_once_and_then_fails_the_run(
    answer, complaint, traced
):
    models = cast(ann=Script(decompose=answer), bob=Script())

    state = await run(models)

    assert state.status is RunStatus.FAILED
    assert state.failure is not None
    assert complaint in state.failure.sentence
    assert asked(models["ann"]) == ["decompose", "decompose"]
    assert_span_tree(
        traced,
        span(
            "run_project",
            span("decompose", CHECK, span("llm_call:decompose").times(2)).error("invalid_output"),
        ).error("invalid_output"),
    )


async def test_a_plan_that_is_right_the_second_time_is_used():
    right = f"Here it is:\n```json\n{plan(('a', []))}\n```"
    models = cast(ann=Script(decompose=[plan(), right]), bob=Script())

    state = await run(models)

    assert state.status is RunStatus.SUCCESS


async def test_ids_and_titles_of_a_model_never_name_a_span(traced):
    evil = json.loads(plan(("../../etc/passwd", [])))
    models = cast(ann=Script(decompose=json.dumps(evil)), bob=Script())

    await run(models)

    assert [node.name for node in traced.all("run_project / task:*")] == ["task:t1"]
    assert "passwd" not in traced.text()


async def test_a_validator_that_refuses_every_attempt_fails_the_task(traced):
    models = cast(ann=Script(decompose=plan(("a", []), validators=["python_syntax"])), bob=Script())

    state = await run(models)

    assert state.status is RunStatus.FAILED
    assert "python_syntax" in str(state.failure)
    traced.all("task:t1 / validation").each(
        span(
            "validation",
            {
                "orchestrator.validator": "python_syntax",
                "orchestrator.validation.passed": False,
                "orchestrator.validation.outcome": "failed",
            },
        )
    )


async def test_two_runs_at_once_on_one_orchestrator_share_nothing(traced):
    models = cast(ann=Script(), bob=Script())

    async with stage(models) as orchestrator:
        one, other = await asyncio.gather(
            orchestrator.run_project("One", project_id="one"),
            orchestrator.run_project("Other", project_id="other"),
        )

    assert one.total_cost_usd == other.total_cost_usd == Decimal("0.0006")
    whole = span("run_project", DECOMPOSE, span("task:t1", CHECK, *ITERATION))
    assert_span_tree(
        traced,
        any_order(
            whole.with_attributes({"project_id": "one"}),
            whole.with_attributes({"project_id": "other"}),
        ),
    )


async def test_an_empty_project_is_refused_before_anything_happens(traced):
    models = cast(ann=Script())

    async with stage(models) as orchestrator:
        with pytest.raises(InputError, match="project is empty"):
            await orchestrator.run_project("  ")

    traced.assert_empty()


async def test_what_the_user_wrote_and_what_models_said_never_reach_a_span(traced):
    secret = "sk-" + "a1" * 20
    models = cast(
        ann=Script(generate=f"Bearer {secret}", revise="MODEL SAID THIS"),
        bob=Script(critique=critique("REVIEWER SAID THIS")),
    )

    async with stage(models) as orchestrator:
        await orchestrator.run_project("OUR SECRET PROJECT", "OUR CRITERIA", project_id="p1")

    text = traced.text()
    assert traced.one("run_project")[schema.STATUS] == "SUCCESS"
    for leak in (secret, "SECRET PROJECT", "OUR CRITERIA", "SAID THIS", "Write a"):
        assert leak not in text
