"""What happens in a run, said once: hooks, streams, progress and telemetry all read these."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from orchestrator.models import (
    BreakerState,
    Brief,
    CallType,
    Contender,
    Plan,
    ProjectState,
    Role,
    Strategy,
    Task,
    TaskResult,
    Usage,
    Validation,
)
from orchestrator.policies import Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something happened in the run of this project."""

    project_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Countable(Event):
    """Something that is counted, once."""

    is_retold: bool = False
    """The journal tells it again: nothing was asked, paid, measured or decided anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectStarted(Event):
    """A run began."""

    brief: Brief


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReady(Event):
    """The project is decomposed."""

    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted(Event):
    """A task's dependencies are done and its turn has come."""

    task: Task


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChosen(Event):
    """Somebody was chosen to serve, and why; `task_id` is None while planning."""

    task_id: str | None
    role: Role
    model: str
    reason: str
    crosses: bool
    """As a reviewer: it is of another provider than the author."""
    routing: str
    """The backend that chose, or ``pinned``."""
    contenders: tuple[Contender, ...]
    """Everybody who is ready, in the catalogue's order, the winner among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NobodyChosen(Event):
    """Nobody could serve, and why; `task_id` is None while planning."""

    task_id: str | None
    role: Role
    error_type: str
    reason: str
    contenders: tuple[Contender, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStarted(Event):
    """A model is being asked; `task_id` is None while planning."""

    call_type: CallType
    model: str
    task_id: str | None
    iteration: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCompleted(Countable):
    """A logical call ended, well (`error_type` None) or not, with all its attempts."""

    call_type: CallType
    model: str
    provider: str
    task_id: str | None
    usage: Usage
    cost_usd: Decimal
    latency_ms: float
    attempts: int
    error_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDecided(Countable):
    """Policies judged a selection; `task_id` is None while planning."""

    role: Role
    operation: Literal["check", "enforce"]
    task_id: str | None
    candidates: tuple[str, ...]
    """The ids of the models that were judged."""
    allowed: tuple[str, ...]
    """Those that may serve."""
    violations: tuple[Violation, ...] = ()
    """Of all candidates, the merely monitored included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerChanged(Countable):
    """A model that keeps failing is left alone, tried again, or back."""

    provider: str
    model: str
    from_state: BreakerState
    to_state: BreakerState


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderDisabled(Event):
    """A provider refused the key: this run sends nothing more to it."""

    provider: str
    reason: str
    """The sentence that says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationMade(Countable):
    """A hard validator was held against an iteration's output; its report is content."""

    task_id: str
    validation: Validation


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptScored(Countable):
    """An iteration was judged."""

    task_id: str
    iteration: int
    model: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RemediationTried(Countable):
    """A recovery was tried."""

    task_id: str
    strategy: Strategy
    trigger: str
    success: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCompleted(Countable):
    """A task ended, however it ended."""

    result: TaskResult


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetThresholdPassed(Event):
    """Spending passed a share of the budget (0.5, 0.8 or 1.0)."""

    threshold: float
    spent_usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectCompleted(Countable):
    """The last event of every run, also of a cancelled one."""

    state: ProjectState
