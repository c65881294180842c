"""Who may serve, and who of them serves best."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from orchestrator.admission import Gate
from orchestrator.catalogue import Catalogue, ModelEntry
from orchestrator.errors import InputError, NoModelLeft
from orchestrator.models import Role
from orchestrator.policy_engine import PolicyEngine, violation_of
from orchestrator.policy_rules import forecast
from orchestrator.telemetry import Profile, TelemetryCollector

PRIOR_WEIGHT: Final = 3
"""The catalogue's quality counts as much as so many scores of this run."""

QUALITY_PER_USD: Final = 1.0
"""A dollar more per typical call has to buy so much quality."""

QUALITY_PER_SECOND: Final = 0.002
"""A second more per call has to buy so much quality."""

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


class Router:
    """Chooses a model for each role, among those that are ready and that policies allow."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        ready: Collection[str],
        policies: PolicyEngine,
        telemetry: TelemetryCollector,
        gate: Gate,
        pins: Mapping[Role, str] = _NO_PINS,
    ) -> None:
        """Take the run's models.

        Raises:
            InputError: no model is ready, or a pinned one is not.
        """
        self._ready = tuple(model for model in catalogue.entries() if model.id in ready)
        self._policies = policies
        self._telemetry = telemetry
        self._gate = gate
        self._pins = pins
        self._refuse_unready(catalogue)

    async def choose(
        self,
        role: Role,
        *,
        task_id: str | None = None,
        author: ModelEntry | None = None,
        excluded: frozenset[str] = frozenset(),
        spent_usd: Decimal = Decimal(0),
    ) -> Choice:
        """Choose who serves; a pinned model is not chosen, only checked.

        Args:
            role: As what.
            task_id: For which task; None while planning.
            author: Whose work is to be judged: preferred are models of another provider, then
                other models, then the author itself.
            excluded: Ids of models that did not do and are not asked again.
            spent_usd: What the task has cost so far; policies may limit it.

        Raises:
            PolicyViolation: policies exclude every candidate; the sentence names the rules.
            NoModelLeft: every ready model is excluded by the caller, or its provider refused the
                key.
        """
        pinned = self._pins.get(role)
        candidates = tuple(model for model in self._ready if model.id not in excluded)
        for model in candidates:
            if model.id == pinned:
                await self._policies.enforce(model, role=role, task_id=task_id, spent_usd=spent_usd)
                return _choice(model, author, f"{model.id!r} is pinned as {role}.")
        if not candidates:
            raise NoModelLeft(
                f"No model is left to serve as {role}: {_listed(sorted(excluded))} did not do, "
                "and no other is ready. Make another model of the catalogue ready."
            )
        verdict = await self._policies.check(
            candidates, role=role, task_id=task_id, spent_usd=spent_usd
        )
        if not verdict.passed:
            raise violation_of(verdict, role)
        choice = self._best(self._awake(verdict.allowed, role), author)
        others = tuple(model for model in verdict.allowed if model is not choice.model)
        return replace(choice, others=others)

    def _awake(self, allowed: Sequence[ModelEntry], role: Role) -> Sequence[ModelEntry]:
        """Those that may be asked now, or else the one that is tried again first.

        Raises:
            NoModelLeft: nothing more is sent to any of them.
        """
        gate = self._gate
        fit = [model for model in allowed if gate.refusal(model) is None]
        if not fit:
            whys = dict.fromkeys(str(gate.refusal(model)) for model in allowed)
            raise NoModelLeft(f"No model is left to serve as {role}. {' '.join(whys)}")
        awake = [model for model in fit if gate.rest_s(model) is None]
        return awake or [min(fit, key=lambda model: gate.rest_s(model) or 0.0)]

    def _best(self, allowed: Sequence[ModelEntry], author: ModelEntry | None) -> Choice:
        """The highest score among the most independent; in a tie the catalogue's order decides."""
        distance = max(_distance(model, author) for model in allowed)
        peers = [model for model in allowed if _distance(model, author) == distance]
        model = max(peers, key=self._score)
        profile = self._telemetry.profile(model.id)
        reason = (
            f"{model.id!r} is the best of {len(peers)}{_PEERS[distance] if author else ''}: "
            f"quality {expected_quality(model, profile):.2f}, ${forecast(model):.4f} a call, "
            f"{_latency_ms(model, profile):.0f} ms."
        )
        return _choice(model, author, reason)

    def _score(self, model: ModelEntry) -> float:
        return score(model, self._telemetry.profile(model.id))

    def _refuse_unready(self, catalogue: Catalogue) -> None:
        if not self._ready:
            keys = {model.key_env for model in catalogue.entries() if model.key_env}
            raise InputError(
                "No model of the catalogue is ready. "
                + (f"Set {_listed(sorted(keys), 'or')}." if keys else "Add one that needs no key.")
            )
        ready = {model.id for model in self._ready}
        for role, pinned in self._pins.items():
            if pinned not in ready:
                raise InputError(
                    f"Model {pinned!r} is pinned as {role}, but it is not ready; "
                    f"ready are {_listed(sorted(ready))}."
                )


def score(model: ModelEntry, profile: Profile) -> float:
    """How well a model is expected to serve: its quality, less what money and waiting are worth.

    The scales are absolute, so that noise in a measurement decides only between models that are
    otherwise alike: 0.1 of quality is worth ten cents a call, or fifty seconds.
    """
    return (
        expected_quality(model, profile)
        - QUALITY_PER_USD * float(forecast(model))
        - QUALITY_PER_SECOND * _latency_ms(model, profile) / 1000
    )


def expected_quality(model: ModelEntry, profile: Profile) -> float:
    """The catalogue's quality, moved by the run's scores, times the share of calls that succeed.

    A first bad score or a first failed call moves it without burying the model.
    """
    measured = (profile.quality or 0.0) * profile.scores
    quality = (PRIOR_WEIGHT * model.quality + measured) / (PRIOR_WEIGHT + profile.scores)
    successes = profile.calls - profile.failures
    return quality * (PRIOR_WEIGHT + successes) / (PRIOR_WEIGHT + profile.calls)


def _latency_ms(model: ModelEntry, profile: Profile) -> float:
    """Measured, or what the catalogue says of an offline model."""
    return model.latency_ms if profile.p95_latency_ms is None else profile.p95_latency_ms


def _distance(model: ModelEntry, author: ModelEntry | None) -> int:
    """How independent a judge is: 2 another provider's, 1 another model, 0 the author itself."""
    if author is None or model.id == author.id:
        return 0
    return 1 if model.provider == author.provider else 2


def _choice(model: ModelEntry, author: ModelEntry | None, reason: str) -> Choice:
    crosses = author is not None and model.provider != author.provider
    return Choice(model=model, reason=reason, crosses=crosses)


def _listed(names: Sequence[str], conjunction: str = "and") -> str:
    """'a', 'b' and 'c'."""
    quoted = [repr(name) for name in names]
    return f" {conjunction} ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1])))
