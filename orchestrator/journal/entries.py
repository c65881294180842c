"""What a journal says, entry by entry: JSON of a stated version, checked when it is read."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from orchestrator.catalogue import Catalogue
from orchestrator.models import (
    Brief,
    CallType,
    Contender,
    Failure,
    Plan,
    Reply,
    Role,
    RunStatus,
    Settings,
    TaskResult,
    Usage,
    Validation,
)
from orchestrator.policies import Policy

VERSION: Final = 1
"""Grows when an entry gains, loses or changes a field; a reader takes no other one."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Began(_Entry):
    """A run began: the first of the project, or one that takes it up again."""

    kind: Literal["began"] = "began"
    project_id: str
    began_at: datetime
    """By the wall clock, for people; nothing is computed from it."""
    brief: Brief
    settings: Settings
    budget_usd: Decimal | None
    max_time_s: float | None
    catalogue: Catalogue
    policies: tuple[Policy, ...]
    pins: dict[Role, str]
    routing: str
    """The backend's name."""
    weights: dict[str, float] | None
    """Of the weighted sum."""
    traceparent: str | None
    """The root span, in W3C's words; None where the run was not traced."""


class Planned(_Entry):
    """The project is decomposed."""

    kind: Literal["planned"] = "planned"
    plan: Plan


class Chosen(_Entry):
    """A model was chosen, and why; `task_id` is None while planning."""

    kind: Literal["chosen"] = "chosen"
    task_id: str | None
    place: int
    """How many calls of the task had ended by then."""
    role: Role
    model: str
    reason: str
    others: tuple[str, ...]
    """The ids of those that could have served as well."""
    routing: str
    """The backend that chose, or ``pinned``."""
    contenders: tuple[Contender, ...]


class Unfilled(_Entry):
    """Nobody could serve, and why; `task_id` is None while planning."""

    kind: Literal["unfilled"] = "unfilled"
    task_id: str | None
    place: int
    """As of a choice."""
    role: Role
    error_type: str
    reason: str
    contenders: tuple[Contender, ...]


class Asked(_Entry):
    """A request is about to leave; until its call has ended it counts as the most it may cost."""

    kind: Literal["asked"] = "asked"
    call: int
    """Which call of the project, from 1; its answer or failure bears the same number."""
    task_id: str | None
    worst_usd: Decimal


class _CallEnded(_Entry):
    call: int
    identity: str
    """What was asked of whom, and for what; see `orchestrator.journal.identity`."""
    task_id: str | None
    call_type: CallType
    iteration: int
    model: str
    usage: Usage
    """All attempts."""
    cost_usd: Decimal
    """All attempts."""
    estimated_usd: Decimal
    """The part of the cost that no provider confirmed."""
    attempts: int
    latency_ms: float


class Answered(_CallEnded):
    """A call was answered; written before its answer is used."""

    kind: Literal["answered"] = "answered"
    reply: Reply


class Failed(_CallEnded):
    """A call was lost."""

    kind: Literal["failed"] = "failed"
    cause: Literal["provider", "invalid_output", "broken_off"]
    """`broken_off`: by a limit, a cancellation or an accident; it is asked again on a resume."""
    error_type: str
    sentence: str


class Checked(_Entry):
    """A validator gave its verdict on an output; what executes code may not give it twice."""

    kind: Literal["checked"] = "checked"
    task_id: str
    iteration: int
    validation: Validation


class TaskEnded(_Entry):
    """A task ended, however it ended."""

    kind: Literal["task_ended"] = "task_ended"
    result: TaskResult
    traceparent: str | None
    """Its span."""


class Settled(_Entry):
    """A run ended by itself; where this is missing, its process was ended."""

    kind: Literal["settled"] = "settled"
    status: RunStatus
    failure: Failure | None
    duration_s: float
    """All runs of the project until then."""


Decision = Chosen | Unfilled
Entry = Began | Planned | Decision | Asked | Answered | Failed | Checked | TaskEnded | Settled

READ: Final[TypeAdapter[Entry]] = TypeAdapter(Annotated[Entry, Field(discriminator="kind")])
"""Checks an entry that comes from a file."""
