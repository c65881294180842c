"""Find where spans are not what a registry says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pytest_otel_spans.patterns.names import name_matches
from pytest_otel_spans.patterns.words import absent
from pytest_otel_spans.registries.registry import (
    ROOT,
    Attribute,
    EventGroup,
    Registry,
    RegistryError,
    SpanGroup,
)
from pytest_otel_spans.text.render import path_text
from pytest_otel_spans.tree import SpanNode

__all__ = ["Deviation", "Judge"]

What: TypeAlias = Literal["name", "parent", "kind", "key", "missing", "type", "value", "event"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """One thing in which a span is not what the registry says.

    Attributes:
        what: What it is: the name of the span, which no group is for; its parent, its kind; a key
            that is not known, one that is missing; the type of a value, a value; an event.
        node: The span.
        group: The id of its group, "" where there is none.
        key: The attribute.
        place: The event or the link that has the attribute, "" where the span itself has it.
        expected: What the registry says.
        actual: What there is.
    """

    what: What
    node: SpanNode
    group: str = ""
    key: str = ""
    place: str = ""
    expected: Any = absent
    actual: Any = absent

    @property
    def path(self) -> str:
        """The path of the span."""
        return path_text(self.node)


class Judge:
    """Knows for every span the group that it is held against."""

    def __init__(self, registry: Registry, groups: Mapping[str, str]) -> None:
        """Make the judge.

        Args:
            registry: The registry.
            groups: The ids of groups, by the names of the spans that are of them.

        Raises:
            RegistryError: There is no such group, or none that is for any name.
        """
        for id_ in groups.values():
            if id_ not in registry.spans:
                known = ", ".join(map(repr, registry.spans))
                raise RegistryError(f"{registry.shown} has no span group {id_!r}; it has {known}")
        self._registry = registry
        self._named = [(name, registry.spans[id_]) for name, id_ in groups.items()]
        self._named += [(one.name, one) for one in registry.spans.values() if one.name is not None]
        self._groups: dict[tuple[str, str], SpanGroup | None] = {}
        self._events: dict[str, list[EventGroup]] = {}
        for event in registry.events.values():
            self._events.setdefault(event.name, []).append(event)
        if not self._named:
            first = next(iter(registry.spans))
            raise RegistryError(
                f"no group of {registry.shown} says which spans it is for: annotate them, or name "
                f"them here, as in groups={{'GET *': {first!r}}}"
            )

    @property
    def names(self) -> list[str]:
        """The names of spans for which there is a group."""
        return [name for name, _ in self._named]

    @property
    def keys(self) -> list[str]:
        """The keys that the registry defines."""
        return list(self._registry.attributes)

    def group_of(self, node: SpanNode) -> SpanGroup | None:
        """Return the group of a span: of those for its name the nearest, then that of its kind."""
        known = (node.name, node.kind)
        if known not in self._groups:
            self._groups[known] = self._find(*known)
        return self._groups[known]

    def _find(self, span: str, kind: str) -> SpanGroup | None:
        fitting = [one for one in self._named if name_matches(one[0], span)]
        if not fitting:
            return None
        nearest = max(_nearness(name) for name, _ in fitting)
        groups = [group for name, group in fitting if _nearness(name) == nearest]
        return next((one for one in groups if one.kind == kind), groups[0])

    def deviations(self, node: SpanNode) -> Iterator[Deviation]:
        """Yield what is wrong with one span."""
        group = self.group_of(node)
        if group is None:
            yield Deviation(what="name", node=node, actual=node.name)
            return
        if not self._may_hang_there(node, group):
            above = node.parent and node.parent.name
            yield Deviation(
                what="parent", node=node, group=group.id, expected=group.parents, actual=above
            )
        if node.kind != group.kind:
            yield Deviation(
                what="kind", node=node, group=group.id, expected=group.kind, actual=node.kind
            )
        yield from self._wrong_keys(node, group.id, "", group.attributes, node.attributes)
        yield from self._wrong_events(node, group)
        for link in node.links:
            place = "~>" if link.target is None else f"~> {path_text(link.target)}"
            known = self._registry.attributes
            yield from self._wrong_keys(
                node, group.id, place, known, link.attributes, may_lack=True
            )

    def _may_hang_there(self, node: SpanNode, group: SpanGroup) -> bool:
        if not group.parents:
            return True
        if node.parent is None:
            # A parent that was not captured may be any.
            return ROOT in group.parents or node.span.parent is not None
        if ROOT in group.parents and self.group_of(node.parent) is None:
            return True  # above it is a caller, of which the registry knows nothing
        return any(name_matches(name, node.parent.name) for name in group.parents)

    def _wrong_events(self, node: SpanNode, group: SpanGroup) -> Iterator[Deviation]:
        for event in node.events:
            place = f"! {event.name}"
            groups = self._events.get(event.name, [])
            own = [one for one in groups if one.id in group.events]
            if group.events and not own:
                yield Deviation(
                    what="event", node=node, group=group.id, place=place, actual=event.name
                )
            elif chosen := (own or groups)[:1]:
                known = chosen[0].attributes
                yield from self._wrong_keys(node, chosen[0].id, place, known, event.attributes)

    def _wrong_keys(
        self,
        node: SpanNode,
        group: str,
        place: str,
        known: Mapping[str, Attribute],
        attributes: Mapping[str, Any],
        *,
        may_lack: bool = False,
    ) -> Iterator[Deviation]:
        def deviation(what: What, key: str, expected: Any, actual: Any) -> Deviation:
            return Deviation(
                what=what,
                node=node,
                group=group,
                key=key,
                place=place,
                expected=expected,
                actual=actual,
            )

        for key, value in attributes.items():
            attribute = known.get(key)
            if attribute is not None and attribute.takes(value):
                continue
            attribute = _defined(key, known)
            if attribute is None:
                yield deviation("key", key, _defined(key, self._registry.attributes), value)
            elif not attribute.type.holds(value):
                yield deviation("type", key, attribute.type.text, value)
            elif attribute.value is not None and attribute.value != value:
                yield deviation("value", key, attribute.value, value)
        for key, attribute in known.items():
            if attribute.is_needed and key not in attributes and not may_lack:
                yield deviation("missing", key, attribute.type.text, absent)


def _nearness(name: str) -> tuple[bool, int]:
    """How much a name says: without a wildcard all, with one as much as it has letters."""
    return "*" not in name, len(name)


def _defined(key: str, known: Mapping[str, Attribute]) -> Attribute | None:
    """Return the attribute of a key: under its own name, or that of a template before it."""
    found = known.get(key)
    if found is not None and not found.type.is_template:
        return found
    pieces = key.split(".")
    for end in range(len(pieces) - 1, 0, -1):
        above = known.get(".".join(pieces[:end]))
        if above is not None and above.type.is_template:
            return above
    return None
