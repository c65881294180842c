"""docs/spans.yaml is a registry of OpenTelemetry's format, and says what the schema says.

The format's own JSON schema is published in no package; the rules here are those of its tool.
"""

from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from orchestrator.spans.__main__ import main
from orchestrator.spans.registry import registry
from orchestrator.spans.schema import EXCEPTION, SCHEMA

FILE: Final = Path(__file__).parent.parent / "docs" / "spans.yaml"
GROUPS: Final[list[dict[str, Any]]] = yaml.safe_load(FILE.read_bytes())["groups"]
BY_ID: Final = {group["id"]: group for group in GROUPS}
SPANS: Final = [group for group in GROUPS if group["type"] == "span"]
EVENTS: Final = [group for group in GROUPS if group["type"] == "event"]
DEFINED: Final = {
    entry["id"]: entry for group in GROUPS for entry in group.get("attributes", ()) if "id" in entry
}

STABILITIES: Final = {"stable", "development", "alpha", "beta", "release_candidate"}
TYPES: Final = {"string", "int", "double", "boolean"}
TYPES_OF_LISTS: Final = {f"{each}[]" for each in TYPES}
KINDS: Final = {"client", "server", "producer", "consumer", "internal"}
FIELDS: Final = {
    "attribute_group": {"attributes"},
    "event": {"name", "attributes"},
    "span": {"span_kind", "events", "attributes", "extends"},
}
FIELDS_OF_ALL: Final = {"id", "type", "stability", "brief", "annotations"}
DEFINITION: Final = {"id", "type", "stability", "brief"}
REFERENCE: Final = {"ref", "requirement_level", "brief", "sampling_relevant", "annotations"}
ids = [group["id"] for group in GROUPS]


def test_the_file_is_the_one_that_the_schema_prints() -> None:
    assert FILE.read_text(encoding="utf-8") == registry(), (
        "docs/spans.yaml is not what the schema says; run `python -m orchestrator.spans docs`"
    )


def test_both_files_are_written_by_one_command(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) is None

    for name in ("spans.md", "spans.yaml"):
        written = (tmp_path / name).read_bytes()
        assert written == (FILE.parent / name).read_bytes()


@pytest.mark.parametrize("arguments", [[], ["nowhere"], ["docs", "docs"]])
def test_the_command_asks_for_a_folder(arguments: list[str]) -> None:
    assert main(arguments) == (
        "Name the folder of spans.md and spans.yaml: python -m orchestrator.spans docs"
    )


# The rules of the format


def test_every_group_has_an_id_of_its_own() -> None:
    assert [id_ for id_, number in Counter(ids).items() if number > 1] == []


@pytest.mark.parametrize("group", GROUPS, ids=ids)
def test_a_group_has_what_its_type_asks_for_and_nothing_else(group: dict[str, Any]) -> None:
    assert group.keys() <= FIELDS_OF_ALL | FIELDS[group["type"]]
    assert group["brief"]
    assert group.get("attributes") or "extends" in group
    if group["type"] != "attribute_group":
        assert group["stability"] in STABILITIES
    if group["type"] == "span":
        assert group["span_kind"] in KINDS
        assert {BY_ID[one]["type"] for one in group["events"]} <= {"event"}
        assert group.get("extends") in {None, *ids}
    if group["type"] == "event":
        assert group["name"]


def test_every_attribute_is_defined_once_and_whole() -> None:
    entries = [entry for group in GROUPS for entry in group.get("attributes", ()) if "id" in entry]

    assert len(entries) == len(DEFINED)
    for entry in entries:
        assert entry.keys() - {"examples"} == DEFINITION, entry["id"]
        assert all(type(one) is str for one in entry.get("examples", ())), entry["id"]
        assert entry["stability"] in STABILITIES
        members = entry["type"]["members"] if isinstance(entry["type"], dict) else []
        assert members or entry["type"] in TYPES | TYPES_OF_LISTS
        for member in members:
            assert {"id", "value", "stability"} == member.keys()


@pytest.mark.parametrize("group", [*SPANS, *EVENTS], ids=lambda group: group["id"])
def test_a_reference_is_to_a_definition_and_stands_once(group: dict[str, Any]) -> None:
    entries = group.get("attributes", [])

    assert len({entry["ref"] for entry in entries}) == len(entries)
    for entry in entries:
        assert entry.keys() <= REFERENCE
        assert entry["ref"] in DEFINED
        level = entry["requirement_level"]
        condition = level.get("conditionally_required") if isinstance(level, dict) else ""
        assert condition or level in {"required", "opt_in"}


# What the schema says


def test_a_key_is_of_one_type_wherever_it_stands() -> None:
    types: dict[str, set[str]] = {}
    events = (EXCEPTION, *(event for spec in SCHEMA for event in spec.events))
    for keys in (*(spec.keys for spec in SCHEMA), *(event.keys for event in events)):
        for key in keys:
            types.setdefault(key.name, set()).add(key.type)

    assert {name: found for name, found in types.items() if len(found) > 1} == {}


def test_every_kind_of_every_span_is_a_group_with_its_name_and_its_parents() -> None:
    told = [(one["span_kind"], *one["annotations"]["span_tree"].values()) for one in SPANS]

    assert told == [
        ("internal", "run_project", ["/"]),
        ("internal", "decompose", ["run_project"]),
        ("internal", "task:*", ["run_project"]),
        ("client", "llm_call:*", ["decompose", "task:*", "remediation"]),
        ("internal", "llm_call:*", ["decompose", "task:*", "remediation"]),
        ("internal", "policy_check", ["decompose", "task:*", "remediation"]),
        ("internal", "validation", ["task:*", "remediation"]),
        ("internal", "remediation", ["task:*", "remediation"]),
    ]


def test_what_is_founding_is_stable_and_required_unless_it_has_a_condition() -> None:
    founding = {key.name for spec in SCHEMA for key in spec.keys if key.founding}
    levels = {
        entry["ref"]: entry["requirement_level"]
        for group in SPANS
        for entry in group.get("attributes", ())
        if entry["ref"] in founding
    }

    assert {DEFINED[name]["stability"] for name in founding} == {"stable"}
    assert {name for name, level in levels.items() if level != "required"} == {"model_selected"}
