"""Match a forest against the roots that a test expects, and say what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pytest_otel_spans.matching.alignment import Alignment, Missing, align
from pytest_otel_spans.matching.binding import Place, bind
from pytest_otel_spans.matching.facts import Difference, Mode, own_differences, own_holds
from pytest_otel_spans.matching.judge import Judge
from pytest_otel_spans.matching.level import Level, Pair
from pytest_otel_spans.matching.path import Selector, as_path, select
from pytest_otel_spans.patterns.expected import Body, ChildPart, body_of
from pytest_otel_spans.patterns.shapes import value_key
from pytest_otel_spans.tree import Forest, SpanNode

__all__ = [
    "Alignment",
    "Conflict",
    "Difference",
    "Judge",
    "Level",
    "Missing",
    "Mode",
    "Outcome",
    "Pair",
    "Place",
    "Selector",
    "align",
    "as_path",
    "match_roots",
    "own_differences",
    "own_holds",
    "select",
]


class Conflict(NamedTuple):
    """A label of `same` that stands for several values, with every place where it stands."""

    label: str
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """What came of matching a forest.

    Attributes:
        holds: Whether the forest is what was expected.
        forest: The forest.
        body: The parts that were expected of the roots.
        judge: Who decided; asked again it knows the verdicts. After a failure it has bound the
            labels of `same` to their most common values.
        pairs: The roots, each with its pattern; empty when the forest is not what was expected.
        named: The spans that matched the patterns with `.as_(name)`, in start order.
        places: Where each label of `same` stands; after a failure only if all else holds.
        gave_up: Whether the search for their values stopped before it had tried all.
    """

    holds: bool
    forest: Forest
    body: Body
    judge: Judge
    pairs: tuple[Pair, ...]
    named: Mapping[str, tuple[SpanNode, ...]]
    places: Mapping[str, tuple[Place, ...]]
    gave_up: bool

    @property
    def level(self) -> Level:
        """The roots and the members expected there, as `align` and `Judge.arrange` take them."""
        return Level(self.body.children, self.body.opened, self.forest.roots)

    @property
    def conflicts(self) -> tuple[Conflict, ...]:
        """The labels of `same` for which no value serves, though all else holds."""
        if self.holds:
            return ()
        several = [
            (label, some)
            for label, some in self.places.items()
            if len({value_key(place.value) for place in some}) > 1
        ]
        return tuple(Conflict(*one) for one in several)


def match_roots(forest: Forest, roots: Sequence[ChildPart]) -> Outcome:
    """Match the roots of a forest, and all below them, against what was expected.

    Args:
        forest: The spans.
        roots: The parts expected: the given roots are all the roots, in start order; groups
            and `...` work as among children, and `never` looks at the whole forest.

    Raises:
        TypeError: A part is a mapping of attributes, or nothing that can be a part.
    """
    __tracebackhide__ = True
    body = body_of(roots, "assert_span_tree()")
    if body.attributes:
        raise TypeError("assert_span_tree() takes roots; attributes belong to a span(...)")
    level = Level(body.children, body.opened, forest.roots)

    def arranged(judge: Judge) -> list[Pair] | None:
        return None if judge.excludes(body.nevers, None) else judge.arrange(level)

    judge, pairs, places, gave_up = bind(Judge(forest), body.children, arranged)
    return Outcome(
        holds=pairs is not None,
        forest=forest,
        body=body,
        judge=judge,
        pairs=tuple(pairs or ()),
        named=_named(judge, pairs or ()),
        places=places,
        gave_up=gave_up,
    )


def _named(judge: Judge, pairs: Iterable[Pair]) -> dict[str, tuple[SpanNode, ...]]:
    named: dict[str, set[SpanNode]] = {}
    for pattern, node in judge.pairs(pairs, lambda one: one.aliases):
        if pattern.alias is not None:
            named.setdefault(pattern.alias, set()).add(node)
    return {
        alias: tuple(sorted(nodes, key=lambda node: node.order)) for alias, nodes in named.items()
    }
