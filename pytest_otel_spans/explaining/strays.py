"""Search the spans that no pattern claimed for one that is missing elsewhere, or is like it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from pytest_otel_spans.explaining.slips import close_names, likeness
from pytest_otel_spans.matching.judge import Judge
from pytest_otel_spans.matching.match import Level
from pytest_otel_spans.patterns.expected import SpanPattern
from pytest_otel_spans.patterns.names import Name, name_matches
from pytest_otel_spans.text.render import path_text, preorder
from pytest_otel_spans.tree import SpanNode

__all__ = ["Likeness", "Strays", "level_below"]

_MOST_LOOKS: Final = 20_000
"""How often a pattern and a span are compared in all: an explanation must come soon."""
_LOOKS_EACH: Final = 50
_MOST_SEARCHES: Final = 100
_ALIKE: Final = 0.6  # from 0 to 1: half a name, or a few letters wrong


class Likeness(NamedTuple):
    """The span that is most like a pattern.

    Attributes:
        node: The span.
        differs: What differs, in words, its name aside.
        has_name: Whether it bears a name that the pattern takes.
    """

    node: SpanNode
    differs: tuple[str, ...]
    has_name: bool

    @property
    def place(self) -> str:
        """The name and where it stands."""
        root = f", the root of trace {self.node.trace}"
        where = f" under {path_text(self.node.parent)}" if self.node.parent else root
        return f"{self.node.name!r}{where}"


class Strays:
    """The spans that belong to no pattern."""

    def __init__(self, judge: Judge, nodes: Iterable[SpanNode]) -> None:
        self._judge = judge
        self._by_name: dict[str, dict[SpanNode, None]] = {}
        for node in nodes:
            self._by_name.setdefault(node.name, {})[node] = None
        self._looks = _MOST_LOOKS
        self._searches = _MOST_SEARCHES

    def take_equal(self, patterns: Iterable[SpanPattern]) -> SpanNode | None:
        """Return a span for which one of the patterns holds, and forget it with all below it."""
        for pattern in patterns:
            for node in self._looked_at(self._named(pattern.name)):
                if self._judge.holds(pattern, node):
                    for one in preorder([node]):
                        self._by_name[one.name].pop(one, None)
                    return node
        return None

    def closest(self, patterns: Sequence[SpanPattern], parent: SpanNode | None) -> Likeness | None:
        """Return the span that is most like a pattern, None if none is like it.

        Args:
            patterns: What is missing, as alternatives.
            parent: Under what it is missing.
        """
        self._searches -= 1
        if self._searches < 0:
            return None
        best: float = 0
        found: Likeness | None = None
        for pattern in patterns:
            for node in self._looked_at(self._alike(pattern.name, parent)):
                rate = self._rate(pattern, node)
                if rate > best:
                    best, found = rate, self._comparison(pattern, node)
        return found

    def _looked_at(self, nodes: Iterable[SpanNode]) -> Iterator[SpanNode]:
        for node in nodes:
            self._looks -= 1
            if self._looks < 0:
                return
            yield node

    def _named(self, name: Name) -> Iterator[SpanNode]:
        for one, nodes in self._by_name.items():
            if name_matches(name, one):
                yield from nodes

    def _alike(self, name: Name, parent: SpanNode | None) -> Iterator[SpanNode]:
        siblings = self._judge.forest.roots if parent is None else parent.children
        own = (one for one in siblings if one in self._by_name.get(one.name, ()))
        yield from islice(self._named(name), _LOOKS_EACH)
        yield from islice(own, _LOOKS_EACH)
        for one in close_names(name, self._by_name, _ALIKE):
            yield from islice(self._by_name[one], _LOOKS_EACH)

    def _rate(self, pattern: SpanPattern, node: SpanNode) -> float:
        """How like a pattern a node is; 0 where nobody would take the one for the other."""
        name = 1.0 if name_matches(pattern.name, node.name) else likeness(pattern.name, node.name)
        equal, said = self._equal_attributes(pattern, node)
        attributes = equal / said if said else 0.0
        if name < _ALIKE and attributes < 1:
            return 0.0
        return 2 * name + attributes + (self._body_holds(pattern, node) and bool(pattern.children))

    def _comparison(self, pattern: SpanPattern, node: SpanNode) -> Likeness:
        told: list[str] = []
        equal, said = self._equal_attributes(pattern, node)
        if said:
            told.append(f"{equal} of {said} attribute{'s' * (said > 1)} equal")
        aspects = dict.fromkeys(one.aspect for one in self._judge.differences(pattern, node))
        told += [f"{one} differs" for one in aspects if one not in {"name", "attribute"}]
        if not self._body_holds(pattern, node):
            told.append("children differ")
        return Likeness(node, tuple(told), "name" not in aspects)

    def _equal_attributes(self, pattern: SpanPattern, node: SpanNode) -> tuple[int, int]:
        said = pattern.attributes.keys()
        differences = self._judge.differences(pattern, node)
        wrong = {one.key for one in differences if one.aspect == "attribute"} & said
        return len(said) - len(wrong), len(said)

    def _body_holds(self, pattern: SpanPattern, node: SpanNode) -> bool:
        return self._judge.arrange(level_below(pattern, node)) is not None


def level_below(pattern: SpanPattern, node: SpanNode) -> Level:
    """Return the children of a node, and what a pattern that states says of them."""
    bare = not pattern.children and bool(pattern.descendants)
    return Level(pattern.children, pattern.opened or bare, node.children)
