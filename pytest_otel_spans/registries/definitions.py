"""Read the groups of a document: as they stand, or from the definitions of the second format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["groups_of"]

_SECOND = "definition/2"


def groups_of(document: Any) -> list[Any] | None:
    """Return the groups that a document holds, None where it is no part of a registry.

    The second format tells attributes, spans and events apart by lists of their own. What they say
    is what groups say, but that an attribute may stand for a whole group (`ref_group`), and that a
    span may refine another one (`span_refinements`).
    """
    if not isinstance(document, Mapping):
        return None
    if document.get("file_format") == _SECOND:
        return list(_defined(document))
    groups = document.get("groups")
    return groups if isinstance(groups, list) else None


def _defined(document: Mapping[str, Any]) -> Iterator[Any]:
    attributes = [{**one, "id": one.get("key")} for one in _list(document, "attributes")]
    if attributes:
        keys = ", ".join(str(one["id"]) for one in attributes)
        yield {"id": f"attributes {keys}", "type": "attribute_group", "attributes": attributes}
    for one in _list(document, "attribute_groups"):
        yield {**one, "type": "attribute_group"}
    for one in _list(document, "spans"):
        yield {**one, "id": f"span.{one.get('type')}", "type": "span", "span_kind": one.get("kind")}
    for one in _list(document, "events"):
        yield {**one, "id": f"event.{one.get('name')}", "type": "event"}
    for one in _list(document, "span_refinements"):
        yield {**one, "type": "span", "extends": f"span.{one.get('ref')}"}
    for one in _list(document, "event_refinements"):
        name = one.get("ref")
        yield {**one, "type": "event", "name": name, "extends": f"event.{name}"}


def _list(document: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    entries = document.get(key) or []
    return [one for one in entries if isinstance(one, Mapping)]
