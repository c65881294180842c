"""What nobody can have meant is found in policies before anybody obeys them."""

from pathlib import Path

import pytest
from hypothesis import given, settings

from orchestrator.catalogue import ModelEntry
from orchestrator.cli.commands import answer
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.errors import InputError
from orchestrator.policies import Policy, Rules
from orchestrator.policy_lint import Finding, lint, refuse_unsatisfiable
from tests.policy_sets import candidates, forbids, policy_sets

EXAMPLE = Path(__file__).parents[1] / "examples" / "policies.yaml"

A = ModelEntry(id="a", provider="north", api="offline", region="eu")
B = ModelEntry(id="b", provider="south", api="offline", region="us")
DEAR = ModelEntry.model_validate(
    {"id": "dear", "provider": "south", "api": "offline", "price": {"input": 100, "output": 100}}
)


def policy(name="p", mode="hard", **rules):
    return Policy(name=name, mode=mode, rules=Rules(**rules))


def error(sentence):
    return Finding(severity="error", sentence=sentence)


def warning(sentence):
    return Finding(severity="warning", sentence=sentence)


def test_policies_that_fit_together_are_silent():
    policies = [policy("one", blocked_models=["dear"]), policy("two", max_cost_per_task_usd=1)]

    assert lint(policies, [A, B, DEAR]) == ()


def test_a_later_level_may_narrow_what_an_earlier_one_allows():
    policies = [policy("org", allowed_providers=["north", "south"]), policy(blocked_models=["b"])]

    assert lint(policies, [A, B, ModelEntry(id="c", provider="south", api="offline")]) == ()


def test_a_name_both_allowed_and_blocked_is_an_error():
    findings = lint([policy(allowed_models=["a", "b"], blocked_models=["b"])], [A, B])

    assert error("Policy 'p' both allows and blocks 'b' in models.") in findings


def test_lists_without_a_common_name_are_an_error_and_so_is_that_nobody_is_left():
    policies = [
        policy("org", allowed_providers=["north"]),
        policy("team", allowed_providers=["south"]),
    ]

    assert lint(policies, [A, B]) == (
        error(
            "Policies 'org' and 'team' have no name in common in allowed_providers, so no model "
            "satisfies both."
        ),
        error(
            "No model of the catalogue satisfies the policies: 'a' breaks allowed_providers of "
            "policy 'team' (its provider is north); 'b' breaks allowed_providers of policy 'org' "
            "(its provider is south)."
        ),
        warning(
            "Policy 'team' allows 'south' in allowed_providers in vain: 'b' breaks "
            "allowed_providers of policy 'org' (its provider is south)."
        ),
    )


def test_a_looser_limit_below_a_stricter_one_never_binds():
    policies = [
        policy("org", max_cost_per_task_usd=0.5),
        policy("job", max_cost_per_task_usd=2),
    ]

    assert lint(policies, [A, B]) == (
        warning(
            "Policy 'job' limits max_cost_per_task_usd to 2 in vain: policy 'org' limits it to 0.5."
        ),
    )


def test_a_stricter_limit_below_a_looser_one_binds():
    policies = [policy("org", max_latency_ms=900), policy("job", max_latency_ms=300)]

    assert lint(policies, [A, B]) == ()


def test_a_limit_that_is_stated_twice_binds_once():
    policies = [policy("org", max_latency_ms=300), policy("job", max_latency_ms=300)]

    assert lint(policies, [A, B]) == (
        warning(
            "Policy 'job' limits max_latency_ms to 300 in vain: policy 'org' limits it to 300."
        ),
    )


def test_what_nobody_bears_is_not_said_to_be_excluded():
    # The command refuses such a name before anything is linted.
    policies = [policy("org", blocked_models=["b"]), policy("job", allowed_models=["a", "nobody"])]

    assert not any("nobody" in finding.sentence for finding in lint(policies, [A, B]))


def test_where_hard_policies_leave_nobody_soft_ones_are_not_blamed():
    policies = [policy("org", required_tags=["kind"]), policy("job", "soft", allowed_models=["a"])]

    assert not any("soft" in finding.sentence for finding in lint(policies, [A, B]))


def test_soft_policies_that_nobody_keeps_together_have_no_effect():
    policies = [
        policy("quick", "soft", allowed_models=["a"]),
        policy("cheap", "soft", allowed_models=["b"]),
    ]

    assert lint(policies, [A, B]) == (
        warning(
            "The soft policies 'quick', 'cheap' have no effect together: every model that may "
            "serve breaks one of them, and then all of them are kept."
        ),
    )
    assert lint(policies[:1], [A, B]) == ()


def test_a_soft_policy_that_everybody_breaks_has_no_effect():
    assert lint([policy(mode="soft", required_tags=["kind"])], [A, B]) == (
        warning(
            "Policy 'p' is soft and has no effect: every model that may serve breaks it, and then "
            "all of them are kept."
        ),
    )


def test_a_policy_that_leaves_one_provider_leaves_no_independent_critique():
    assert lint([policy(blocked_providers=["south"])], [A, B, DEAR]) == (
        warning(
            "Only models of 'north' may serve, so no critique comes from another provider than "
            "the draft."
        ),
    )


def test_what_no_ready_model_satisfies_is_refused_before_the_run():
    with pytest.raises(InputError) as refusal:
        refuse_unsatisfiable([policy(allowed_regions=["eu"])], [B])

    assert str(refusal.value) == (
        "No model that is ready satisfies the policies: 'b' breaks allowed_regions of policy 'p' "
        "(its region is us). Change the policy file, or make a model ready that it allows."
    )


@settings(deadline=None)
@given(policy_sets, candidates)
def test_that_nobody_is_left_is_found_exactly_when_it_is_so(policies, candidates):
    hard = [policy.rules for policy in policies if policy.mode == "hard"]
    is_anybody_left = any(not any(forbids(rules, model) for rules in hard) for model in candidates)

    sentences = [finding.sentence for finding in lint(policies, candidates)]

    said = any(sentence.startswith("No model of the catalogue") for sentence in sentences)
    assert said is not is_anybody_left


def test_the_command_lists_findings_and_counts_them(tmp_path, capsys):
    path = tmp_path / "policies.yaml"
    path.write_text(
        "org: [{name: no-training, rules: {required_tags: [no_train]}}]\n"
        "job: [{name: ours, rules: {allowed_providers: [openai]}}]\n"
    )

    assert answer(["policies", "lint", str(path)], {}) is ExitCode.FAILURE

    *findings, last = capsys.readouterr().out.splitlines()
    assert last == f"2 policies in {path}: 1 error, 1 warning"
    assert findings[0].startswith("error: No model of the catalogue satisfies the policies: ")
    assert findings[1].startswith("warning: Policy 'ours' allows 'openai' in allowed_providers in")


def test_the_example_has_no_contradiction(capsys):
    assert answer(["policies", "lint", str(EXAMPLE)], {}) is ExitCode.SUCCESS

    assert "error:" not in capsys.readouterr().out


def test_a_file_that_is_no_policy_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="Cannot read the policy file"):
        answer(["policies", "lint", str(tmp_path / "none.yaml")], {})
