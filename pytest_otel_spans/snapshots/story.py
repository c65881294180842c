"""Tell a forest as rows: what happened and in what order, and nothing of ids and clocks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final

from pytest_otel_spans.patterns.names import name_matches
from pytest_otel_spans.snapshots.format import MESSAGE, format_rows
from pytest_otel_spans.snapshots.masks import Masks, Numbering
from pytest_otel_spans.snapshots.rows import EXCEPTION, Row
from pytest_otel_spans.snapshots.spell import spell_name
from pytest_otel_spans.snapshots.tokens import Label, LabelKind, Token
from pytest_otel_spans.text.render import preorder
from pytest_otel_spans.tree import Event, Forest, SpanNode

__all__ = ["NOT_CAPTURED", "ROOTS", "Story", "is_unordered", "masked", "tell"]

ROOTS: Final = "/"
"""What names the roots among the spans whose children have no order."""
NOT_CAPTURED: Final = "(not captured)"
"""The path of a span that was not captured, which no path can be."""

_AMBIGUOUS: Final = re.compile(r"[\\/]|\[(?=[0-9]+\]$)")
"""What a step of a path must not have of itself: a separator, or what looks like an index."""
_STACK: Final = frozenset({"exception.stacktrace", "exception.escaped"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A forest as rows.

    Attributes:
        forest: The forest.
        rows: The rows, with the values that the spans have.
        nodes: The span of each row; that of an event or a link is the span that has it.
    """

    forest: Forest
    rows: tuple[Row, ...]
    nodes: tuple[SpanNode, ...]


def tell(forest: Forest, unordered: Sequence[str] = ()) -> Story:
    """Tell a forest.

    Args:
        forest: The forest.
        unordered: The names of the spans, `*` being a wildcard, whose children are told in an
            order that does not depend on when they started; `"/"` stands for the roots.
    """
    broods = _broods(forest, unordered)
    steps = _steps(broods)

    def path_of(node: SpanNode) -> str:
        return "/".join(reversed([steps[one] for one in node.lineage()]))

    rows: list[Row] = []
    nodes: list[SpanNode] = []
    waiting = [(root, 0) for root in reversed(broods[None])]
    while waiting:
        node, level = waiting.pop()
        own = [_span(node, level), *_remarks(node, level + 1, path_of)]
        rows += own
        nodes += [node] * len(own)
        waiting += [(child, level + 1) for child in reversed(broods.get(node, ()))]
    return Story(forest=forest, rows=tuple(rows), nodes=tuple(nodes))


def is_unordered(name: Token, unordered: Sequence[str]) -> bool:
    """Whether the children of a span with this name are told in no order."""
    if not unordered:
        return False
    text = name if isinstance(name, str) else spell_name(name)
    return any(name_matches(one, text) for one in unordered)


def masked(row: Row, masks: Masks, numbering: Numbering) -> Row:
    """Return the row as a snapshot says it that has not been written yet."""
    said = row.description
    return replace(
        row,
        name=masks.token("", row.name, numbering),
        description=None if said is None else masks.token("", said, numbering),
        attributes=MappingProxyType(
            {
                key: masks.token(key, value, numbering)
                for key, value in sorted(row.attributes.items())
            }
        ),
    )


def _span(node: SpanNode, level: int) -> Row:
    return Row(
        level=level,
        what="span",
        name=node.name,
        attributes=MappingProxyType(dict(node.attributes)),
        kind=node.kind,
        status=node.status.code,
        description=(node.status.description or None) if node.status.code != "unset" else None,
        ended=node.ended,
    )


def _remarks(node: SpanNode, level: int, path_of: Callable[[SpanNode], str]) -> Iterable[Row]:
    for event in node.events:
        attributes = MappingProxyType(_told(event))
        yield Row(level=level, what="event", name=event.name, attributes=attributes)
    for link in node.links:
        path = NOT_CAPTURED if link.target is None else path_of(link.target)
        attributes = MappingProxyType(dict(link.attributes))
        yield Row(level=level, what="link", name=path, attributes=attributes)


def _told(event: Event) -> dict[str, Any]:
    """Return the attributes of an event, those of an exception without its stack."""
    if event.name != EXCEPTION:
        return dict(event.attributes)
    told = {key: value for key, value in event.attributes.items() if key not in _STACK}
    if told.get(MESSAGE) == "":
        del told[MESSAGE]
    return told


_Broods = dict[SpanNode | None, tuple[SpanNode, ...]]


def _steps(broods: _Broods) -> dict[SpanNode, str]:
    """Return the last step of each path: the name, with `[n]` where siblings share it."""
    steps: dict[SpanNode, str] = {}
    for brood in broods.values():
        namesakes = Counter(node.name for node in brood)
        seen: Counter[str] = Counter()
        for node in brood:
            name = node.name
            step = _AMBIGUOUS.sub(r"\\\g<0>", name)
            steps[node] = f"{step}[{seen[name]}]" if namesakes[name] > 1 else step
            seen[name] += 1
    return steps


def _broods(forest: Forest, unordered: Sequence[str]) -> _Broods:
    """Return the children of each span in the order in which they are told; None has the roots."""
    broods: _Broods = {None: forest.roots}
    for node in forest.nodes:
        if node.children:
            broods[node] = node.children
    if unordered:
        _sort(broods, forest, unordered)
    return broods


def _sort(broods: _Broods, forest: Forest, unordered: Sequence[str]) -> None:
    """Sort the children that have no order by what they say, and then by what is below them."""
    keys: dict[SpanNode, tuple[str, bytes]] = {}
    for node in reversed(list(preorder(forest.roots))):
        if is_unordered(node.name, unordered):
            broods[node] = tuple(sorted(broods.get(node, ()), key=keys.__getitem__))
        text = _own_text(node)
        below = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16)
        for child in broods.get(node, ()):
            below.update(keys[child][1])
        keys[node] = text, below.digest()
    if ROOTS in unordered:
        broods[None] = tuple(sorted(forest.roots, key=keys.__getitem__))


class _Anonymous(Numbering):
    """Gives every text of a kind the same label: a number depends on the order sought."""

    def __init__(self) -> None:
        super().__init__({}, ())

    def label(self, kind: LabelKind, text: str) -> Label:
        del text
        return Label(kind, 1)


def _own_text(node: SpanNode) -> str:
    rows = [_span(node, 0), *_remarks(node, 1, attrgetter("name"))]  # a path depends on the order
    return format_rows(masked(row, Masks(), _Anonymous()) for row in rows)
