"""What puts a model out of the running: policies, its key, the budget, its breaker, the author."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from orchestrator.admission import Gate
from orchestrator.budget import Ledger, dollars
from orchestrator.catalogue import ModelEntry
from orchestrator.errors import NoModelLeft
from orchestrator.models import Prompt, Role
from orchestrator.policy_engine import PolicyEngine, Verdict, violation_of
from orchestrator.policy_rules import forecast
from orchestrator.prices import most
from orchestrator.routing.backends import Left
from orchestrator.routing.lineup import Lineup


@dataclass(frozen=True, slots=True, kw_only=True)
class Vacancy:
    """What somebody is wanted for; the fields are the arguments of `Router.choose`."""

    role: Role
    task_id: str | None
    author: ModelEntry | None
    excluded: frozenset[str]
    spent_usd: Decimal
    prompt: Prompt | None


class Screening:
    """Holds a run's models against everything that may speak against them.

    Args:
        policies: what they have to satisfy.
        gate: which of them may be asked now.
        ledger: the run's money.
    """

    def __init__(self, policies: PolicyEngine, gate: Gate, ledger: Ledger) -> None:
        self._policies = policies
        self._gate = gate
        self._ledger = ledger

    @property
    def left(self) -> Left:
        """What is left of the run's limits."""
        usd = self._ledger.left
        return Left(usd=math.inf if usd is None else float(usd), seconds=self._gate.remaining_s())

    def affords(self, model: ModelEntry, prompt: Prompt) -> bool:
        """Whether this call of this model may still fit into the budget."""
        is_free = self._ledger.max_usd is None  # then nothing has to be reckoned
        return is_free or self._ledger.may_ever_fit(most(model, prompt))

    async def bar_unable(self, wanted: Vacancy, lineup: Lineup) -> None:
        """Leave only those that could serve, if not now; somebody is left.

        Raises:
            PolicyViolation: policies exclude everybody.
            NoModelLeft: everybody was tried before, or refused the key.
        """
        await self._bar_by_policy(wanted, lineup)
        self._bar_refused(wanted, lineup)
        self._bar_dear(wanted, lineup)

    async def _bar_by_policy(self, wanted: Vacancy, lineup: Lineup) -> None:
        if not lineup.left:
            raise NoModelLeft(
                f"No model is left to serve as {wanted.role}: {listed(sorted(wanted.excluded))} "
                "did not do, and no other is ready. Make another model of the catalogue ready."
            )
        candidates = lineup.left
        verdict = await self._policies.check(
            candidates, role=wanted.role, task_id=wanted.task_id, spent_usd=wanted.spent_usd
        )
        lineup.bar(
            [model for model in candidates if model not in verdict.allowed],
            "policy",
            lambda model: _broken(verdict, model),
        )
        if not verdict.passed:
            raise violation_of(verdict, wanted.role)

    def _bar_refused(self, wanted: Vacancy, lineup: Lineup) -> None:
        refusals = {
            model: str(error)
            for model in lineup.left
            if (error := self._gate.refusal(model)) is not None
        }
        lineup.bar(refusals, "refused_key", refusals.__getitem__)
        if not lineup.left:
            whys = " ".join(dict.fromkeys(refusals.values()))
            raise NoModelLeft(f"No model is left to serve as {wanted.role}. {whys}")

    def _bar_dear(self, wanted: Vacancy, lineup: Lineup) -> None:
        """Whom the budget no longer allows; the cheapest is left for its ledger to judge."""
        prompt = wanted.prompt
        worst = {
            model: forecast(model) if prompt is None else most(model, prompt)
            for model in lineup.left
        }
        lineup.bar_but_one(
            [model for model, cost in worst.items() if not self._ledger.may_ever_fit(cost)],
            "budget",
            lambda model: f"a call may cost {dollars(worst[model])}, more than is left",
            # Nobody waits for a model that rests only to be refused.
            least=lambda model: (self._gate.rest_s(model) is not None, worst[model]),
        )

    def bar_resting(self, lineup: Lineup) -> None:
        """Who keeps failing; if everybody does, the one that is tried again first is waited for."""
        rests = {
            model: rest_s
            for model in lineup.left
            if (rest_s := self._gate.rest_s(model)) is not None
        }
        lineup.bar_but_one(
            rests,
            "circuit_open",
            lambda model: f"it keeps failing and is tried again in {rests[model]:.0f} s",
            least=rests.__getitem__,
        )


def bar_dependent(author: ModelEntry | None, lineup: Lineup) -> int:
    """Leave only the most independent of the author, and say how independent they are."""
    distances = {model: _distance(model, author) for model in lineup.left}
    farthest = max(distances.values())
    lineup.bar(
        [model for model, distance in distances.items() if distance < farthest],
        "independence",
        lambda model: "it is the author" if model == author else "it is of the author's provider",
    )
    return farthest


def _distance(model: ModelEntry, author: ModelEntry | None) -> int:
    """How independent a judge is: 2 another provider's, 1 another model, 0 the author itself."""
    if author is None or model.id == author.id:
        return 0
    return 1 if model.provider == author.provider else 2


def _broken(verdict: Verdict, model: ModelEntry) -> str:
    broken = (
        f"{each.rule} of policy {each.policy!r}: {each.reason}"
        for each in verdict.violations
        if each.model == model.id and each.mode != "monitor"
    )
    return "; ".join(broken)


def listed(names: Sequence[str]) -> str:
    """'a', 'b' and 'c'."""
    quoted = [repr(name) for name in names]
    return " and ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1])))
