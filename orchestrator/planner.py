"""From a sentence to a plan that can be run."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType
from typing import Final

from orchestrator import prompts, spans, structured
from orchestrator.answers import PlanAnswer, PlannedTask
from orchestrator.api_clients import UnifiedClient
from orchestrator.casting import Casting
from orchestrator.errors import CallFailed, PolicyViolation
from orchestrator.models import Answer, Brief, Plan, Prompt, Settings, Task, TaskType
from orchestrator.routing import Choice
from orchestrator.tracing import traced_decompose

LONGEST_SCHEMA: Final = 20_000
"""Characters of the JSON Schema of a task's result."""

NOTHING_ASKED: Final[Mapping[TaskType, Sequence[str]]] = MappingProxyType({})


class Planner:
    """Asks a model for a plan, and lets none through that cannot be run."""

    def __init__(self, client: UnifiedClient, casting: Casting, settings: Settings) -> None:
        self._client = client
        self._casting = casting
        self._settings = settings

    async def decompose(self, brief: Brief) -> Plan:
        """Ask for the project's tasks; a plan that cannot be run is asked for again, once.

        Raises:
            InvalidOutput: no plan could be run; the sentence says what was wrong with the last.
            CallFailed: neither the planner nor its stand-in answered.
            PolicyViolation: policies leave nobody to plan.
            BudgetExceeded, TimeExceeded: planning does not fit into the run's limits.
        """
        max_tasks = self._settings.max_tasks
        with traced_decompose() as span:
            prompt = prompts.plan_prompt(brief, max_tasks)
            choice = await self._casting.choose("planner", prompt=prompt)
            desk = _Desk(self._client, self._casting, choice)
            plan = await structured.ask(
                desk.call,
                prompt,
                PlanAnswer,
                partial(checked, max_tasks=max_tasks, asked=self._settings.validators),
            )
            if span.is_recording():
                span.set_attribute(spans.TASKS_TOTAL, len(plan.tasks))
        return plan


class _Desk:
    """The model that plans; when its call is lost, another one takes the seat, once."""

    def __init__(self, client: UnifiedClient, casting: Casting, choice: Choice) -> None:
        self._client = client
        self._casting = casting
        self._choice = choice
        self._before: str | None = None

    async def call(self, prompt: Prompt) -> Answer:
        try:
            return await self._ask(prompt)
        except CallFailed:
            if self._before is not None or not await self._replaced(prompt):
                raise
        return await self._ask(prompt)

    async def _replaced(self, prompt: Prompt) -> bool:
        try:
            choice = await self._casting.choose(
                "planner", excluded=frozenset({self._choice.model.id}), prompt=prompt
            )
        except (CallFailed, PolicyViolation):  # nobody else: what counts is how the call failed
            return False
        self._before, self._choice = self._choice.model.id, choice
        return True

    async def _ask(self, prompt: Prompt) -> Answer:
        return await self._client.call(
            self._choice.model.id,
            prompt,
            call_type="decompose",
            fallback_from=self._before,
            others=self._choice.others,
        )


def checked(
    answer: PlanAnswer,
    max_tasks: int,
    asked: Mapping[TaskType, Sequence[str]] = NOTHING_ASKED,
) -> Plan:
    """The answer as a plan: in an order that can be run, ids renamed ``t1``, ``t2``, ….

    Tasks keep the order they came in, except that what a task needs comes before it. Titles are
    brought onto one line.

    Args:
        answer: the plan as a model gave it.
        max_tasks: the most that it may have.
        asked: validators by the type of task that has them whatever the plan says.

    Raises:
        ValueError: it cannot be run; the sentence names what is wrong with it.
    """
    tasks = answer.tasks
    _refuse_number(len(tasks), max_tasks)
    _refuse_duplicates(tasks)
    _refuse_unknown(tasks)
    _refuse_cycle(tasks)
    _refuse_shapeless(tasks)
    order = _runnable(tasks)
    names = {task.id: f"t{number}" for number, task in enumerate(order, start=1)}
    return Plan(tasks=tuple(_renamed(task, names, asked.get(task.type, ())) for task in order))


def _refuse_number(number: int, max_tasks: int) -> None:
    if number == 0:
        raise ValueError("the plan has no tasks")
    if number > max_tasks:
        raise ValueError(f"the plan has {number} tasks, and at most {max_tasks} are allowed")


def _refuse_duplicates(tasks: Sequence[PlannedTask]) -> None:
    counts = Counter(task.id for task in tasks)
    twice = [_shown(tasks, task.id) for task in tasks if counts[task.id] > 1]
    if twice:
        raise ValueError(f"more than one task of the plan has the id {twice[0]}")


def _refuse_unknown(tasks: Sequence[PlannedTask]) -> None:
    known = {task.id for task in tasks}
    for task in tasks:
        for need in task.depends_on:
            if need not in known:
                raise ValueError(
                    f"{_shown(tasks, task.id)} depends on {_shown(tasks, need)}, "
                    "which is not in the plan"
                )


def _refuse_cycle(tasks: Sequence[PlannedTask]) -> None:
    try:
        TopologicalSorter({task.id: task.depends_on for task in tasks}).prepare()
    except CycleError as error:
        # graphlib goes from what is needed to what needs it; people read depends_on forwards.
        cycle = " → ".join(_shown(tasks, task_id) for task_id in reversed(error.args[1]))
        raise ValueError(f"the plan's dependencies go in a circle: {cycle}") from None


def _refuse_shapeless(tasks: Sequence[PlannedTask]) -> None:
    for task in tasks:
        if "json_schema" in task.validators and not _is_schema(task.output_schema):
            raise ValueError(
                f"{_shown(tasks, task.id)} has the validator json_schema, so its output_schema "
                f"must be a JSON Schema, as text, of at most {LONGEST_SCHEMA} characters"
            )


def _is_schema(text: str) -> bool:
    """Whether it may be one; that every keyword is right, only the validator finds out."""
    try:
        return len(text) <= LONGEST_SCHEMA and isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _runnable(tasks: Sequence[PlannedTask]) -> list[PlannedTask]:
    """Each task as early as its place in the answer and its needs allow."""
    waiting, order, done = list(tasks), list[PlannedTask](), set[str]()
    while waiting:
        ready = next(task for task in waiting if done.issuperset(task.depends_on))
        waiting.remove(ready)
        order.append(ready)
        done.add(ready.id)
    return order


def _renamed(task: PlannedTask, names: dict[str, str], asked: Sequence[str]) -> Task:
    return Task(
        id=names[task.id],
        title=" ".join(task.title.split()),
        instructions=task.instructions,
        type=task.type,
        depends_on=tuple(dict.fromkeys(names[need] for need in task.depends_on)),
        validators=tuple(dict.fromkeys((*task.validators, *asked))),
        output_schema=task.output_schema if "json_schema" in task.validators else "",
    )


_NAME: Final = re.compile(r"[\w.-]{1,40}")


def _shown(tasks: Sequence[PlannedTask], written: str) -> str:
    """An id in a sentence of ours: as written when it is a name, else by its place.

    Sentences reach logs and traces, where the text of a model does not belong.
    """
    if _NAME.fullmatch(written):
        return written
    places = [place for place, task in enumerate(tasks, start=1) if task.id == written]
    return f"task {places[0]}" if places else "an id"
