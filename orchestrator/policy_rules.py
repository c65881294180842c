"""The rules, read: which of them a model breaks, and why."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

from orchestrator.catalogue import Limits, ModelEntry
from orchestrator.models import Usage
from orchestrator.policies import Policy, Rules, Violation
from orchestrator.prices import cost_of
from orchestrator.telemetry import Profile

TYPICAL_CALL: Final = Usage(input_tokens=2000, output_tokens=2000)
"""What a call is taken to use when it is judged before it is made."""

ENOUGH_CALLS: Final = 3
"""Before so many successful calls a latency is chance, and no reason to exclude a model."""

ADVICE: Final = "Change the policy file, or make a model ready that it allows."
"""What to do where the rules leave nobody."""

UNKNOWN: Final = Profile()
"""What is known of a model before anybody used it."""

Broken = Iterator[tuple[str, str]]
"""Names of broken rules, each with a clause that says what breaks it."""


def violations_of(
    policy: Policy, model: ModelEntry, profile: Profile = UNKNOWN, spent_usd: Decimal = Decimal(0)
) -> Iterator[Violation]:
    """Every rule of the policy that the model breaks.

    Args:
        policy: Whose rules.
        model: Who wants to serve.
        profile: What is known of the model by having used it.
        spent_usd: What the task has cost so far.
    """
    rules = policy.rules
    for rule, reason in (
        *_lists(rules, model),
        *_tags(rules, model),
        *_cost(rules, model, spent_usd),
        *_latency(rules, profile),
    ):
        yield Violation(
            model=model.id, policy=policy.name, rule=rule, mode=policy.mode, reason=reason
        )


def ceilings_of(policies: Iterable[Policy], models: Iterable[ModelEntry]) -> dict[str, Limits]:
    """The lowest rates that policies allow, by model id; no entry where they state none."""
    rules = [policy.rules for policy in policies]
    rpm = min(filter(None, (each.max_requests_per_minute for each in rules)), default=None)
    tpm = min(filter(None, (each.max_tokens_per_minute for each in rules)), default=None)
    if rpm is None and tpm is None:
        return {}
    return {model.id: Limits(rpm=rpm, tpm=tpm) for model in models}


def forecast(model: ModelEntry) -> Decimal:
    """What a typical call of this model costs, in US dollars."""
    return cost_of(model, TYPICAL_CALL)


def _lists(rules: Rules, model: ModelEntry) -> Broken:
    """The rules on who and where; a region that is not stated cannot be shown to be right."""
    for what, value, allowed, blocked in (
        ("provider", model.provider, rules.allowed_providers, rules.blocked_providers),
        ("model", model.id, rules.allowed_models, rules.blocked_models),
        ("region", model.region, rules.allowed_regions, rules.blocked_regions),
    ):
        if allowed is not None and value not in allowed:
            yield f"allowed_{what}s", f"its {what} is {value or 'not stated'}"
        if blocked is not None and (value is None or value in blocked):
            yield f"blocked_{what}s", f"its {what} is {value or 'not stated'}"


def _tags(rules: Rules, model: ModelEntry) -> Broken:
    missing = [tag for tag in rules.required_tags or () if tag not in model.tags]
    if missing:
        yield "required_tags", f"it lacks {', '.join(missing)}"


def _cost(rules: Rules, model: ModelEntry, spent_usd: Decimal) -> Broken:
    if rules.max_cost_per_task_usd is None:
        return
    expected = spent_usd + forecast(model)
    if expected > rules.max_cost_per_task_usd:
        limit = rules.max_cost_per_task_usd
        why = f"its next call takes the task to about ${expected:.4g}, more than ${limit:g}"
        yield "max_cost_per_task_usd", why


def _latency(rules: Rules, known: Profile) -> Broken:
    measured = known.p95_latency_ms
    if rules.max_latency_ms is None or measured is None:
        return
    if known.calls - known.failures >= ENOUGH_CALLS and measured > rules.max_latency_ms:
        yield (
            "max_latency_ms",
            f"95 % of its calls take up to {measured:.0f} ms, more than {rules.max_latency_ms}",
        )
