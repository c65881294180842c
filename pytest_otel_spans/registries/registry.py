"""What a registry in OpenTelemetry's semantic-convention format says, with all references resolved.

The format has no word for the names and the parents of spans. They stand among the annotations of
a span group, which the format leaves to tools:

    annotations:
      span_tree:
        name: task:*
        parents: [run_project]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import chain
from typing import Any, Final

from pytest_otel_spans.registries.definitions import groups_of
from pytest_otel_spans.registries.types import Type, type_of

__all__ = ["ROOT", "Attribute", "EventGroup", "Registry", "RegistryError", "SpanGroup", "resolve"]

ROOT: Final = "/"
"""What stands among the parents of a span that may be a root."""
_ANNOTATION: Final = "span_tree"
_REFERENCES: Final = frozenset({"id", "ref", "ref_group"})


class RegistryError(ValueError):
    """A registry that says nothing one could hold spans against; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """An attribute, as a group has it.

    Attributes:
        key: The key.
        type: The type of its value; a template is a prefix that stands before a dot.
        level: `"required"`, `"conditionally_required"`, `"recommended"` or `"opt_in"`.
        value: The one value it ever has there; None where it may have others.
    """

    key: str
    type: Type
    level: str = "recommended"
    value: Any = None

    @property
    def is_needed(self) -> bool:
        """Whether it must be there."""
        return self.level == "required" and not self.type.is_template

    def takes(self, value: Any) -> bool:
        """Whether it may have the value, where it is no template: those have keys of their own."""
        return not self.type.is_template and self.type.holds(value) and self.value in (None, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventGroup:
    """A kind of event, by its name."""

    id: str
    name: str
    attributes: Mapping[str, Attribute]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanGroup:
    """A kind of span.

    Attributes:
        id: The id of the group.
        kind: The span kind.
        attributes: What such a span has, by key.
        events: The ids of the events that it may have; none: of any.
        name: The names of such spans, `*` being a wildcard; None where the registry does not say.
        parents: The names of what it may hang under, `"/"` for a root; none: under anything.
    """

    id: str
    kind: str
    attributes: Mapping[str, Attribute]
    events: tuple[str, ...] = ()
    name: str | None = None
    parents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """A registry.

    Attributes:
        shown: What it is called in a message: the path that was given.
        attributes: Every attribute that it defines, by key.
        spans: Its kinds of spans, by id.
        events: Its kinds of events, by id.
    """

    shown: str
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    spans: Mapping[str, SpanGroup] = field(default_factory=dict)
    events: Mapping[str, EventGroup] = field(default_factory=dict)


def resolve(documents: Iterable[Any], shown: str) -> Registry:
    """Return the registry that is written in these documents.

    Raises:
        RegistryError: They are no registry, or refer to what is in none of them.
    """
    groups = {group["id"]: group for group in _groups(documents, shown)}
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
        tree = _annotation(group)
        kinds = [str(one.get("span_kind") or "") for one in self._lineage(group)]
        return SpanGroup(
            id=group["id"],
            kind=next(filter(None, kinds), "internal"),
            attributes=self._attributes(group),
            events=tuple(group.get("events") or ()),
            name=self._text(tree.get("name"), group),
            parents=tuple(self._texts(tree.get("parents"), group)),
        )

    def event(self, group: Mapping[str, Any]) -> EventGroup:
        name = str(group.get("name", group["id"]))
        return EventGroup(id=group["id"], name=name, attributes=self._attributes(group))

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
        return {known.key: _overridden(known, entry)}

    def _lineage(self, group: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        lineage = [group]
        while (name := lineage[-1].get("extends")) is not None:
            above = self._group(name, lineage[-1], "extends")
            if above in lineage:
                raise self._error(lineage[-1], f"extends {name!r}, which extends it")
            lineage.append(above)
        return lineage

    def _group(self, name: Any, asking: Mapping[str, Any], verb: str) -> Mapping[str, Any]:
        if name not in self._groups:
            raise self._error(asking, f"{verb} {name!r}, which is no group of it")
        return self._groups[name]

    def _entries(self, group: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        entries = group.get("attributes") or []
        for entry in entries:
            if not isinstance(entry, Mapping) or not _REFERENCES & entry.keys():
                raise self._error(
                    group, f"has an attribute with no `id` and no `ref`: {entry!r:.100}"
                )
        return entries

    def _defined(self, entry: Mapping[str, Any], group: Mapping[str, Any]) -> Attribute:
        kind = type_of(entry.get("type"))
        if kind is None:
            raise self._error(group, f"gives {entry['id']!r} the type {entry.get('type')!r}")
        return _overridden(Attribute(key=entry["id"], type=kind), entry)

    def _nearest(self, key: object) -> str:
        close = get_close_matches(str(key), self.definitions, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ": give the folder of all its files"
        return f"no group defines{hint}"

    def _text(self, value: Any, group: Mapping[str, Any]) -> str | None:
        if value is not None and not isinstance(value, str):
            raise self._error(group, f"has the name {value!r}, which is no text")
        return value

    def _texts(self, values: Any, group: Mapping[str, Any]) -> Sequence[str]:
        if values is None:
            return ()
        if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
            raise self._error(group, f"has the parents {values!r}, which is no list of names")
        if not values:
            raise self._error(group, f"has no parents at all: for a root, say [{ROOT!r}]")
        return values

    def _error(self, group: Mapping[str, Any], what: str) -> RegistryError:
        return RegistryError(f"{self._shown}: the group {group['id']!r} {what}")


def _overridden(attribute: Attribute, entry: Mapping[str, Any]) -> Attribute:
    """Return the attribute with what a reference says of it."""
    level = entry.get("requirement_level", attribute.level)
    if isinstance(level, Mapping):
        level = next(iter(level), "recommended")
    value = _annotation(entry).get("value", attribute.value)
    return replace(attribute, level=str(level), value=value)


def _annotation(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    annotations = entry.get("annotations")
    tree = annotations.get(_ANNOTATION) if isinstance(annotations, Mapping) else None
    return tree if isinstance(tree, Mapping) else {}
