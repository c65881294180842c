"""Resolve what the groups of a registry refer to.

The format has no word for the names and the parents of spans. They stand among the annotations of
a span group, which the format leaves to tools:

    annotations:
      span_tree:
        name: task:*
        parents: [run_project]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from itertools import chain
from typing import Any, Final

from pytest_otel_spans.registries.definitions import groups_of
from pytest_otel_spans.registries.registry import (
    ROOT,
    Attribute,
    EventGroup,
    Registry,
    RegistryError,
    SpanGroup,
)
from pytest_otel_spans.registries.types import type_of

__all__ = ["resolve"]

_ANNOTATION: Final = "span_tree"
_LEVELS: Final = ("required", "conditionally_required", "recommended", "opt_in")
_REFERENCES: Final = frozenset({"id", "ref", "ref_group"})
_KINDS: Final = ("internal", "client", "server", "producer", "consumer")


def resolve(documents: Iterable[Any], shown: str) -> Registry:
    """Return the registry that is written in these documents.

    Raises:
        RegistryError: They are no registry, or refer to what is in none of them.
    """
    groups: dict[str, Mapping[str, Any]] = {}
    for group in _groups(documents, shown):
        if groups.setdefault(group["id"], group) is not group:
            raise RegistryError(f"{shown} has the group {group['id']!r} twice")
    resolver = _Resolver(groups, shown)
    spans = [resolver.span(group) for group in groups.values() if group["type"] == "span"]
    if not spans:
        raise RegistryError(f"{shown} has no group of type span")
    events = [resolver.event(group) for group in groups.values() if group["type"] == "event"]
    return Registry(
        shown=shown,
        attributes=resolver.definitions,
        spans={one.id: one for one in spans},
        events={one.id: one for one in events},
    )


def _groups(documents: Iterable[Any], shown: str) -> Iterator[Mapping[str, Any]]:
    found = [groups for one in documents if (groups := groups_of(one)) is not None]
    if not found:
        raise RegistryError(f"{shown} is no registry: it has no list of `groups`")
    for group in chain.from_iterable(found):
        if not isinstance(group, Mapping) or not isinstance(group.get("id"), str):
            raise RegistryError(f"{shown} has a group without an `id`: {group!r:.100}")
        yield {"type": "span", **group}


class _Resolver:
    """Puts what groups refer to in the place of the references."""

    def __init__(self, groups: Mapping[str, Mapping[str, Any]], shown: str) -> None:
        self._groups = groups
        self._shown = shown
        self._asked: set[str] = set()
        self.definitions: dict[str, Attribute] = {}
        for group in groups.values():
            for entry in self._entries(group):
                if "id" in entry:
                    self.definitions[entry["id"]] = self._defined(entry, group)

    def span(self, group: Mapping[str, Any]) -> SpanGroup:
        tree = self._annotation(group, group, "name", "parents")
        return SpanGroup(
            id=group["id"],
            kind=self._kind(group),
            attributes=self._attributes(group),
            events=self._events(group),
            name=self._text(tree.get("name"), group),
            parents=self._parents(tree.get("parents"), group),
        )

    def event(self, group: Mapping[str, Any]) -> EventGroup:
        name = str(group.get("name", group["id"]))
        return EventGroup(id=group["id"], name=name, attributes=self._attributes(group))

    def _kind(self, group: Mapping[str, Any]) -> str:
        kinds = [str(one.get("span_kind") or "") for one in self._lineage(group)]
        kind = next(filter(None, kinds), "internal")
        if kind not in _KINDS:
            raise self._error(group, f"has the span kind {kind!r}: one of {_listed(_KINDS)}")
        return kind

    def _events(self, group: Mapping[str, Any]) -> tuple[str, ...]:
        events = self._texts("events", group.get("events"), group)
        for id_ in events:
            if self._group(id_, group, "lists")["type"] != "event":
                raise self._error(group, f"lists {id_!r}, which is no event")
        return events

    def _attributes(self, group: Mapping[str, Any]) -> dict[str, Attribute]:
        """Return the attributes of a group: those it extends, its own in their place."""
        if group["id"] in self._asked:
            raise self._error(group, "has itself, by a `ref_group`")
        self._asked.add(group["id"])
        attributes: dict[str, Attribute] = {}
        for one in reversed(self._lineage(group)):
            for entry in self._entries(one):
                if "ref_group" in entry:
                    attributes |= self._attributes(self._group(entry["ref_group"], one, "has"))
                else:
                    attributes |= self._attribute(entry, one, attributes)
        self._asked.discard(group["id"])
        return attributes

    def _attribute(
        self, entry: Mapping[str, Any], group: Mapping[str, Any], above: Mapping[str, Attribute]
    ) -> dict[str, Attribute]:
        key = entry.get("ref", entry.get("id"))
        known = above.get(key) or self.definitions.get(key)
        if known is None:
            raise self._error(group, f"refers to {key!r}, which {self._nearest(key)}")
        return {known.key: self._overridden(known, entry, group)}

    def _lineage(self, group: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        lineage = [group]
        while (name := lineage[-1].get("extends")) is not None:
            above = self._group(name, lineage[-1], "extends")
            if above in lineage:
                raise self._error(lineage[-1], f"extends {name!r}, which extends it")
            lineage.append(above)
        return lineage

    def _group(self, name: Any, asking: Mapping[str, Any], verb: str) -> Mapping[str, Any]:
        if not isinstance(name, str) or name not in self._groups:
            raise self._error(asking, f"{verb} {name!r}, which is no group of it")
        return self._groups[name]

    def _entries(self, group: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        entries = group.get("attributes") or []
        if not isinstance(entries, list):
            raise self._error(group, f"has the attributes {entries!r:.100}, which are no list")
        for entry in entries:
            references = _REFERENCES & entry.keys() if isinstance(entry, Mapping) else ()
            if not references or not all(isinstance(entry[one], str) for one in references):
                raise self._error(
                    group,
                    f"has an attribute with no `id` and no `ref` that is text: {entry!r:.100}",
                )
        return entries

    def _defined(self, entry: Mapping[str, Any], group: Mapping[str, Any]) -> Attribute:
        kind = type_of(entry.get("type"))
        if kind is None:
            raise self._error(group, f"gives {entry['id']!r} the type {entry.get('type')!r}")
        return self._overridden(Attribute(key=entry["id"], type=kind), entry, group)

    def _overridden(
        self, attribute: Attribute, entry: Mapping[str, Any], group: Mapping[str, Any]
    ) -> Attribute:
        """Return the attribute with what an entry says of it."""
        level = entry.get("requirement_level", attribute.level)
        if isinstance(level, Mapping):
            level = next(iter(level), None)
        if level not in _LEVELS:
            raise self._error(
                group,
                f"requires {attribute.key!r} at the level {level!r}: one of {_listed(_LEVELS)}",
            )
        value = self._annotation(entry, group, "value").get("value", attribute.value)
        return replace(attribute, level=level, value=value)

    def _annotation(
        self, entry: Mapping[str, Any], group: Mapping[str, Any], *words: str
    ) -> Mapping[str, Any]:
        """Return what the entry says to us, in these words."""
        annotations = entry.get("annotations")
        said = annotations.get(_ANNOTATION) if isinstance(annotations, Mapping) else None
        if said is None:
            return {}
        if not isinstance(said, Mapping) or not said.keys() <= set(words):
            raise self._error(group, f"has {_ANNOTATION}: {said!r}, which may say {_listed(words)}")
        return said

    def _nearest(self, key: object) -> str:
        close = get_close_matches(str(key), self.definitions, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ": give the folder of all its files"
        return f"no group defines{hint}"

    def _text(self, value: Any, group: Mapping[str, Any]) -> str | None:
        if value is not None and not isinstance(value, str):
            raise self._error(group, f"has the name {value!r}, which is no text")
        return value

    def _parents(self, values: Any, group: Mapping[str, Any]) -> tuple[str, ...]:
        parents = self._texts("parents", values, group)
        if values is not None and not parents:
            raise self._error(group, f"has no parents at all: for a root, say [{ROOT!r}]")
        return parents

    def _texts(self, what: str, values: Any, group: Mapping[str, Any]) -> tuple[str, ...]:
        if values is None:
            return ()
        if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
            raise self._error(group, f"has the {what} {values!r}, which is no list of names")
        return tuple(values)

    def _error(self, group: Mapping[str, Any], what: str) -> RegistryError:
        return RegistryError(f"{self._shown}: the group {group['id']!r} {what}")


def _listed(words: Sequence[str]) -> str:
    return ", ".join(map(repr, words))
