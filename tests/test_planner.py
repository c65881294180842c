"""A plan that is let through can be run; any other is refused by name."""

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.answers import PlanAnswer, PlannedTask
from orchestrator.budget import Ledger
from orchestrator.casting import Casting
from orchestrator.catalogue import ModelEntry
from orchestrator.errors import InvalidOutput, ProviderError
from orchestrator.hooks import HookRegistry
from orchestrator.journal import Journal
from orchestrator.models import Brief, Plan, Settings
from orchestrator.planner import Planner, checked
from orchestrator.policies import Policy, Rules
from orchestrator.policy_engine import PolicyEngine
from orchestrator.routing import Router
from orchestrator.sections import Heading, sections
from orchestrator.telemetry import TelemetryCollector
from tests.fakes import ScriptedProvider, catalogue, door, gate, model

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

BRIEF = Brief(project="Build a rate limiter", criteria="tested")
REFUSED = ProviderError("It refuses.", code="permission_denied", retryable=False)


def task(task_id: str, *needs: str, **facts: Any) -> PlannedTask:
    facts = {"title": f"Do {task_id}", "instructions": "Do it.", "type": "writing"} | facts
    return PlannedTask.model_validate({"id": task_id, "depends_on": needs} | facts)


def plan(*tasks: PlannedTask) -> PlanAnswer:
    return PlanAnswer(tasks=tasks)


def said(*tasks: PlannedTask) -> str:
    return plan(*tasks).model_dump_json()


def planner(
    *providers: ScriptedProvider, settings: Settings | None = None, blocked: str | None = None
) -> Planner:
    entries: list[ModelEntry] = [
        model(f"m{n}", provider=f"p{n}") for n, _ in enumerate(providers, start=1)
    ]
    named = dict(zip((entry.id for entry in entries), providers, strict=True))
    policies = (
        (Policy(name="no", rules=Rules(blocked_models=(blocked,))),) if blocked is not None else ()
    )
    telemetry = TelemetryCollector()
    engine = PolicyEngine(policies, project_id="p1", hooks=HookRegistry(), telemetry=telemetry)
    router = Router(
        project_id="p1",
        catalogue=catalogue(*entries),
        ledger=Ledger(),
        hooks=HookRegistry(),
        ready=tuple(named),
        policies=engine,
        telemetry=telemetry,
        gate=gate(),
    )
    return Planner(door(named, *entries), Casting(router, Journal()), settings or Settings())


def test_tasks_keep_their_order_where_it_can_be_run() -> None:
    made = checked(plan(task("docs", "code"), task("notes"), task("code", "notes")), 20)
    assert [(t.id, t.title, t.depends_on) for t in made.tasks] == [
        ("t1", "Do notes", ()),
        ("t2", "Do code", ("t1",)),
        ("t3", "Do docs", ("t2",)),
    ]


def test_a_dependency_named_twice_counts_once() -> None:
    made = checked(plan(task("a"), task("b", "a", "a")), 20)
    assert made.tasks[1].depends_on == ("t1",)


def test_an_id_and_a_title_of_a_model_go_nowhere_but_into_the_title() -> None:
    made = checked(plan(task("../../etc", title="rm\n\t-rf  /")), 20)
    assert (made.tasks[0].id, made.tasks[0].title) == ("t1", "rm -rf /")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (plan(), "the plan has no tasks"),
        (
            plan(*(task(f"a{n}") for n in range(10_000))),
            "the plan has 10000 tasks, and at most 3 are allowed",
        ),
        (plan(task("a"), task("a")), "more than one task of the plan has the id a"),
        (plan(task("a", "b")), "a depends on b, which is not in the plan"),
        (plan(task("a", "a")), "the plan's dependencies go in a circle: a → a"),
        (
            plan(task("a", "b"), task("b", "a")),
            "the plan's dependencies go in a circle: a → b → a",
        ),
        (
            plan(task("an id; with text", "an id; with text")),
            "the plan's dependencies go in a circle: task 1 → task 1",
        ),
        (plan(task("a", "what\nis this?")), "a depends on an id, which is not in the plan"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_plan_that_cannot_be_run_is_refused_because(answer: PlanAnswer, sentence: str) -> None:
    with pytest.raises(ValueError) as refusal:
        checked(answer, 3)
    assert str(refusal.value) == sentence


def test_a_cycle_is_named_in_the_order_of_depends_on() -> None:
    with pytest.raises(ValueError, match="circle") as refusal:
        checked(plan(task("a", "b"), task("b", "c"), task("c", "a"), task("d", "a")), 20)
    circle = str(refusal.value).partition(": ")[2].split(" → ")
    steps = set(pairwise(circle))
    assert steps == {("a", "b"), ("b", "c"), ("c", "a")}
    assert circle[0] == circle[-1]


NAMES = st.sampled_from(["a", "b", "c", "d", "e", "ghost"])
TASKS = st.builds(lambda task_id, needs: task(task_id, *needs), NAMES, st.lists(NAMES, max_size=2))


@given(st.lists(TASKS, max_size=5).map(lambda tasks: plan(*tasks)))
def test_checked_gives_a_plan_that_can_be_run_or_a_sentence(answer: PlanAnswer) -> None:
    try:
        made = checked(answer, 4)
    except ValueError as refusal:
        sentence = str(refusal)
    else:
        assert_runnable(made, answer)
        return
    assert "plan" in sentence


@given(st.data())
def test_checked_lets_every_runnable_plan_through(data: st.DataObject) -> None:
    number = data.draw(st.integers(1, 8))
    needs = [data.draw(st.sets(st.sampled_from(range(n)))) if n else set() for n in range(number)]
    tasks = [task(f"n{n}", *(f"n{need}" for need in needs[n])) for n in range(number)]
    answer = plan(*data.draw(st.permutations(tasks)))
    assert_runnable(checked(answer, 8), answer)


def assert_runnable(made: Plan, answer: PlanAnswer) -> None:
    """Every task is there, named in order, after what it needs, needing what it said."""
    ids = [t.id for t in made.tasks]
    assert ids == [f"t{n}" for n in range(1, len(answer.tasks) + 1)]
    titles = {t.id: t.title for t in made.tasks}
    needs = {t.title: {titles[need] for need in t.depends_on} for t in made.tasks}
    assert needs == {t.title: {f"Do {need}" for need in t.depends_on} for t in answer.tasks}
    for place, t in enumerate(made.tasks):
        assert set(t.depends_on) <= set(ids[:place])


async def test_a_project_is_decomposed_into_what_the_model_said() -> None:
    provider = ScriptedProvider(f"Here you are:\n```json\n{said(task('a'), task('b', 'a'))}\n```")
    made = await planner(provider).decompose(BRIEF)
    assert [t.depends_on for t in made.tasks] == [(), ("t1",)]
    assert provider.requests[0].call_type == "decompose"
    assert provider.requests[0].prompt.schema is PlanAnswer


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (said(), "the plan has no tasks."),
        (said(*map(task, "abcd")), "the plan has 4 tasks, and at most 3 are allowed."),
        (said(task("a"), task("a")), "more than one task of the plan has the id a."),
        (
            said(task("a", "b"), task("b", "a")),
            "the plan's dependencies go in a circle: a → b → a.",
        ),
        ("First we build it, then we ship it.", "there is no JSON object in it."),
        (json.dumps([{"id": "a"}]), "tasks: Field required."),
    ],
)
async def test_a_bad_plan_is_asked_for_again_once_and_then_lost(bad: str, problem: str) -> None:
    provider, other = ScriptedProvider(bad, bad), ScriptedProvider()
    with pytest.raises(InvalidOutput) as failure:
        await planner(provider, other, settings=Settings(max_tasks=3)).decompose(BRIEF)
    asked_again = sections(provider.requests[1].prompt.text)
    assert [s.text for s in asked_again if s.heading is Heading.PROBLEM] == [problem]
    assert str(failure.value).endswith(problem)
    assert (len(provider.requests), len(other.requests)) == (2, 0)


async def test_a_second_plan_that_is_good_is_taken() -> None:
    provider = ScriptedProvider("prose", said(task("a")))
    assert len((await planner(provider).decompose(BRIEF)).tasks) == 1


async def test_a_lost_call_goes_to_another_model_once() -> None:
    first, second = ScriptedProvider(REFUSED), ScriptedProvider("prose", said(task("a")))
    made = await planner(first, second).decompose(BRIEF)
    assert [t.id for t in made.tasks] == ["t1"]
    assert (len(first.requests), len(second.requests)) == (1, 2)


async def test_two_lost_calls_are_a_lost_plan() -> None:
    providers = [ScriptedProvider(REFUSED) for _ in range(3)]
    with pytest.raises(ProviderError, match="refuse"):
        await planner(*providers).decompose(BRIEF)
    assert [len(provider.requests) for provider in providers] == [1, 1, 0]


async def test_a_lost_call_that_nobody_may_take_over_is_told_as_it_was() -> None:
    first, second = ScriptedProvider(REFUSED), ScriptedProvider(said(task("a")))
    with pytest.raises(ProviderError, match="refuse"):
        await planner(first, second, blocked="m2").decompose(BRIEF)
    assert second.requests == []


async def test_the_only_model_failing_is_told_as_it_was() -> None:
    with pytest.raises(ProviderError, match="refuse"):
        await planner(ScriptedProvider(REFUSED)).decompose(BRIEF)


async def test_the_decompose_span_counts_tasks_and_holds_the_calls(
    exported: "InMemorySpanExporter",
) -> None:
    provider = ScriptedProvider("prose", said(task("a"), task("b", "a")))
    await planner(provider).decompose(BRIEF)
    spans = {span.name: span for span in exported.get_finished_spans()}
    decompose = spans["decompose"]
    assert decompose.attributes is not None
    assert decompose.attributes["orchestrator.tasks.total"] == 2
    assert decompose.status.is_ok or decompose.status.is_unset
    names = [
        span.name for span in exported.get_finished_spans() if span.parent == decompose.context
    ]
    assert names == ["policy_check", "llm_call:decompose", "llm_call:decompose"]


async def test_a_lost_plan_is_an_error_of_the_decompose_span(
    exported: "InMemorySpanExporter",
) -> None:
    with pytest.raises(InvalidOutput):
        await planner(ScriptedProvider("prose", "more prose")).decompose(BRIEF)
    decompose = exported.get_finished_spans()[-1]
    assert decompose.attributes is not None
    assert (decompose.name, decompose.attributes["error.type"]) == ("decompose", "invalid_output")
    assert not decompose.status.is_ok
