"""A policy file is understood completely, or refused with a sentence."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.catalogue import Catalogue, ModelEntry, shipped_catalogue
from orchestrator.errors import InputError
from orchestrator.policies import Policy, Rules, load_policies, refuse_unknown

EXAMPLE = Path(__file__).parents[1] / "examples" / "policies.yaml"

CATALOGUE = Catalogue(
    models=(
        ModelEntry(id="a", provider="north", api="offline", region="eu", tags=frozenset({"kind"})),
        ModelEntry(id="b", provider="south", api="offline"),
    )
)


def written(folder: Path, text: str, *, name: str = "policies.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_levels_are_read_from_org_to_job(tmp_path):
    path = written(
        tmp_path,
        """
        job:
          - {name: j, mode: monitor, rules: {max_latency_ms: 900}}
        org:
          - {name: o, rules: {blocked_providers: [south]}}
        team:
          - {name: t, mode: soft, rules: {max_cost_per_task_usd: 0.5}}
        """,
    )

    policies = load_policies(path)

    assert [(policy.name, policy.mode) for policy in policies] == [
        ("o", "hard"),
        ("t", "soft"),
        ("j", "monitor"),
    ]
    assert policies[0].rules == Rules(blocked_providers=("south",))


def test_the_example_fits_the_shipped_catalogue():
    policies = load_policies(EXAMPLE)

    refuse_unknown(policies, shipped_catalogue())

    assert {policy.mode for policy in policies} == {"hard", "soft", "monitor"}


RULES = "org: [{{name: o, rules: {{{}}}}}]"


@pytest.mark.parametrize(
    ("text", "place", "value"),
    [
        ("", "it is empty", "keys and values"),
        ("[]", "it", "[]"),
        ("org: []", "is wrong: no", "no policy stands under org, team or job"),
        ("company: [{name: o, rules: {allowed_models: [a]}}]", "'company'", "org, team, job"),
        (
            RULES.format("blocked_provider: [south]"),
            "no key 'org.0.rules.blocked_provider'",
            "did you mean 'blocked_providers'?",
        ),
        (RULES.format("blocked_providers: south"), "org.0.rules.blocked_providers", "'south'"),
        (RULES.format("blocked_providers: []"), "org.0.rules.blocked_providers", "[]"),
        (RULES.format("blocked_regions: [no]"), "org.0.rules.blocked_regions.0", "False"),
        (RULES.format("max_latency_ms: yes"), "org.0.rules.max_latency_ms", "True"),
        (RULES.format("max_latency_ms: '90'"), "org.0.rules.max_latency_ms", "'90'"),
        (RULES.format("max_latency_ms: -1"), "org.0.rules.max_latency_ms", "-1"),
        (RULES.format("max_cost_per_task_usd: .nan"), "org.0.rules.max_cost_per_task_usd", "nan"),
        (RULES.format("max_cost_per_task_usd: .inf"), "org.0.rules.max_cost_per_task_usd", "inf"),
        (RULES.format("max_requests_per_minute: 0"), "max_requests_per_minute", "0"),
        (RULES.format("max_tokens_per_minute: 1.5"), "max_tokens_per_minute", "1.5"),
        (
            "org: [{name: o, mode: monitor, rules: {max_requests_per_minute: 9}}]",
            "org.0",
            "limits a rate, which is kept by waiting; set its mode to hard instead of monitor",
        ),
        (RULES.format(""), "org.0.rules", "at least one rule"),
        (RULES.format("max_latency_ms: null"), "org.0.rules", "at least one rule"),
        ("org: [{name: o}]", "org.0.rules", "missing"),
        ("org: [{rules: {allowed_models: [a]}}]", "org.0.name", "missing"),
        ("org: [{name: '', rules: {allowed_models: [a]}}]", "org.0.name", "''"),
        (
            "org: [{name: o, mode: off, rules: {allowed_models: [a]}}]",
            "org.0.mode",
            "False",
        ),
        (
            "{org: [{name: o, rules: &r {allowed_models: [a]}}], job: [{name: o, rules: *r}]}",
            "is wrong: two",
            "two policies are called 'o'.",
        ),
    ],
)
def test_what_is_no_policy_is_refused_with_place_and_value(tmp_path, text, place, value):
    path = written(tmp_path, text)

    with pytest.raises(InputError) as refusal:
        load_policies(path)

    sentence = str(refusal.value)
    assert repr(str(path)) in sentence
    assert place in sentence
    assert value in sentence


@pytest.mark.parametrize(
    ("rule", "name", "known"),
    [
        ("allowed_providers", "sooth", "north, south"),
        ("blocked_providers", "sooth", "north, south"),
        ("allowed_models", "c", "a, b"),
        ("blocked_models", "c", "a, b"),
        ("allowed_regions", "mars", "eu"),
        ("blocked_regions", "mars", "eu"),
        ("required_tags", "knid", "kind"),
    ],
)
def test_a_name_that_no_model_bears_is_refused(rule, name, known):
    policy = Policy(name="o", rules=Rules.model_validate({rule: [name]}))

    with pytest.raises(InputError) as refusal:
        refuse_unknown([policy], CATALOGUE)

    assert str(refusal.value) == (
        f"Policy 'o' names {name!r} in {rule}, but no model of the catalogue has that; "
        f"known are {known}."
    )


def test_names_that_models_bear_are_accepted():
    rules = Rules(
        allowed_providers=("north", "south"),
        blocked_models=("b",),
        allowed_regions=("eu",),
        required_tags=("kind",),
        max_latency_ms=1,
    )

    refuse_unknown([Policy(name="o", rules=rules)], CATALOGUE)


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_no_document_is_half_understood(tmp_path_factory, document):
    text = json.dumps({"org": document})

    with pytest.raises(InputError):
        load_policies(written(tmp_path_factory.getbasetemp(), text, name="any.json"))
