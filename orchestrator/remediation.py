"""Which recovery comes next: a plan of strategies for each kind of failure."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeVar

from orchestrator import spans
from orchestrator.errors import CallFailed, CircuitOpen, NoModelLeft, PolicyViolation
from orchestrator.events import RemediationTried
from orchestrator.hooks import HookRegistry
from orchestrator.models import Strategy
from orchestrator.tracing import traced_remediation

T = TypeVar("T")
RecoveryPlan = tuple[Strategy, ...]

RETRY_FIRST: Final[RecoveryPlan] = ("auto_retry", "fallback_model", "abort_task")
"""For failures that may pass, and for triggers that no plan knows."""

REPLACE: Final[RecoveryPlan] = ("fallback_model", "abort_task")
"""For failures of which the same model would only make the same again."""

DEFAULT_PLANS: Final[Mapping[str, RecoveryPlan]] = MappingProxyType(
    {
        "authentication": REPLACE,
        "bad_request": REPLACE,
        CircuitOpen.error_type: REPLACE,
        "context_length_exceeded": REPLACE,
        "insufficient_quota": REPLACE,
        "model_not_found": REPLACE,
        "permission_denied": REPLACE,
        # No model was even asked: none is left, or none may be.
        NoModelLeft.error_type: ("abort_task",),
        PolicyViolation.error_type: ("abort_task",),
        "low_score": ("fallback_model", "degrade_quality"),
        "validation_failed": RETRY_FIRST,
    }
)


class RemediationEngine:
    """Walks the plan for a failure; how a strategy is executed is the caller's knowledge."""

    def __init__(
        self,
        *,
        project_id: str,
        hooks: HookRegistry,
        plans: Mapping[str, RecoveryPlan] = DEFAULT_PLANS,
    ) -> None:
        self._project_id = project_id
        self._hooks = hooks
        self._plans = plans

    async def run(
        self,
        trigger: str,
        attempt: Callable[[Strategy], Awaitable[T | None]],
        *,
        task_id: str,
    ) -> T | None:
        """Try the strategies planned for `trigger`, in order, until one gives something.

        ``abort_task`` ends the walk without an attempt.

        Args:
            trigger: The code of the failure (``error.type``), ``low_score`` or
                ``validation_failed``.
            attempt: Executes one strategy; None, a failed call and a refusal by policy mean that
                it did not help.
            task_id: Whose failure it is.

        Returns:
            What the first successful attempt returned, or None.

        Raises:
            BudgetExceeded: an attempt met the limit; no other strategy could go past it.
            TimeExceeded: likewise.
        """
        plan = self._plans.get(trigger, RETRY_FIRST)
        for number, strategy in enumerate(plan, start=1):
            result = await _tried(strategy, trigger, number, attempt)
            await self._hooks.emit(
                RemediationTried(
                    project_id=self._project_id,
                    task_id=task_id,
                    strategy=strategy,
                    trigger=trigger,
                    success=result is not None,
                )
            )
            if result is not None or strategy == "abort_task":
                return result
        return None


async def _tried(
    strategy: Strategy,
    trigger: str,
    number: int,
    attempt: Callable[[Strategy], Awaitable[T | None]],
) -> T | None:
    """One strategy under its span, whose `success` is what really came of it."""
    result: T | None = None
    with traced_remediation(strategy, trigger, number) as span:
        try:
            if strategy != "abort_task":
                result = await attempt(strategy)
        except (CallFailed, PolicyViolation):
            # A result of this attempt: the span of the call or of the verdict says what happened.
            return None
        finally:
            if span.is_recording():
                span.set_attribute(spans.SUCCESS, result is not None)
    return result
