"""Find what the labels of `same` stand for: values under which everything holds at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from pytest_otel_spans.matching.facts import own_holds
from pytest_otel_spans.matching.judge import Judge
from pytest_otel_spans.matching.level import Pair
from pytest_otel_spans.nodes import SpanNode
from pytest_otel_spans.patterns.expected import Member, SpanPattern
from pytest_otel_spans.patterns.groups import AnyOrder, OneOf
from pytest_otel_spans.patterns.names import name_matches
from pytest_otel_spans.patterns.shapes import labels_in, value_key
from pytest_otel_spans.patterns.values import label_values
from pytest_otel_spans.patterns.words import absent, same

__all__ = ["MOST_TRIALS", "Binding", "Place", "bind", "binds"]

MOST_TRIALS: Final = 1_000
"""How many bindings are tried before the search gives up, and the assertion fails."""
_EXHAUSTED: Final = object()
_NOWHERE: Final = object()  # the key of no value


Arranging: TypeAlias = Callable[[Judge], list[Pair] | None]
"""How a judge sees it all: the pairs at the top, None where something does not hold."""

_Found: TypeAlias = tuple[Judge, list[Pair]]


class Place(NamedTuple):
    """Where a label of `same` stands in the spans: the span, the attribute, and its value."""

    node: SpanNode
    key: str
    value: Any


class Binding(NamedTuple):
    """What came of the search for values.

    Attributes:
        judge: The judge under whose labels all holds; after a failure, one that has bound them
            to the values that are most common where they stand.
        pairs: The pairs at the top, None after a failure.
        places: Where each label stands in the spans that match; after a failure, in those that
            match when labels take any value.
        gave_up: Whether bindings were left that were not tried.
    """

    judge: Judge
    pairs: list[Pair] | None
    places: Mapping[str, tuple[Place, ...]]
    gave_up: bool = False


def bind(judge: Judge, members: Sequence[Member], arranged: Arranging) -> Binding:
    """Search for values of the labels of `same` under which everything holds.

    Label after label is given a value that some span has where it stands, and what holds for no
    value of the labels that are left is not followed further: those take any value until it is
    their turn. So nothing is missed. To be quick about it, at each step the labels that are left
    first try the values they happen to have, most commonly, in the arrangement just found.

    Args:
        judge: A judge that has bound no label.
        members: What was expected; it names the labels, and where they stand.
        arranged: How a judge sees it all.
    """
    labels = frozenset[str]().union(*(member.labels for member in members))
    relaxed = judge.rebound({}, labels, labels - _firm_labels(members)) if labels else judge
    pairs = arranged(relaxed)
    if pairs is None or not labels:
        return Binding(relaxed, pairs, {})
    places = _places(relaxed, pairs)
    search = _Search(relaxed, arranged, _offers(judge, members))
    found = search.run(pairs)
    if found is not None:
        bound = arranged(found) or []
        return Binding(found, bound, _places(found, bound))
    common = judge.rebound(_most_common(places), frozenset(), relaxed.loose)
    return Binding(common, None, places, gave_up=search.trials >= MOST_TRIALS)


def binds(judge: Judge, pattern: SpanPattern, node: SpanNode) -> bool:
    """Whether the pattern selects the node, under some binding of its labels."""

    def arranged(judge: Judge) -> list[Pair] | None:
        return [(pattern, node)] if judge.holds(pattern, node, "selects") else None

    if not pattern.labels:
        return arranged(judge) is not None
    return bind(judge, [pattern], arranged).pairs is not None


class _Search:
    """The search among the values on offer, depth first."""

    def __init__(
        self, relaxed: Judge, arranged: Arranging, offers: Mapping[str, list[Hashable]]
    ) -> None:
        self.relaxed = relaxed
        self.arranged = arranged
        self.offers = offers
        self.order = sorted(offers, key=lambda label: len(offers[label]))
        self.trials = 0

    def run(self, pairs: list[Pair]) -> Judge | None:
        """Return the first judge found under whom all holds."""
        nowhere = dict.fromkeys(self.order, _NOWHERE)
        bound: dict[str, Hashable] = {}
        ladders: list[Iterator[Hashable]] = []
        found: _Found | None = (self.relaxed, pairs)
        while found is not None:
            if self.order and len(bound) == len(self.order):
                return found[0]
            guess = nowhere | _most_common(_places(*found)) | bound
            lucky = self._try(guess, ())
            if lucky is not None or not self.order:
                return lucky and lucky[0]
            ladders.append(iter(self.offers[self.order[len(ladders)]]))
            found = self._climb(ladders, bound)
        return None

    def _climb(
        self, ladders: list[Iterator[Hashable]], bound: dict[str, Hashable]
    ) -> _Found | None:
        """Bind the last label to its next value that holds, or an earlier one to its next."""
        while ladders and self.trials < MOST_TRIALS:
            label = self.order[len(ladders) - 1]
            value = next(ladders[-1], _EXHAUSTED)
            if value is _EXHAUSTED:
                ladders.pop()
                bound.pop(label, None)
                continue
            bound[label] = value
            found = self._try(bound, self.order[len(ladders) :])
            if found is not None:
                return found
        return None

    def _try(self, bound: Mapping[str, Hashable], undecided: Iterable[str]) -> _Found | None:
        self.trials += 1
        nowhere = [label for label, value in bound.items() if value is _NOWHERE]
        loose = self.relaxed.loose.union(nowhere)
        judge = self.relaxed.rebound(dict(bound), frozenset(undecided), loose)
        pairs = self.arranged(judge)
        return None if pairs is None else (judge, pairs)


def _places(judge: Judge, pairs: list[Pair]) -> dict[str, tuple[Place, ...]]:
    """Return where each label stands in the spans of an arrangement, and below them."""
    places: dict[str, list[Place]] = {}
    for pattern, node in judge.pairs(pairs, lambda one: one.labels):
        for label, key, value in _values_at(pattern, node):
            places.setdefault(label, []).append(Place(node, key, value))
    return {label: tuple(some) for label, some in places.items()}


def _most_common(places: Mapping[str, tuple[Place, ...]]) -> dict[str, Hashable]:
    counts = {
        label: Counter(value_key(place.value) for place in some) for label, some in places.items()
    }
    return {label: count.most_common(1)[0][0] for label, count in counts.items()}


def _values_at(pattern: SpanPattern, node: SpanNode) -> Iterator[tuple[str, str, Any]]:
    """Yield label, attribute key and value wherever `same` stands in the pattern itself."""
    for key, expected in pattern.attributes.items():
        for label, value in label_values(expected, node.attributes.get(key, absent)):
            yield label, key, value
    for name, attributes in pattern.events:
        for event in node.events:
            if name_matches(name, event.name):
                for key, expected in attributes.items():
                    for label, value in label_values(expected, event.attributes.get(key, absent)):
                        yield label, key, value


def _offers(judge: Judge, members: Iterable[Member]) -> dict[str, list[Hashable]]:
    """Collect, for each label, the values it may have, the most common first.

    Where the label must stand on some span, only the values found at each such place remain.
    Where it need not stand anywhere, a value that no span has is the last to be offered.
    """
    seen: dict[str, Counter[Hashable]] = {}
    required: dict[str, list[set[Hashable]]] = {}
    for pattern, must_stand in _sites(members):
        found: dict[str, Counter[Hashable]] = {}
        for node in judge.terrain.named(pattern):
            if own_holds(pattern, node, "selects"):
                for label, _, value in _values_at(pattern, node):
                    found.setdefault(label, Counter())[value_key(value)] += 1
        for label, values in found.items():
            seen.setdefault(label, Counter()).update(values)
        if must_stand:
            for label in _certain_labels(pattern):
                required.setdefault(label, []).append(set(found.get(label, ())))
    offers: dict[str, list[Hashable]] = {}
    for label in seen.keys() | required.keys():
        everywhere = required.get(label)
        common = [value for value, _ in seen.get(label, Counter()).most_common()]
        if everywhere is None:
            offers[label] = [*common, _NOWHERE]
        else:
            offers[label] = [one for one in common if all(one in some for some in everywhere)]
    return dict(sorted(offers.items()))


def _sites(members: Iterable[Member]) -> Iterator[tuple[SpanPattern, bool]]:
    """Yield the patterns that may stand somewhere, and whether they must; not what never may."""
    agenda: list[tuple[Member, bool]] = [(member, True) for member in members]
    while agenda:
        member, must = agenda.pop()
        if isinstance(member, AnyOrder):
            agenda += [(one, must) for one in member.members]
        elif isinstance(member, OneOf):
            agenda += [(one, False) for one in member.alternatives]
        elif member.labels:
            must = must and member.least > 0
            yield member, must
            below = (*member.children, *member.descendants, *member.links)
            agenda += [(one, must) for one in below]


def _firm_labels(members: Iterable[Member]) -> frozenset[str]:
    """Return the labels that stand elsewhere too than in counts with an upper end."""
    firm: frozenset[str] = frozenset()
    agenda = list(members)
    while agenda:
        member = agenda.pop()
        if isinstance(member, AnyOrder):
            agenda += member.members
        elif isinstance(member, OneOf):
            agenda += member.alternatives
        elif member.labels and not (member.counted and member.most is not None):
            values = (member.attributes, *(event.attributes for event in member.events))
            firm = firm.union(*(labels_in(one) for some in values for one in some.values()))
            agenda += (*member.children, *member.descendants, *member.links)
    return firm


def _certain_labels(pattern: SpanPattern) -> set[str]:
    return {one.label for one in pattern.attributes.values() if isinstance(one, same)}
