"""The span schema as a registry for machines: docs/spans.yaml.

The format is that of OpenTelemetry's semantic conventions, as its tool weaver reads it. It has no
word for a span's name or its parents: these are annotations, which pytest_otel_spans reads.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import yaml

from orchestrator import spans as names
from orchestrator.spans.schema import EXCEPTION, SCHEMA
from orchestrator.spans.spec import EventSpec, Key, SpanSpec

Entry = dict[str, Any]
Keys = Mapping[str, list[Key]]

_HEAD: Final = """\
# The spans of a run, as a registry in the format of OpenTelemetry's semantic conventions.
# Printed from the schema by `python -m orchestrator.spans docs`; a test compares the two.
"""
_TYPES: Final = {
    "str": "string",
    "int": "int",
    "float": "double",
    "bool": "boolean",
    "str[]": "string[]",
}
_STABLE: Final = ("error.type", "exception.", "http.", "server.")
"""What OpenTelemetry calls stable of the keys that are its own."""

_QUOTED: Final = re.compile(r"`([^`]+)`")
"""How a brief names the values that a text may have."""
_ROOT: Final = "/"
"""What stands among the parents of a span that may be a root."""


def registry() -> str:
    """The whole file."""
    text = yaml.dump(
        {"groups": list(_groups())},
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=100,
    )
    return _HEAD + text.replace("\n  - ", "\n\n  - ")  # a line between two groups


class _Dumper(yaml.SafeDumper):
    """Writes what is below a key further in than the key, and everything where it belongs."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - as the parent has it
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - as the parent has it
        super().increase_indent(flow, indentless=False)


def _groups() -> Iterator[Entry]:
    keys = _keys()
    ours = {name for name in keys if "." not in name or name.startswith("orchestrator.")}
    yield _attribute_group("orchestrator", "Keys of the orchestrator.", ours, keys)
    yield _attribute_group("conventions", "Keys that others defined.", keys.keys() - ours, keys)
    for spec in SCHEMA:
        yield from _span_groups(spec, keys)
    for event in _events():
        yield {
            "id": _event_id(event),
            "type": "event",
            "name": event.name,
            "stability": "development",
            "brief": _sentence(event.brief),
            "attributes": [_reference(key, keys) for key in event.keys],
        }


def _events() -> tuple[EventSpec, ...]:
    return (*(event for spec in SCHEMA for event in spec.events), EXCEPTION)


def _keys() -> dict[str, list[Key]]:
    """Every key, each time that it stands in the table."""
    keys: dict[str, list[Key]] = {}
    rows = [key for spec in SCHEMA for key in spec.keys]
    rows += [key for event in _events() for key in event.keys]
    rows += [_link(link.kind) for spec in SCHEMA for link in spec.links]
    for key in rows:
        keys.setdefault(key.name, []).append(key)
    return keys


def _link(kind: str) -> Key:
    return Key(name=names.LINK_KIND, type="str", brief=f"`{kind}`", value=kind)


def _attribute_group(name: str, brief: str, own: Iterable[str], keys: Keys) -> Entry:
    return {
        "id": f"registry.{name}",
        "type": "attribute_group",
        "brief": brief,
        "attributes": [_definition(keys[one]) for one in sorted(own)],
    }


def _definition(rows: list[Key]) -> Entry:
    """What is the same wherever the key stands: its first row speaks for all."""
    key = rows[0]
    fixed = key.value is not None
    entry = {
        "id": key.name,
        "type": {"members": _members(rows)} if fixed else _TYPES[key.type],
        "stability": _stability(key),
        "brief": "One of these." if fixed else _sentence(key.brief),
    }
    named = _QUOTED.findall(key.brief) if key.type == "str" and not fixed else []
    return entry | ({"examples": named} if named else {})


def _members(rows: list[Key]) -> list[Entry]:
    values = dict.fromkeys(row.value for row in rows)
    return [
        {"id": str(value).lower(), "value": value, "stability": _stability(rows[0])}
        for value in values
    ]


def _stability(key: Key) -> str:
    return "stable" if key.founding or key.name.startswith(_STABLE) else "development"


def _span_groups(spec: SpanSpec, keys: Keys) -> Iterator[Entry]:
    """One group for each kind that such a span may be of; the others extend the first."""
    first = f"span.{spec.name.rstrip(':')}"
    where = {
        "name": f"{spec.name}*" if spec.suffix else spec.name,
        "parents": [_pattern(parent) for parent in spec.parents] or [_ROOT],
    }
    for kind in map(str.lower, spec.kinds):
        entry: Entry = {
            "id": first if kind == spec.kinds[0].lower() else f"{first}.{kind}",
            "type": "span",
            "span_kind": kind,
            "stability": "development",
            "brief": spec.brief,
            "annotations": {"span_tree": where},
            "events": [_event_id(event) for event in (*spec.events, EXCEPTION)],
        }
        if entry["id"] == first:
            entry["attributes"] = [_reference(key, keys) for key in spec.keys]
        else:
            entry["extends"] = first
        yield entry


def _pattern(name: str) -> str:
    return f"{name}*" if name.endswith(":") else name


def _event_id(event: EventSpec) -> str:
    return f"event.{event.name}"


def _reference(key: Key, keys: Keys) -> Entry:
    """A key as one kind of span or event has it, where that says more than its definition."""
    entry: Entry = {"ref": key.name, "requirement_level": _level(key)}
    if key.value is not None:
        entry["brief"] = f"Always {key.brief}."
    elif key.brief != keys[key.name][0].brief:
        entry["brief"] = _sentence(key.brief)
    if key.at == "start":
        entry["sampling_relevant"] = True
    if key.value is not None:
        entry["annotations"] = {"span_tree": {"value": key.value}}
    return entry


def _level(key: Key) -> str | dict[str, str]:
    if key.opt_in:
        return "opt_in"
    return {"conditionally_required": f"when {key.condition}"} if key.condition else "required"


def _sentence(brief: str) -> str:
    return brief if brief.endswith(".") else f"{brief[0].upper()}{brief[1:]}."
