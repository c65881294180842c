"""The frozen values that travel from room to room."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal, get_args

from pydantic import BaseModel

from orchestrator.errors import InputError

CallType = Literal["decompose", "generate", "critique", "revise", "evaluate"]
"""What a model is asked for; the second half of the span name ``llm_call:<call_type>``."""

TaskType = Literal[
    "reasoning",
    "code_generation",
    "code_review",
    "writing",
    "data_extraction",
    "summarization",
]
"""A task's kind: low-cardinality, so that traces and telemetry can be grouped by it."""

TASK_TYPES: Final[tuple[TaskType, ...]] = get_args(TaskType)

BreakerState = Literal["closed", "open", "half_open"]
"""Of a model's circuit breaker: everybody may ask it, nobody may, one request tries it again."""

Bar = Literal["tried", "policy", "refused_key", "budget", "circuit_open", "independence"]
"""What puts a model out of the running: it did not do before, a policy, its provider refused the
key, no call of it fits into the budget, its breaker, or that it is too near to the author."""

Role = Literal["planner", "author", "reviewer", "fallback"]
"""Why a model is being chosen."""

Strategy = Literal[
    "auto_retry",
    "fallback_model",
    "adjust_prompt",
    "skip_validator",
    "degrade_quality",
    "abort_task",
]
"""A way to recover from a failure, in the words of the ``remediation`` span."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A model that was looked at when one was chosen, and what became of it."""

    model: str
    provider: str
    quality: float
    """Expected, 0 to 1; so are the latency (the 95th percentile) and the cost of a typical call."""
    latency_ms: float | None
    """None: nothing is known of it yet."""
    cost_usd: Decimal
    score: float | None = None
    """Higher is better; None for who was not in the running."""
    barred_by: Bar | None = None
    why: str = ""
    """A clause: what put it out of the running, or who beats it in everything."""


class RunStatus(StrEnum):
    """How a run ended; `PARTIAL_SUCCESS` is a run that never settled and can be resumed."""

    SUCCESS = "SUCCESS"
    COMPLETED_DEGRADED = "COMPLETED_DEGRADED"
    PARTIAL_SUCCESS = "PARTIAL_SUCCESS"
    BUDGET_EXHAUSTED = "BUDGET_EXHAUSTED"
    TIMEOUT = "TIMEOUT"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class TaskStatus(StrEnum):
    """How a task ended."""

    COMPLETED = "completed"
    DEGRADED = "degraded"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNFINISHED = "unfinished"
    CANCELLED = "cancelled"


USABLE: Final = (TaskStatus.COMPLETED, TaskStatus.DEGRADED)
"""A task that ended so has a result that others can build on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What the user asked for, word for word."""

    project: str
    criteria: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One piece of the project; its id is the engine's (``t1``, ``t2``, …), never a model's."""

    id: str
    title: str
    instructions: str
    type: TaskType
    depends_on: tuple[str, ...] = ()
    validators: tuple[str, ...] = ()
    output_schema: str = ""
    """The JSON Schema, as text, that the result has to fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A checked DAG: ids unique, dependencies known, no cycle, in an order that can be run."""

    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What is said to a model, and the shape its answer must have."""

    system: str
    text: str
    max_tokens: int = 2048
    temperature: float = 0.2
    schema: type[BaseModel] | None = None
    """A structured answer is asked for as this model's JSON schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One attempt at one call, as a provider receives it."""

    model: str
    """The vendor's own name of the model."""
    call_type: CallType
    prompt: Prompt
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens as billed: input includes cached tokens, output includes reasoning tokens."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int | None = None
    cache_creation_tokens: int | None = None
    reasoning_tokens: int | None = None

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cache_read_tokens=_sum(self.cache_read_tokens, other.cache_read_tokens),
            cache_creation_tokens=_sum(self.cache_creation_tokens, other.cache_creation_tokens),
            reasoning_tokens=_sum(self.reasoning_tokens, other.reasoning_tokens),
        )


def _sum(one: int | None, other: int | None) -> int | None:
    """Add two counts of which either may never have been reported."""
    return other if one is None else one if other is None else one + other


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer as a provider gave it."""

    text: str
    usage: Usage
    served_model: str
    finish_reason: str
    """``stop``, ``length`` (cut at the limit), ``content_filter``, ``error`` (the vendor gave up),
    or the vendor's own word."""
    response_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One logical call, all its attempts included."""

    text: str
    model: str
    """The catalogue's id of the model that was asked."""
    provider: str
    usage: Usage
    cost_usd: Decimal
    latency_ms: float
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Critique:
    """What a reviewer found missing or wrong; nothing found means nothing to revise."""

    points: tuple[str, ...]
    reviewer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """One hard validator's verdict; `unverified` is not `passed`."""

    validator: str
    outcome: Literal["passed", "failed", "unverified"]
    detail: str = ""
    """Why, in one line of our own words."""
    report: str = ""
    """What the tool said; it may quote the output, so it is content."""
    is_skipped: bool = False
    """It failed, and a recovery that may do so has set that aside: it is unverified now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One iteration's result."""

    iteration: int
    output: str
    author: str
    reviewer: str
    critique: Critique
    """Of the draft that the output was revised from."""
    crosses: bool
    """The reviewer is of another provider than the author."""
    score: float
    """0 to 1, by the reviewer."""
    reason: str = ""
    """Why that score, in the reviewer's words."""
    validations: tuple[Validation, ...] = ()

    @property
    def is_valid(self) -> bool:
        """No hard validator refused it."""
        return not self.refusals

    @property
    def refusals(self) -> tuple[Validation, ...]:
        """What hard validators hold against it."""
        return tuple(check for check in self.validations if check.outcome == "failed")

    @property
    def skipped(self) -> tuple[Validation, ...]:
        """What was held against it and set aside."""
        return tuple(check for check in self.validations if check.is_skipped)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why something failed: a code for spans and metrics, a sentence for people."""

    error_type: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """How one task ended, with the best attempt it made."""

    task: Task
    status: TaskStatus
    best: Attempt | None = None
    iterations: int = 0
    failure: Failure | None = None
    model: str | None = None
    """The author last selected."""

    @property
    def output(self) -> str:
        """The best attempt's text, or nothing."""
        return self.best.output if self.best else ""

    @property
    def score(self) -> float | None:
        """The best attempt's score, or None when none was judged."""
        return self.best.score if self.best else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How hard a run tries.

    Raises:
        InputError: a value is out of its range.
    """

    threshold: float = 0.8
    """The score at which a task is done, 0 to 1."""
    plateau: float = 0.02
    """An iteration that gains less than this is the last, but for one by another author."""
    max_iterations: int = 3
    """The most iterations of a task, whoever writes."""
    max_tasks: int = 20
    concurrency: int = 4
    """Tasks that run at the same time."""
    validators: Mapping[TaskType, tuple[str, ...]] = field(default_factory=dict)
    """Hard validators that every task of a type has beside those of the plan."""
    skippable: tuple[str, ...] = ()
    """Hard validators that ``skip_validator`` may set aside when nothing else helps."""
    remediation: Mapping[str, tuple[Strategy, ...]] = field(default_factory=dict)
    """Recovery plans by trigger, where they are not to be the usual ones."""

    def __post_init__(self) -> None:
        for name in ("threshold", "plateau"):
            share = getattr(self, name)
            if not 0 <= share <= 1:
                raise InputError(f"{name} is {share!r}: give a number from 0 to 1.")
        for name in ("max_iterations", "max_tasks", "concurrency"):
            count = getattr(self, name)
            if count < 1:
                raise InputError(f"{name} is {count!r}: give a whole number, 1 or more.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectState:
    """A run, settled."""

    project_id: str
    brief: Brief
    status: RunStatus
    results: tuple[TaskResult, ...] = ()
    total_cost_usd: Decimal = Decimal(0)
    estimated_cost_usd: Decimal = Decimal(0)
    """The part of the total that no provider confirmed: replies that were lost, at their most."""
    usage: Usage = field(default_factory=Usage)
    calls: int = 0
    task_costs: dict[str, Decimal] = field(default_factory=dict)
    """Dollars by task id; what planning cost is in the total alone."""
    failure: Failure | None = None
    duration_s: float = 0.0
