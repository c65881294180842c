"""What is wrong with policies that are each well written: contradictions, and rules in vain."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from orchestrator.catalogue import ModelEntry
from orchestrator.errors import InputError
from orchestrator.policies import Policy, Violation
from orchestrator.policy_rules import ADVICE, violations_of

_LIMITS: Final = (
    "max_cost_per_task_usd",
    "max_latency_ms",
    "max_requests_per_minute",
    "max_tokens_per_minute",
)
_LISTS: Final = ("providers", "models", "regions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that whoever wrote the policies cannot have meant."""

    severity: Literal["error", "warning"]
    """`error`: demands that nobody can satisfy together; `warning`: a demand without effect."""
    sentence: str


def lint(policies: Sequence[Policy], models: Sequence[ModelEntry]) -> tuple[Finding, ...]:
    """Everything that is wrong with these policies where these models may serve.

    Args:
        policies: From the organisation's to the job's; a later one cannot loosen an earlier one.
        models: Who there is.
    """
    return (
        *(_error(sentence) for sentence in _contradictions(policies)),
        *(_error(sentence) for sentence in _nobody(policies, models)),
        *(_warning(sentence) for sentence in _allowed_in_vain(policies, models)),
        *(_warning(sentence) for sentence in _never_binding(policies)),
        *(_warning(sentence) for sentence in _soft_in_vain(policies, models)),
        *(_warning(sentence) for sentence in _same_provider(policies, models)),
    )


def refuse_unsatisfiable(policies: Sequence[Policy], ready: Sequence[ModelEntry]) -> None:
    """Say before the run that nobody could serve in it.

    Raises:
        InputError: every model that is ready breaks a hard rule; the sentence names them all.
    """
    if ready and not _allowed(policies, ready):
        why = _excluded(policies, ready)
        raise InputError(f"No model that is ready satisfies the policies: {why}. {ADVICE}")


def _contradictions(policies: Sequence[Policy]) -> Iterator[str]:
    """Names that are allowed and blocked in one breath, lists that have no name in common."""
    hard = _hard(policies)
    for what in _LISTS:
        for policy in hard:
            both = set(_names(policy, f"allowed_{what}")) & set(_names(policy, f"blocked_{what}"))
            for name in sorted(both):
                yield f"Policy {policy.name!r} both allows and blocks {name!r} in {what}."
        lists = [policy for policy in hard if _names(policy, f"allowed_{what}")]
        for place, later in enumerate(lists):
            names = set(_names(later, f"allowed_{what}"))
            for earlier in lists[:place]:
                if names.isdisjoint(_names(earlier, f"allowed_{what}")):
                    yield (
                        f"Policies {earlier.name!r} and {later.name!r} have no name in common in "
                        f"allowed_{what}, so no model satisfies both."
                    )


def _nobody(policies: Sequence[Policy], models: Sequence[ModelEntry]) -> Iterator[str]:
    if not _allowed(policies, models):
        yield f"No model of the catalogue satisfies the policies: {_excluded(policies, models)}."


def _allowed_in_vain(policies: Sequence[Policy], models: Sequence[ModelEntry]) -> Iterator[str]:
    """Names that a policy allows although an earlier one excludes every model that bears them."""
    for place, policy in enumerate(policies):
        for what, attribute in (("providers", "provider"), ("models", "id"), ("regions", "region")):
            for name in _names(policy, f"allowed_{what}"):
                bearers = [model for model in models if getattr(model, attribute) == name]
                broken = _broken(policies[:place], bearers)
                if bearers and {violation.model for violation in broken} == {
                    model.id for model in bearers
                }:
                    yield (
                        f"Policy {policy.name!r} allows {name!r} in allowed_{what} in vain: "
                        f"{'; '.join(map(str, broken))}."
                    )


def _never_binding(policies: Sequence[Policy]) -> Iterator[str]:
    for place, policy in enumerate(policies):
        for rule in _LIMITS:
            limit = getattr(policy.rules, rule)
            for earlier in _hard(policies[:place]):
                stricter = getattr(earlier.rules, rule)
                if limit is not None and stricter is not None and stricter <= limit:
                    yield (
                        f"Policy {policy.name!r} limits {rule} to {limit:g} in vain: "
                        f"policy {earlier.name!r} limits it to {stricter:g}."
                    )
                    break


def _soft_in_vain(policies: Sequence[Policy], models: Sequence[ModelEntry]) -> Iterator[str]:
    allowed = _allowed(policies, models)
    if not allowed:
        return
    breakers = {
        policy.name: {model.id for model in allowed if any(violations_of(policy, model))}
        for policy in policies
        if policy.mode == "soft"
    }
    in_vain = [name for name, broken_by in breakers.items() if len(broken_by) == len(allowed)]
    for name in in_vain:
        yield (
            f"Policy {name!r} is soft and has no effect: every model that may serve breaks it, "
            "and then all of them are kept."
        )
    if not in_vain and len(set[str]().union(*breakers.values())) == len(allowed):
        yield (
            f"The soft policies {', '.join(map(repr, breakers))} have no effect together: every "
            "model that may serve breaks one of them, and then all of them are kept."
        )


def _same_provider(policies: Sequence[Policy], models: Sequence[ModelEntry]) -> Iterator[str]:
    before = {model.provider for model in models}
    after = {model.provider for model in _allowed(policies, models)}
    if len(before) > 1 and len(after) == 1:
        yield (
            f"Only models of {after.pop()!r} may serve, so no critique comes from another "
            "provider than the draft."
        )


def _hard(policies: Sequence[Policy]) -> list[Policy]:
    return [policy for policy in policies if policy.mode == "hard"]


def _names(policy: Policy, rule: str) -> tuple[str, ...]:
    return getattr(policy.rules, rule) or ()


def _broken(policies: Sequence[Policy], models: Sequence[ModelEntry]) -> list[Violation]:
    """What these models break of the hard policies, whatever they are measured to do."""
    return [
        violation
        for model in models
        for policy in _hard(policies)
        for violation in violations_of(policy, model)
    ]


def _allowed(policies: Sequence[Policy], models: Sequence[ModelEntry]) -> list[ModelEntry]:
    excluded = {violation.model for violation in _broken(policies, models)}
    return [model for model in models if model.id not in excluded]


def _excluded(policies: Sequence[Policy], models: Sequence[ModelEntry]) -> str:
    return "; ".join(map(str, _broken(policies, models)))


def _error(sentence: str) -> Finding:
    return Finding(severity="error", sentence=sentence)


def _warning(sentence: str) -> Finding:
    return Finding(severity="warning", sentence=sentence)
