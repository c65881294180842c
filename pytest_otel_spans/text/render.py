"""Write spans as text: the outline of a forest, and the pieces of the line of one span."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final

from pytest_otel_spans.text.layout import Branch, draw
from pytest_otel_spans.tree import Event, Forest, Link, SpanNode

__all__ = [
    "counted",
    "heading",
    "name_text",
    "outline",
    "path_text",
    "preorder",
    "remarks",
    "title",
    "value_text",
    "visible",
]

_LONGEST_VALUE: Final = 72
_ONE_LINE: Final = 60
"""Attributes that take no more characters than this stand behind the name."""

_STEPS_SHOWN: Final = 4
_OPEN: Final = "  (never ended)"


def outline(forest: Forest) -> str:
    """Draw every span of the forest.

    It shows names, attributes, statuses, events, links as paths, and kinds but for internal; no
    ids and no times, so that two runs which did the same read the same.
    """
    return "\n".join(draw(_branches(forest)))


def _branches(forest: Forest) -> list[Branch]:
    orphans = frozenset(forest.orphans)
    many = len({root.trace for root in forest.roots}) > 1
    drawn: dict[SpanNode, Branch] = {}
    for node in reversed(list(preorder(forest.roots))):
        marks = []
        if node.parent is None and many:
            marks.append(f"(trace {node.trace})")
        if node in orphans:
            marks.append("(orphan: its parent was not captured)")
        drawn[node] = _branch(node, marks, tuple([drawn.pop(child) for child in node.children]))
    return [drawn[root] for root in forest.roots]


def _branch(node: SpanNode, marks: list[str], children: tuple[Branch, ...]) -> Branch:
    texts = [f"{visible(key)}={value_text(value)}" for key, value in node.attributes.items()]
    inline = ", ".join(texts)
    line = [heading(node), *marks]
    if texts and len(inline) <= _ONE_LINE:
        line.append(f"{{{inline}}}")
        texts = []
    return Branch(text="  ".join(line), below=(*texts, *remarks(node)), children=children)


def preorder(roots: Iterable[SpanNode]) -> Iterable[SpanNode]:
    """Yield the nodes of these trees, each before its children."""
    waiting = list(reversed(list(roots)))
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.children))


def heading(node: SpanNode) -> str:
    """Write name, kind but for internal, status but for unset, and the mark of an open span."""
    parts = [name_text(node.name)]
    if node.kind != "internal":
        parts.append(f"({node.kind})")
    if node.status.code != "unset":
        description = node.status.description
        said = f" {value_text(description)}" if description else ""
        parts.append(f"[{node.status.code}{said}]")
    if node.remote_parent:
        parts.append("(remote parent)")
    if not node.ended:
        parts.append(_OPEN.strip())
    return "  ".join(parts)


def title(node: SpanNode) -> str:
    """Write the name, and the mark of a span that never ended."""
    return name_text(node.name) + ("" if node.ended else _OPEN)


def remarks(node: SpanNode) -> tuple[str, ...]:
    """Write the events and the links of a span, a line each."""
    return (*map(_event_text, node.events), *map(_link_text, node.links))


def _event_text(event: Event) -> str:
    if event.name == "exception":
        kind = visible(str(event.attributes.get("exception.type", "")))
        message = event.attributes.get("exception.message", "")
        return f"! exception {kind}: {value_text(message)}" if message else f"! exception {kind}"
    return f"! {name_text(event.name)}{_braced(event.attributes)}"


def _link_text(link: Link) -> str:
    target = "a span that was not captured" if link.target is None else path_text(link.target)
    return f"~> {target}{_braced(link.attributes)}"


def _braced(attributes: Mapping[str, Any]) -> str:
    inside = ", ".join(f"{visible(key)}={value_text(value)}" for key, value in attributes.items())
    return f"  {{{inside}}}" if inside else ""


def name_text(name: str) -> str:
    """Write a name as it stands, in quotes where a reader could not tell where it ends."""
    plain = name.isprintable() and name == name.strip() and "  " not in name
    return name if name and plain else repr(name)


def visible(text: str) -> str:
    """Write a text as it stands, in quotes where it would break the line or steer a terminal."""
    return text if text.isprintable() else repr(text)


def value_text(value: object) -> str:
    """Write a value as Python does, a long one with its middle left out."""
    text = repr(value)
    if len(text) <= _LONGEST_VALUE:
        return text
    head = text[: _LONGEST_VALUE // 2]
    tail = text[-_LONGEST_VALUE // 4 :]
    size = f"{len(value):,} characters" if isinstance(value, str) else f"{len(text):,} as text"
    return f"{head}…{tail} ({size})"


def path_text(node: SpanNode) -> str:
    """Write the path of a node, that of a very deep one with its middle left out."""
    steps = list(islice(node.lineage(), 3 * _STEPS_SHOWN + 1))
    if len(steps) <= 3 * _STEPS_SHOWN:
        return visible(node.path)
    above = list(node.lineage())[::-1]
    first, last = above[:_STEPS_SHOWN], above[-_STEPS_SHOWN:]
    between = f"… {len(above) - 2 * _STEPS_SHOWN:,} levels …"
    return visible("/".join([*(one.step for one in first), between, *(one.step for one in last)]))


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: `1 span`, `8 spans`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
