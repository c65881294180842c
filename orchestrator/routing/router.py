"""One choice: who is ready, what puts some out of the running, and who of the rest serves."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from orchestrator.admission import Gate
from orchestrator.budget import Ledger, dollars
from orchestrator.catalogue import Catalogue, ModelEntry, none_ready
from orchestrator.errors import InputError, NoModelLeft, OrchestratorError, PolicyViolation
from orchestrator.events import ModelChosen, NobodyChosen
from orchestrator.hooks import HookRegistry
from orchestrator.journal.entries import Chosen
from orchestrator.models import Contender, Prompt, Role
from orchestrator.policy_engine import PolicyEngine, Verdict, violation_of
from orchestrator.policy_rules import forecast
from orchestrator.prices import most
from orchestrator.routing.backends import Left, ParetoBackend, RoutingBackend, Selection
from orchestrator.routing.lineup import Lineup
from orchestrator.routing.measures import candidate
from orchestrator.telemetry import TelemetryCollector

PINNED: Final = "pinned"
"""What an event calls the choice that was the user's."""

_PEERS: Final = (
    ", the author itself, as nobody else may judge",
    " of the author's own provider, as no other may judge",
    " of another provider than the author's",
)
"""Whom a judge was chosen among, by its distance from the author."""

_NO_PINS: Final[Mapping[Role, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The model that serves, and why."""

    model: ModelEntry
    reason: str
    crosses: bool
    """It is of another provider than the author whose work it judges."""
    others: tuple[ModelEntry, ...] = ()
    """Who could have served as well."""
    routing: str = PINNED
    """The backend that chose, or ``pinned``."""
    contenders: tuple[Contender, ...] = ()
    """Everybody who is ready, in the catalogue's order, the winner among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Vacancy:
    """What somebody is wanted for; the fields are the arguments of `Router.choose`."""

    role: Role
    task_id: str | None
    author: ModelEntry | None
    excluded: frozenset[str]
    spent_usd: Decimal
    prompt: Prompt | None


class Router:
    """Chooses a model for each role, among those that are ready and may serve.

    Args:
        project_id: whose run it is.
        catalogue: the models there are.
        ready: the ids of those that can be asked.
        policies: what they have to satisfy.
        telemetry: what is known of each.
        gate: which of them may be asked now.
        ledger: the run's money.
        hooks: told of every choice.
        pins: a model id per role, where the choice is not to be made.
        backend: what "best" means.

    Raises:
        InputError: no model is ready, or a pinned one is not.
    """

    def __init__(
        self,
        *,
        project_id: str,
        catalogue: Catalogue,
        ready: Collection[str],
        policies: PolicyEngine,
        telemetry: TelemetryCollector,
        gate: Gate,
        ledger: Ledger,
        hooks: HookRegistry,
        pins: Mapping[Role, str] = _NO_PINS,
        backend: RoutingBackend | None = None,
    ) -> None:
        self._project_id = project_id
        self._ready = tuple(model for model in catalogue.entries() if model.id in ready)
        self._policies = policies
        self._telemetry = telemetry
        self._gate = gate
        self._ledger = ledger
        self._hooks = hooks
        self._pins = pins
        self._backend = backend or ParetoBackend()
        self._refuse_unready(catalogue)

    async def choose(
        self,
        role: Role,
        *,
        task_id: str | None = None,
        author: ModelEntry | None = None,
        excluded: frozenset[str] = frozenset(),
        spent_usd: Decimal = Decimal(0),
        prompt: Prompt | None = None,
    ) -> Choice:
        """Choose who serves; a pinned model is not chosen, only checked.

        Args:
            role: As what.
            task_id: For which task; None while planning.
            author: Whose work is to be judged: preferred are models of another provider, then
                other models, then the author itself.
            excluded: Ids of models that did not do and are not asked again.
            spent_usd: What the task has cost so far; policies may limit it.
            prompt: What is asked first, to see which models the budget still allows; None: a
                typical call.

        Raises:
            PolicyViolation: policies exclude every candidate; the sentence names the rules.
            NoModelLeft: every ready model is excluded by the caller, or its provider refused the
                key.
            InputError: the backend, which is not one of ours, chose somebody else.
        """
        wanted = _Vacancy(
            role=role,
            task_id=task_id,
            author=author,
            excluded=excluded,
            spent_usd=spent_usd,
            prompt=prompt,
        )
        lineup = self._lineup()
        try:
            choice = await self._chosen(wanted, lineup)
        except (PolicyViolation, NoModelLeft) as error:
            await self._tell_nobody(wanted, error, lineup)
            raise
        await self._tell(task_id, role, choice)
        return choice

    async def confirm(
        self, kept: Chosen, *, author: ModelEntry | None, spent_usd: Decimal
    ) -> Choice | None:
        """Make a choice of an earlier run again; None: that model is not ready any more.

        Raises:
            PolicyViolation: policies do not allow it any more.
        """
        ready = {model.id: model for model in self._ready}
        if kept.model not in ready:
            return None
        model, role = ready[kept.model], kept.role
        await self._policies.enforce(model, role=role, task_id=kept.task_id, spent_usd=spent_usd)
        others = tuple(ready[other] for other in kept.others if other in ready)
        choice = replace(
            _choice(model, author, kept.reason, others),
            routing=kept.routing,
            contenders=kept.contenders,
        )
        await self._tell(kept.task_id, role, choice)
        return choice

    def affords(self, model: ModelEntry, prompt: Prompt) -> bool:
        """Whether this call of this model may still fit into the budget."""
        is_free = self._ledger.max_usd is None  # then nothing has to be reckoned
        return is_free or self._ledger.may_ever_fit(most(model, prompt))

    async def _chosen(self, wanted: _Vacancy, lineup: Lineup) -> Choice:
        role, author = wanted.role, wanted.author
        tried = [model for model in lineup.left if model.id in wanted.excluded]
        lineup.bar(tried, "tried", lambda _: "it did not do before")
        pinned = next((model for model in lineup.left if model.id == self._pins.get(role)), None)
        if pinned is not None:
            await self._policies.enforce(
                pinned, role=role, task_id=wanted.task_id, spent_usd=wanted.spent_usd
            )
            reason = f"{pinned.id!r} is pinned as {role}."
            return replace(_choice(pinned, author, reason), contenders=lineup.contenders())
        await self._bar_by_policy(wanted, lineup)
        self._bar_refused(wanted, lineup)
        self._bar_dear(wanted, lineup)
        able = lineup.left
        self._bar_resting(lineup)
        distance = _bar_dependent(author, lineup)
        left = Left(usd=self._usd_left(), seconds=self._gate.remaining_s())
        selection = self._backend.select(lineup.candidates(), left)
        model = self._selected(selection, lineup)
        reason = _reason(selection, lineup, _PEERS[distance] if author else "")
        others = tuple(other for other in able if other is not model)
        return replace(
            _choice(model, author, reason, others),
            routing=self._backend.name,
            contenders=lineup.contenders(selection),
        )

    def _selected(self, selection: Selection, lineup: Lineup) -> ModelEntry:
        for model in lineup.left:
            if model.id == selection.model:
                return model
        raise InputError(
            f"The routing backend {self._backend.name!r} chose {selection.model!r}, which was not "
            f"among its candidates; it may choose {_listed([each.id for each in lineup.left])}."
        )

    def _lineup(self) -> Lineup:
        return Lineup(
            {
                model: candidate(model, self._telemetry.profile(model.id), rank)
                for rank, model in enumerate(self._ready)
            }
        )

    async def _bar_by_policy(self, wanted: _Vacancy, lineup: Lineup) -> None:
        if not lineup.left:
            raise NoModelLeft(
                f"No model is left to serve as {wanted.role}: {_listed(sorted(wanted.excluded))} "
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

    def _bar_refused(self, wanted: _Vacancy, lineup: Lineup) -> None:
        refusals = {
            model: str(error)
            for model in lineup.left
            if (error := self._gate.refusal(model)) is not None
        }
        lineup.bar(refusals, "refused_key", refusals.__getitem__)
        if not lineup.left:
            whys = " ".join(dict.fromkeys(refusals.values()))
            raise NoModelLeft(f"No model is left to serve as {wanted.role}. {whys}")

    def _bar_dear(self, wanted: _Vacancy, lineup: Lineup) -> None:
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

    def _bar_resting(self, lineup: Lineup) -> None:
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

    def _usd_left(self) -> float:
        left = self._ledger.left
        return math.inf if left is None else float(left)

    async def _tell(self, task_id: str | None, role: Role, choice: Choice) -> None:
        await self._hooks.emit(
            ModelChosen(
                project_id=self._project_id,
                task_id=task_id,
                role=role,
                model=choice.model.id,
                reason=choice.reason,
                crosses=choice.crosses,
                routing=choice.routing,
                contenders=choice.contenders,
            )
        )

    async def _tell_nobody(
        self, wanted: _Vacancy, error: OrchestratorError, lineup: Lineup
    ) -> None:
        await self._hooks.emit(
            NobodyChosen(
                project_id=self._project_id,
                task_id=wanted.task_id,
                role=wanted.role,
                error_type=error.code,
                reason=str(error),
                contenders=lineup.contenders(),
            )
        )

    def _refuse_unready(self, catalogue: Catalogue) -> None:
        if not self._ready:
            raise none_ready(catalogue)
        ready = {model.id for model in self._ready}
        for role, pinned in self._pins.items():
            if pinned not in ready:
                raise InputError(
                    f"Model {pinned!r} is pinned as {role}, but it is not ready; "
                    f"ready are {_listed(sorted(ready))}."
                )


def _bar_dependent(author: ModelEntry | None, lineup: Lineup) -> int:
    """Leave only the most independent of the author, and say how independent they are."""
    distances = {model: _distance(model, author) for model in lineup.left}
    most = max(distances.values())
    lineup.bar(
        [model for model, distance in distances.items() if distance < most],
        "independence",
        lambda model: "it is the author" if model == author else "it is of the author's provider",
    )
    return most


def _distance(model: ModelEntry, author: ModelEntry | None) -> int:
    """How independent a judge is: 2 another provider's, 1 another model, 0 the author itself."""
    if author is None or model.id == author.id:
        return 0
    return 1 if model.provider == author.provider else 2


def _reason(selection: Selection, lineup: Lineup, peers: str) -> str:
    candidates = lineup.candidates()
    best = next(each for each in candidates if each.model == selection.model)
    although = lineup.spared.get(best.model)
    return (
        f"{best.model!r} is the best of {len(candidates)}{peers}: quality {best.quality:.2f}, "
        f"${best.cost_usd:.4f} a call, {best.latency_s * 1000:.0f} ms; {selection.reason}"
        f"{f', although {although}: so do all the others' if although else ''}."
    )


def _broken(verdict: Verdict, model: ModelEntry) -> str:
    broken = (
        f"{each.rule} of policy {each.policy!r}: {each.reason}"
        for each in verdict.violations
        if each.model == model.id and each.mode != "monitor"
    )
    return "; ".join(broken)


def _choice(
    model: ModelEntry,
    author: ModelEntry | None,
    reason: str,
    others: tuple[ModelEntry, ...] = (),
) -> Choice:
    crosses = author is not None and model.provider != author.provider
    return Choice(model=model, reason=reason, crosses=crosses, others=others)


def _listed(names: Sequence[str]) -> str:
    """'a', 'b' and 'c'."""
    quoted = [repr(name) for name in names]
    return " and ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1])))
