"""One choice: who is ready, what puts some out of the running, and who of the rest serves."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from orchestrator import legible
from orchestrator.admission import Gate
from orchestrator.budget import Ledger
from orchestrator.catalogue import Catalogue, ModelEntry, none_ready
from orchestrator.errors import InputError, NoModelLeft, OrchestratorError, PolicyViolation
from orchestrator.events import ModelChosen, NobodyChosen
from orchestrator.hooks import HookRegistry
from orchestrator.journal.entries import Chosen
from orchestrator.models import Contender, Prompt, Role
from orchestrator.policy_engine import PolicyEngine
from orchestrator.routing.backends import ParetoBackend, RoutingBackend, Selection
from orchestrator.routing.lineup import Lineup
from orchestrator.routing.measures import candidate
from orchestrator.routing.screening import Screening, Vacancy, bar_dependent, listed
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
        self._screening = Screening(policies, gate, ledger)
        self._telemetry = telemetry
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
        wanted = Vacancy(
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
        return self._screening.affords(model, prompt)

    async def _chosen(self, wanted: Vacancy, lineup: Lineup) -> Choice:
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
        await self._screening.bar_unable(wanted, lineup)
        able = lineup.left
        self._screening.bar_resting(lineup)
        distance = bar_dependent(author, lineup)
        selection = self._backend.select(lineup.candidates(), self._screening.left)
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
            f"among its candidates; it may choose {listed([each.id for each in lineup.left])}."
        )

    def _lineup(self) -> Lineup:
        return Lineup(
            {
                model: candidate(model, self._telemetry.profile(model.id), rank)
                for rank, model in enumerate(self._ready)
            }
        )

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

    async def _tell_nobody(self, wanted: Vacancy, error: OrchestratorError, lineup: Lineup) -> None:
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
                    f"ready are {listed(sorted(ready))}."
                )


def _reason(selection: Selection, lineup: Lineup, peers: str) -> str:
    candidates = lineup.candidates()
    best = next(each for each in candidates if each.model == selection.model)
    although = lineup.spared.get(best.model)
    is_alone = len(candidates) == 1
    cost = legible.usd(Decimal(repr(best.cost_usd)))
    latency = f"{best.latency_s * 1000:.0f} ms" if best.latency_s else "no latency measured yet"
    return (
        f"{best.model!r} is the {'only one' if is_alone else f'best of {len(candidates)}'}{peers}: "
        f"quality {best.quality:.2f}, {cost} a call, {latency}"
        f"{'' if is_alone else f'; {selection.reason}'}"
        f"{f', although {although}: so do all the others' if although else ''}."
    )


def _choice(
    model: ModelEntry,
    author: ModelEntry | None,
    reason: str,
    others: tuple[ModelEntry, ...] = (),
) -> Choice:
    crosses = author is not None and model.provider != author.provider
    return Choice(model=model, reason=reason, crosses=crosses, others=others)
