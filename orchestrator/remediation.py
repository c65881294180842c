"""Which recovery comes next: a plan of strategies for each kind of failure."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final, Generic, TypeVar, get_args

from orchestrator import spans
from orchestrator.errors import (
    CallFailed,
    CircuitOpen,
    InputError,
    InvalidOutput,
    NoModelLeft,
    PolicyViolation,
)
from orchestrator.events import RemediationTried
from orchestrator.hooks import HookRegistry
from orchestrator.models import Strategy
from orchestrator.tracing import traced_remediation

T = TypeVar("T")
RecoveryPlan = tuple[Strategy, ...]

STRATEGIES: Final[tuple[Strategy, ...]] = get_args(Strategy)
LOW_SCORE: Final = "low_score"
VALIDATION_FAILED: Final = "validation_failed"
TOO_LONG: Final = "context_length_exceeded"

RETRY_FIRST: Final[RecoveryPlan] = ("auto_retry", "fallback_model", "abort_task")
"""For failures that may pass, and for triggers that no plan knows."""

REPLACE: Final[RecoveryPlan] = ("fallback_model", "abort_task")
"""For failures of which the same model would only make the same again."""

ADJUST: Final[RecoveryPlan] = ("adjust_prompt", "fallback_model", "abort_task")
"""For failures of which another prompt may be the cure."""

GIVE_UP: Final[RecoveryPlan] = ("abort_task",)
"""For failures in which no model was even asked: none is left, or none may be."""

DEFAULT_PLANS: Final[Mapping[str, RecoveryPlan]] = MappingProxyType(
    {
        "authentication": REPLACE,
        "bad_request": REPLACE,
        "conflict": RETRY_FIRST,
        "connection_error": RETRY_FIRST,
        "insufficient_quota": REPLACE,
        "malformed_reply": RETRY_FIRST,
        "model_not_found": REPLACE,
        "permission_denied": REPLACE,
        "rate_limit_exceeded": RETRY_FIRST,
        "server_error": RETRY_FIRST,
        "timeout": RETRY_FIRST,
        TOO_LONG: ADJUST,
        CircuitOpen.error_type: REPLACE,
        InvalidOutput.error_type: ADJUST,
        NoModelLeft.error_type: GIVE_UP,
        PolicyViolation.error_type: GIVE_UP,
        LOW_SCORE: ("fallback_model", "degrade_quality"),
        VALIDATION_FAILED: ("adjust_prompt", "fallback_model", "skip_validator", "abort_task"),
    }
)

_LASTING: Final = frozenset(
    {trigger for trigger, plan in DEFAULT_PLANS.items() if plan == REPLACE} | {TOO_LONG}
)
"""What the same call would only meet again."""

_NOBODY_ASKED: Final = frozenset(
    {trigger for trigger, plan in DEFAULT_PLANS.items() if plan == GIVE_UP}
)
_ADJUSTABLE: Final = frozenset({TOO_LONG, InvalidOutput.error_type, LOW_SCORE, VALIDATION_FAILED})


def can_help(strategy: Strategy, trigger: str) -> bool:
    """Whether a strategy can do anything about a failure."""
    match strategy:
        case "auto_retry":
            return trigger not in _LASTING | _NOBODY_ASKED
        case "fallback_model":
            return trigger not in _NOBODY_ASKED
        case "adjust_prompt":
            return trigger in _ADJUSTABLE
        case "skip_validator":
            return trigger == VALIDATION_FAILED
        case "degrade_quality":
            return trigger == LOW_SCORE
        case "abort_task":
            return True


def checked(plans: Mapping[str, Iterable[str]]) -> dict[str, RecoveryPlan]:
    """Plans as somebody gave them, if every step in them can help.

    Raises:
        InputError: a trigger or a strategy does not exist, one can do nothing about the other, or
            one comes after the end.
    """
    for trigger in plans:
        _refuse_unknown("trigger", trigger, DEFAULT_PLANS)
    return {trigger: tuple(_steps(trigger, plan)) for trigger, plan in plans.items()}


def _steps(trigger: str, plan: Iterable[str]) -> Iterator[Strategy]:
    useful = {name: name for name in STRATEGIES if can_help(name, trigger)}
    is_over = False
    for name in plan:
        _refuse_unknown("strategy", name, STRATEGIES)
        if is_over:
            raise InputError(
                f"After {trigger}, the strategy {name} is never reached: abort_task gives the task "
                "up. Put abort_task last."
            )
        if name not in useful:
            raise InputError(
                f"After {trigger}, the strategy {name} can do nothing; "
                f"what can help is {', '.join(useful)}."
            )
        is_over = name == "abort_task"
        yield useful[name]


def _refuse_unknown(what: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        near = get_close_matches(name, known, n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}."
        raise InputError(f"There is no remediation {what} {name!r}; {advice}")


class RemediationEngine:
    """Walks the plan for a failure; how a strategy is executed is the caller's knowledge.

    Args:
        project_id: Whose run it is.
        hooks: told of every try.
        plans: by trigger; what they do not name has its default plan.
        has_told: whether the journal told what a task came to last, by its id.
    """

    def __init__(
        self,
        *,
        project_id: str,
        hooks: HookRegistry,
        plans: Mapping[str, RecoveryPlan] = DEFAULT_PLANS,
        has_told: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._project_id = project_id
        self._has_told = has_told
        self._hooks = hooks
        self._plans = {**DEFAULT_PLANS, **plans}

    async def run(
        self,
        trigger: str,
        attempt: Callable[[Strategy], Awaitable[T | None]],
        *,
        task_id: str,
        is_possible: Callable[[Strategy], bool] = lambda _: True,
    ) -> T | None:
        """Try the strategies planned for `trigger`, in order, until one gives something.

        Those that cannot help are passed over: a retry of what failed for good on the way, a model
        where none is left, what is not possible now. ``abort_task`` ends the walk without an
        attempt.

        Args:
            trigger: The code of the failure (``error.type``), ``low_score`` or
                ``validation_failed``.
            attempt: Executes one strategy; None, a failed call and a refusal by policy mean that
                it did not help.
            task_id: Whose failure it is.
            is_possible: Whether a strategy can be executed at all, as things are.

        Returns:
            What the first successful attempt returned, or None.

        Raises:
            BudgetExceeded: an attempt met the limit; no other strategy could go past it.
            TimeExceeded: likewise.
        """
        walk = _Walk(trigger, attempt)
        for strategy in self._plans.get(trigger, RETRY_FIRST):
            if not walk.may_help(strategy) or not is_possible(strategy):
                continue
            result = await walk.tried(strategy)
            await self._hooks.emit(
                RemediationTried(
                    project_id=self._project_id,
                    task_id=task_id,
                    strategy=strategy,
                    trigger=trigger,
                    success=result is not None,
                    is_retold=self._has_told(task_id),
                )
            )
            if result is not None or strategy == "abort_task":
                return result
        return None


@dataclass(slots=True)
class _Walk(Generic[T]):
    """One way through a plan, and what was met on it."""

    trigger: str
    attempt: Callable[[Strategy], Awaitable[T | None]]
    latest: str = ""
    """The code with which the model that is asked now has failed last."""
    is_nobody_left: bool = False
    number: int = 0

    def may_help(self, strategy: Strategy) -> bool:
        if strategy == "fallback_model" and self.is_nobody_left:
            return False
        if strategy in {"auto_retry", "adjust_prompt"} and self.latest:
            return can_help(strategy, self.latest)
        return can_help(strategy, self.trigger)

    async def tried(self, strategy: Strategy) -> T | None:
        """One strategy under its span, whose `success` is what really came of it."""
        self.number += 1
        result: T | None = None
        with traced_remediation(strategy, self.trigger, self.number) as span:
            try:
                if strategy != "abort_task":
                    result = await self.attempt(strategy)
            except (NoModelLeft, PolicyViolation):
                self.is_nobody_left |= strategy == "fallback_model"
            except CallFailed as failure:
                # A result of this attempt: the span of the call says what happened.
                self.latest = failure.code
            finally:
                if span.is_recording():
                    span.set_attribute(spans.SUCCESS, result is not None)
        return result
