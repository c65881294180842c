"""The types of a registry: which values are of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pytest_otel_spans.patterns.shapes import family

__all__ = ["Type", "type_of", "type_text"]

_FAMILIES: Final[Mapping[str, type]] = {
    "string": str,
    "int": int,
    "double": float,
    "boolean": bool,
}
_NAMES: Final = {kind: name for name, kind in _FAMILIES.items()}
_TEMPLATE: Final = re.compile(r"template\[(.+)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Type:
    """A type.

    Attributes:
        text: As the registry writes it; of an enumeration, the type of its members.
        families: The types of Python that it means; none: any.
        is_list: Whether the value is a list of them.
        is_template: Whether the key is a prefix of keys.
    """

    text: str
    families: frozenset[type]
    is_list: bool = False
    is_template: bool = False

    def holds(self, value: Any) -> bool:
        """Whether a value is of the type; strict as OpenTelemetry is: an int is no double."""
        if self.is_list:
            return isinstance(value, list | tuple) and all(map(self._is_one, value))
        return self._is_one(value)

    def _is_one(self, value: Any) -> bool:
        return type(value) in self.families or not self.families or family(value) in self.families


def type_of(written: Any) -> Type | None:
    """Return the type that a registry writes so, None where it is none.

    A member of an enumeration is no limit: the format lets others stand beside them.
    """
    if isinstance(written, Mapping):
        return _enumeration(written.get("members"))
    template = _TEMPLATE.fullmatch(str(written))
    text = template[1] if template else str(written)
    name = text.removesuffix("[]")
    if name not in _FAMILIES and name != "any":
        return None
    return Type(
        text=text,
        families=frozenset({_FAMILIES[name]} if name in _FAMILIES else ()),
        is_list=text.endswith("[]"),
        is_template=template is not None,
    )


def _enumeration(members: Any) -> Type | None:
    if not isinstance(members, list) or not all(isinstance(one, Mapping) for one in members):
        return None
    families = frozenset(family(one["value"]) for one in members if "value" in one)
    if not families or not families <= _NAMES.keys():
        return None
    return Type(text=" or ".join(sorted(_NAMES[kind] for kind in families)), families=families)


def type_text(value: Any) -> str:
    """Write the type of a value in the words of a registry."""
    if isinstance(value, list | tuple):
        inside = dict.fromkeys(type_text(one) for one in value)
        return f"{next(iter(inside))}[]" if len(inside) == 1 else "list"
    kind = family(value)
    return _NAMES.get(kind, kind.__name__)
