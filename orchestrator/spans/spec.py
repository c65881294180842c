"""The words that the span schema is written in: spans, attributes, events, links."""

from dataclasses import dataclass
from typing import Literal

ValueType = Literal["str", "int", "float", "bool", "str[]"]
Scalar = str | bool | int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One attribute, as one kind of span or event carries it."""

    name: str
    type: ValueType
    brief: str
    at: Literal["start", "end"] = "end"
    condition: str = ""
    """When it is there; empty: always."""
    opt_in: bool = False
    """Content: there only where capture was switched on."""
    value: str | None = None
    """The one value it ever has; the instrumentation sets it by itself."""
    default: Scalar | None = None
    """What a span says that broke off before anybody knew better."""
    founding: bool = False
    """Promised by the founding design: never renamed, never left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSpec:
    """Something that happened within a span."""

    name: str
    brief: str
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSpec:
    """A relation to a span that is not the parent; its kind is the link's one attribute."""

    kind: str
    brief: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanSpec:
    """One kind of span; a name that ends in a colon is a prefix that `suffix` explains."""

    name: str
    brief: str
    parents: tuple[str, ...]
    """What it may hang under; none: a root, or a child of the caller's TRACEPARENT."""
    keys: tuple[Key, ...]
    suffix: str = ""
    kinds: tuple[Literal["INTERNAL", "CLIENT"], ...] = ("INTERNAL",)
    events: tuple[EventSpec, ...] = ()
    links: tuple[LinkSpec, ...] = ()
