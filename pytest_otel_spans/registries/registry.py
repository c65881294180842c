"""Hold what a registry of semantic conventions says of spans, their attributes and their events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pytest_otel_spans.registries.types import Type

__all__ = ["ROOT", "Attribute", "EventGroup", "Registry", "RegistryError", "SpanGroup"]

ROOT: Final = "/"
"""What stands among the parents of a span that may be a root."""


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
