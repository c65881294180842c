"""The plan of a project, by its kind, in its own nouns, with its own criteria."""

from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from typing import Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from orchestrator.answers import PlanAnswer, PlannableValidator, PlannedTask
from orchestrator.models import TaskType
from orchestrator.providers.offline.assignment import Assignment
from orchestrator.providers.offline.judging import is_beyond_text
from orchestrator.providers.offline.software import program_of
from orchestrator.providers.offline.subject import Kind, Subject
from orchestrator.providers.offline.vocabulary import VOCABULARY
from orchestrator.providers.offline.words import mentions

Group = Literal["work", "tests", "documentation", "world", "all"]


class _Outline(BaseModel):
    """One task of ``plans.yaml``; the file says what its keys are for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    title: str
    type: TaskType
    instructions: str
    needs: tuple[str, ...] = ()
    validators: tuple[PlannableValidator, ...]
    criteria: tuple[Group, ...]
    each: Literal["option"] | None = None
    with_additions: bool = False


_PLANS: Final = TypeAdapter(Mapping[Kind, tuple[_Outline, ...]]).validate_python(
    yaml.safe_load(files(__package__).joinpath("plans.yaml").read_text(encoding="utf-8"))
)


def planned(work: Assignment) -> PlanAnswer:
    """The tasks of the project, as many as are allowed."""
    outlines = _PLANS[work.subject.kind]
    options = work.subject.options or (work.subject.thing,)
    ids = {outline.id: tuple(_ids(outline, options)) for outline in outlines}
    tasks = (
        _task(work, outline, ids, option=options[place], task_id=task_id)
        for outline in outlines
        for place, task_id in enumerate(ids[outline.id])
    )
    return PlanAnswer(tasks=tuple(tasks)[: work.max_tasks])


def _ids(outline: _Outline, options: tuple[str, ...]) -> Iterator[str]:
    if outline.each is None or len(options) == 1:
        yield outline.id
    else:
        yield from (f"{outline.id}-{number}" for number, _ in enumerate(options, start=1))


def _task(
    work: Assignment,
    outline: _Outline,
    ids: Mapping[str, Iterable[str]],
    *,
    option: str,
    task_id: str,
) -> PlannedTask:
    nouns = _nouns(work.subject, option)
    sentences = [outline.instructions.format_map(nouns)]
    if outline.with_additions:
        sentences.append(f"Also: {'; '.join(c.title for c in program_of(work).additions)}.")
    criteria = [phrase for phrase in work.criteria if set(_groups(phrase)) & {*outline.criteria}]
    if criteria:
        sentences.append(f"Criteria: {'; '.join(criteria)}.")
    return PlannedTask(
        id=task_id,
        title=outline.title.format_map(nouns),
        instructions="\n".join(sentences),
        type=outline.type,
        depends_on=tuple(task for need in outline.needs for task in ids[need]),
        validators=outline.validators,
    )


def _nouns(subject: Subject, option: str) -> dict[str, str]:
    return {"thing": subject.thing, "whole": subject.whole, "option": option}


def _groups(criterion: str) -> Iterator[Group]:
    """Whose a criterion is; what no text can have is asked of one task, not of everybody."""
    if is_beyond_text(criterion):
        yield "world"
        return
    yield "all"
    if mentions(criterion, VOCABULARY.of_tests):
        yield "tests"
    elif mentions(criterion, VOCABULARY.of_documentation):
        yield "documentation"
    else:
        yield "work"
