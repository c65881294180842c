"""The shapes in which structured answers must come."""

from typing import Annotated, Final, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from orchestrator.models import TaskType

PlannableValidator = Literal["python_syntax", "json_schema", "ruff", "pytest", "length"]
"""The hard validators that a plan may ask for."""

PLANNABLE_VALIDATORS: Final[tuple[PlannableValidator, ...]] = get_args(PlannableValidator)


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("it must not be blank")
    return text.strip()


Said = Annotated[str, AfterValidator(_said)]
"""Text that says something. The rule is no part of the JSON schema: vendors refuse it there."""


class _Answer(BaseModel):
    """What a model adds beyond the shape is ignored; what it leaves out is not made up."""

    model_config = ConfigDict(frozen=True)


class PlannedTask(_Answer):
    """One task as a planner names it; its id means something inside this answer only."""

    id: Said
    title: Said
    instructions: Said
    type: TaskType
    depends_on: tuple[Said, ...] = Field(default_factory=tuple)
    validators: tuple[PlannableValidator, ...] = Field(default_factory=tuple)
    output_schema: str = ""
    """A JSON Schema as text: vendors take no object here whose keys are not known."""


class PlanAnswer(_Answer):
    """A project, decomposed."""

    tasks: tuple[PlannedTask, ...]


class CritiqueAnswer(_Answer):
    """What a reviewer found missing or wrong; no points means nothing to revise."""

    points: tuple[Said, ...]


class ScoreAnswer(_Answer):
    """A reviewer's judgement. The reason comes first, so that it is thought before the number."""

    reason: str = ""
    score: Annotated[float, Field(strict=True, ge=0, le=1)]
