"""The verdict: which of these models the policies let serve."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from orchestrator import spans
from orchestrator.audit import AuditLog
from orchestrator.catalogue import ModelEntry
from orchestrator.errors import PolicyViolation
from orchestrator.events import PolicyDecided
from orchestrator.hooks import HookRegistry
from orchestrator.models import Role
from orchestrator.policies import Mode, Policy, Violation
from orchestrator.policy_rules import ADVICE, violations_of
from orchestrator.telemetry import TelemetryCollector
from orchestrator.tracing import Span, traced_policy_check

_STRICTEST_FIRST: Final[tuple[Mode, ...]] = ("hard", "soft", "monitor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What policies say about one selection."""

    allowed: tuple[ModelEntry, ...]
    """Those that break no hard or soft rule; if there are none, those that break no hard rule."""
    violations: tuple[Violation, ...] = ()
    """Of all candidates, the merely monitored included."""

    @property
    def passed(self) -> bool:
        """A candidate is left."""
        return bool(self.allowed)

    @property
    def violated(self) -> tuple[str, ...]:
        """The names of the broken rules, each once."""
        return tuple(dict.fromkeys(violation.rule for violation in self.violations))


class PolicyEngine:
    """Applies every policy to every model it is asked about.

    Each policy is asked on its own and a model has to satisfy all of them: so the strictest wins
    per rule, and no level can loosen what another demands.

    Args:
        policies: what models have to satisfy.
        project_id: whose run it is.
        hooks: told of every verdict.
        telemetry: what is known of each model.
        audit: where every verdict is kept; None: nowhere.
        replays: verdicts are those of an earlier run, told again.
    """

    def __init__(
        self,
        policies: Sequence[Policy] = (),
        *,
        project_id: str,
        hooks: HookRegistry,
        telemetry: TelemetryCollector,
        audit: AuditLog | None = None,
        replays: bool = False,
    ) -> None:
        self._audit = audit
        self._replays = replays
        self._policies = tuple(policies)
        self._project_id = project_id
        self._hooks = hooks
        self._telemetry = telemetry
        modes = {policy.mode for policy in self._policies}
        self._mode = next((mode for mode in _STRICTEST_FIRST if mode in modes), None)

    async def check(
        self,
        candidates: Sequence[ModelEntry],
        *,
        role: Role,
        task_id: str | None = None,
        spent_usd: Decimal = Decimal(0),
    ) -> Verdict:
        """Judge one selection.

        Args:
            candidates: Who could serve.
            role: As what.
            task_id: For which task; None while planning.
            spent_usd: What the task has cost so far.

        Raises:
            AuditFailed: the verdict cannot be kept, so it must not be acted on.
        """
        return await self._judge(tuple(candidates), "check", role, task_id, spent_usd)

    async def enforce(
        self,
        model: ModelEntry,
        *,
        role: Role,
        task_id: str | None = None,
        spent_usd: Decimal = Decimal(0),
    ) -> None:
        """Guard one model that no selection of this run has just approved; arguments as `check`.

        Raises:
            PolicyViolation: the model breaks a hard rule.
            AuditFailed: as for `check`.
        """
        verdict = await self._judge((model,), "enforce", role, task_id, spent_usd)
        if not verdict.passed:
            raise violation_of(verdict, role)

    async def _judge(
        self,
        candidates: tuple[ModelEntry, ...],
        operation: Literal["check", "enforce"],
        role: Role,
        task_id: str | None,
        spent_usd: Decimal,
    ) -> Verdict:
        with traced_policy_check(len(self._policies), operation) as span:
            verdict = _verdict(
                candidates,
                tuple(
                    violation
                    for model in candidates
                    for policy in self._policies
                    for violation in violations_of(
                        policy, model, self._telemetry.profile(model.id), spent_usd
                    )
                ),
            )
            if span.is_recording():
                self._record(span, verdict)
        decided = PolicyDecided(
            project_id=self._project_id,
            role=role,
            operation=operation,
            task_id=task_id,
            candidates=tuple(model.id for model in candidates),
            allowed=tuple(model.id for model in verdict.allowed),
            violations=verdict.violations,
            is_retold=self._replays,
        )
        if self._audit is not None:
            self._audit.keep(decided)
        await self._hooks.emit(decided)
        return verdict

    def _record(self, span: Span, verdict: Verdict) -> None:
        for violation in verdict.violations:
            span.add_event(
                spans.EVENT_POLICY_VIOLATION,
                {
                    spans.EVENT_POLICY_VIOLATION_POLICY: violation.policy,
                    spans.EVENT_POLICY_VIOLATION_RULE: violation.rule,
                },
            )
        if self._mode is not None:
            span.set_attribute(spans.POLICY_MODE, self._mode)
        if verdict.violations:
            span.set_attribute(spans.POLICY_VIOLATED, verdict.violated)
        span.set_attributes(
            {
                spans.PASSED: verdict.passed,
                spans.VIOLATIONS_COUNT: len(verdict.violations),
            }
        )


def violation_of(verdict: Verdict, role: Role) -> PolicyViolation:
    """The error that says which rule excluded each candidate of a verdict that leaves none."""
    why = "; ".join(str(each) for each in verdict.violations if each.mode == "hard")
    return PolicyViolation(f"Policies leave no model to serve as {role}: {why}. {ADVICE}")


def _verdict(candidates: tuple[ModelEntry, ...], violations: tuple[Violation, ...]) -> Verdict:
    excluded = {violation.model for violation in violations if violation.mode == "hard"}
    tainted = {violation.model for violation in violations if violation.mode == "soft"}
    possible = tuple(model for model in candidates if model.id not in excluded)
    clean = tuple(model for model in possible if model.id not in tainted)
    return Verdict(allowed=clean or possible, violations=violations)
