"""The schema is whole: every name has a row, every founding name is there, the page is printed."""

from pathlib import Path

import pytest

from orchestrator import spans as names
from orchestrator.spans.page import page
from orchestrator.spans.schema import EXCEPTION, SCHEMA, spec_of

PAGE = Path(__file__).parent.parent / "docs" / "spans.md"

EVENTS = (EXCEPTION, *(event for spec in SCHEMA for event in spec.events))


def test_the_page_is_the_one_that_the_schema_prints():
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "docs/spans.md is not what the schema says; run `python -m orchestrator.spans docs`"
    )


def test_every_name_has_its_place_in_the_schema():
    placed = {key.name for spec in SCHEMA for key in spec.keys}
    placed |= {spec.name for spec in SCHEMA}
    placed |= {event.name for event in EVENTS}
    placed |= {key.name for event in EVENTS for key in event.keys}
    placed |= {link.kind for spec in SCHEMA for link in spec.links}
    placed |= {names.LINK_KIND}

    spelled = {value for name, value in vars(names).items() if name.isupper()}
    assert spelled == placed


def test_the_founding_names_are_the_ones_that_were_promised():
    founding = {
        spec.name: {key.name for key in spec.keys if key.founding}
        for spec in SCHEMA
        if any(key.founding for key in spec.keys)
    }

    assert founding == {
        "run_project": {"project_id", "status", "total_cost_usd"},
        "task:": {"task_type", "model_selected", "iteration"},
        "llm_call:": {"model", "tokens_in", "tokens_out", "cost_usd", "latency_ms"},
        "policy_check": {"policies_count", "passed", "violations_count"},
        "remediation": {"strategy", "trigger_reason", "success"},
    }


def test_what_backends_sum_stands_on_the_call_alone():
    summed = {"model", "cost_usd", "tokens_in", "tokens_out", "operation.cost"}
    prefixes = ("gen_ai.usage.", "gen_ai.request.", "gen_ai.provider.")

    elsewhere = [
        (spec.name, key.name)
        for spec in SCHEMA
        for key in spec.keys
        if spec.name != names.SPAN_LLM_CALL
        and (key.name in summed or key.name.startswith(prefixes))
    ]
    assert elsewhere == []


def test_every_parent_is_a_span_of_the_schema():
    known = {spec.name for spec in SCHEMA}

    assert {parent for spec in SCHEMA for parent in spec.parents} <= known


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("run_project", "run_project"),
        ("task:t1", "task:"),
        ("llm_call:critique", "llm_call:"),
        ("policy_check", "policy_check"),
    ],
)
def test_a_span_finds_its_spec_by_name(name, spec):
    found = spec_of(name)

    assert found is not None
    assert found.name == spec


def test_a_span_of_others_has_no_spec():
    assert spec_of("GET /users") is None
