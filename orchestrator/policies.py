"""Policies as data: what organisation, team and job demand of every model, checked when read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestrator import documents
from orchestrator.catalogue import Catalogue
from orchestrator.errors import InputError

Mode = Literal["hard", "soft", "monitor"]
"""What a broken rule does: `hard` excludes the model, `soft` keeps it for when no other is left,
`monitor` only counts."""

Name = Annotated[str, Field(min_length=1)]
Names = Annotated[tuple[Name, ...], Field(min_length=1)]
Limit = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Rate = Annotated[int, Field(strict=True, gt=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rules(_Strict):
    """What a policy demands; a rule that is not stated demands nothing."""

    allowed_providers: Names | None = None
    blocked_providers: Names | None = None
    allowed_models: Names | None = None
    blocked_models: Names | None = None
    allowed_regions: Names | None = None
    blocked_regions: Names | None = None
    """A model whose region the catalogue does not state breaks both rules on regions."""
    required_tags: Names | None = None
    """Each must stand on the model, such as ``no_train`` or ``pii_allowed``."""
    max_cost_per_task_usd: Limit | None = None
    """Broken by a model whose next typical call would take a task past so many dollars."""
    max_latency_ms: Limit | None = None
    """Broken by a model whose measured 95th percentile is above it."""
    max_requests_per_minute: Rate | None = None
    """Of each model; a request that would be one too many waits for its turn."""
    max_tokens_per_minute: Rate | None = None
    """Of each model, in and out together; kept by waiting too."""

    @model_validator(mode="after")
    def _demand_something(self) -> Self:
        if all(demand is None for _, demand in self):
            raise ValueError("a policy without rules protects nothing; state at least one rule")
        return self


class Policy(_Strict):
    """Rules under a name, and how serious they are."""

    name: Name
    mode: Mode = "hard"
    rules: Rules

    @model_validator(mode="after")
    def _keep_rates(self) -> Self:
        rules = self.rules
        has_rate = rules.max_requests_per_minute or rules.max_tokens_per_minute
        if has_rate and self.mode != "hard":
            raise ValueError(
                f"policy {self.name!r} limits a rate, which is kept by waiting; "
                f"set its mode to hard instead of {self.mode}"
            )
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One model breaks one rule of one policy."""

    model: str
    policy: str
    rule: str
    mode: Mode
    reason: str
    """A clause: what of the model breaks it."""

    def __str__(self) -> str:
        return f"{self.model!r} breaks {self.rule} of policy {self.policy!r} ({self.reason})"


class _PolicyFile(_Strict):
    """Three levels, none above the others: a model has to satisfy all of them."""

    org: tuple[Policy, ...] = ()
    team: tuple[Policy, ...] = ()
    job: tuple[Policy, ...] = ()

    @property
    def policies(self) -> tuple[Policy, ...]:
        return self.org + self.team + self.job

    @model_validator(mode="after")
    def _protect_something(self) -> Self:
        if not self.policies:
            raise ValueError("no policy stands under org, team or job")
        names = [policy.name for policy in self.policies]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two policies are called {twice!r}")
        return self


def load_policies(path: Path) -> tuple[Policy, ...]:
    """Read a policy file, YAML or JSON: the organisation's first, then the team's, then the job's.

    Raises:
        InputError: it cannot be read or parsed, says a thing twice, or does not describe
            policies. Nothing is guessed and nothing is skipped: policies fail closed.
    """
    return documents.load(path, _PolicyFile, "policy file").policies


def refuse_unknown(policies: Iterable[Policy], catalogue: Catalogue) -> None:
    """Hold every name that policies use against the catalogue.

    A name that nobody bears is a misspelling, and a misspelt block blocks nothing.

    Raises:
        InputError: a policy names a provider, model, region or tag that no model of the catalogue
            has.
    """
    models = tuple(catalogue.entries())
    known: dict[str, frozenset[str]] = {
        "providers": frozenset(model.provider for model in models),
        "models": frozenset(model.id for model in models),
        "regions": frozenset(model.region for model in models if model.region is not None),
        "tags": frozenset(tag for model in models for tag in model.tags),
    }
    for policy in policies:
        for rule, demand in policy.rules:
            # A rule is called after what it lists: blocked_providers, required_tags.
            bearers = known.get(rule.rpartition("_")[2])
            if bearers is not None and demand is not None:
                _refuse_strangers(policy, rule, demand, bearers)


def _refuse_strangers(
    policy: Policy, rule: str, names: Sequence[str], known: frozenset[str]
) -> None:
    for name in names:
        if name not in known:
            raise InputError(
                f"Policy {policy.name!r} names {name!r} in {rule}, but no model of the catalogue "
                f"has that; known are {', '.join(sorted(known)) or 'none'}."
            )
