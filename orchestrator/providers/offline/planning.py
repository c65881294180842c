"""The plan of a project, by its kind, in its own nouns, with its own criteria."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from importlib.resources import files
from typing import Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from orchestrator.answers import PlanAnswer, PlannableValidator, PlannedTask
from orchestrator.models import TaskType
from orchestrator.providers.offline.assignment import Assignment
from orchestrator.providers.offline.judging import is_beyond_text
from orchestrator.providers.offline.software import WITH_TESTS, program_of
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
    rank: int
    heir: str | None = None
    adds: str = ""
    needs: tuple[str, ...] = ()
    validators: tuple[PlannableValidator, ...]
    criteria: tuple[Group, ...]
    each: Literal["option"] | None = None
    with_additions: bool = False


_PLANS: Final = TypeAdapter(Mapping[Kind, tuple[_Outline, ...]]).validate_python(
    yaml.safe_load(files(__package__).joinpath("plans.yaml").read_text(encoding="utf-8"))
)


def planned(work: Assignment) -> PlanAnswer:
    """The tasks of the project; where they are too many, fewer that do the work of all."""
    outlines = _PLANS[work.subject.kind]
    options = work.subject.options or (work.subject.thing,)
    ids = {outline.id: tuple(_ids(outline, options)) for outline in outlines}
    kept = _kept(outlines, ids, work.max_tasks)
    number, whole = sum(len(ids[outline.id]) for outline in kept), sum(map(len, ids.values()))
    cut = f" (plan cut from {whole} tasks to {number})" if number < whole else ""
    tasks = (
        _task(work, _merged(outline, outlines, kept, cut), ids, option=options[place], task_id=name)
        for outline in kept
        for place, name in enumerate(ids[outline.id])
    )
    return PlanAnswer(tasks=tuple(tasks))


def _kept(
    outlines: tuple[_Outline, ...], ids: Mapping[str, Sequence[str]], most: int
) -> tuple[_Outline, ...]:
    """What finds a place, by rank; things that are compared find one together or not at all."""
    kept: set[str] = set()
    for outline in sorted(outlines, key=lambda outline: outline.rank):
        if len(ids[outline.id]) <= most:
            kept.add(outline.id)
            most -= len(ids[outline.id])
    return tuple(outline for outline in outlines if outline.id in kept)


def _merged(
    outline: _Outline, outlines: tuple[_Outline, ...], kept: tuple[_Outline, ...], cut: str
) -> _Outline:
    """The outline with the work of those whose heir it is, and without needs that are not there."""
    dropped = {other.id: other for other in outlines if other not in kept}
    left = [other for other in dropped.values() if other.heir == outline.id]
    before = {other.id for other in outlines[: outlines.index(outline)]}
    needs = [n for need in outline.needs for n in _still(need, dropped, before)]
    checks = [name for other in (outline, *left) for name in other.validators]
    groups = [group for other in (outline, *left) for group in other.criteria]
    return outline.model_copy(
        update={
            "title": "".join([outline.title, *(o.adds for o in left), cut if left else ""]),
            "instructions": " ".join(o.instructions for o in (outline, *left)),
            "needs": tuple(dict.fromkeys(needs)),
            "validators": tuple(dict.fromkeys(checks)),
            "criteria": tuple(dict.fromkeys(groups)),
        }
    )


def _still(need: str, dropped: Mapping[str, _Outline], before: AbstractSet[str]) -> Iterator[str]:
    """What a need comes to: itself, the heir of a dropped one, or what that one needed."""
    if need not in dropped:
        yield need
    elif dropped[need].heir in before:
        yield from _still(dropped[need].heir or "", dropped, before)
    else:
        for earlier in dropped[need].needs:
            yield from _still(earlier, dropped, before)


def _ids(outline: _Outline, options: tuple[str, ...]) -> Iterator[str]:
    if outline.each is None or len(options) == 1:
        yield outline.id
    else:
        yield from (f"{outline.id}-{number}" for number, _ in enumerate(options, start=1))


def _task(
    work: Assignment,
    outline: _Outline,
    ids: Mapping[str, Sequence[str]],
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
    return {
        "thing": subject.thing,
        "whole": subject.whole,
        "option": option,
        "with_tests": WITH_TESTS,
    }


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
