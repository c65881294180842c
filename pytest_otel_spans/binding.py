"""Find what the labels of `same` stand for: values under which everything holds at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, Final, NamedTuple

from pytest_otel_spans.expected import SpanPattern
from pytest_otel_spans.facts import own_holds
from pytest_otel_spans.groups import AnyOrder, Member, OneOf
from pytest_otel_spans.judge import Judge
from pytest_otel_spans.names import name_matches
from pytest_otel_spans.shapes import value_key
from pytest_otel_spans.tree import SpanNode
from pytest_otel_spans.values import absent, label_values, same

__all__ = ["MOST_TRIALS", "Binding", "bind", "binds", "values_at"]

MOST_TRIALS: Final = 1_000
"""How many bindings are tried before the search gives up, and the assertion fails."""
_EXHAUSTED: Final = object()
_NOWHERE: Final = object()  # the key of no value


class Binding(NamedTuple):
    """What came of the search.

    Attributes:
        judge: The judge under whose labels all holds; None when there is none.
        gave_up: Whether bindings were left that were not tried.
    """

    judge: Judge | None
    gave_up: bool = False


def bind(judge: Judge, members: Iterable[Member], holds: Callable[[Judge], bool]) -> Binding:
    """Search for values of the labels.

    Label after label is given a value that some span has where the label stands, and what holds
    for no value of the labels that are left is not followed further: the others take any value
    until it is their turn. So nothing is missed, and little is tried.

    Args:
        judge: A judge that has bound no label.
        members: What was expected; it names the labels, and where they stand.
        holds: Whether everything holds, in the eyes of a judge.
    """
    members = list(members)
    labels = frozenset[str]().union(*(member.labels for member in members))
    relaxed = judge.rebound({}, labels) if labels else judge
    if not holds(relaxed):
        return Binding(None)
    if not labels:
        return Binding(judge)
    return _search(judge, _offers(judge, members), holds)


def binds(judge: Judge, pattern: SpanPattern, node: SpanNode) -> bool:
    """Whether the pattern selects the node, under some binding of its labels."""
    if not pattern.labels:
        return judge.holds(pattern, node, "selects")
    return bind(judge, [pattern], lambda one: one.holds(pattern, node, "selects")).judge is not None


def values_at(pattern: SpanPattern, node: SpanNode) -> Iterator[tuple[str, str, Any]]:
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


def _search(
    judge: Judge, offers: dict[str, list[Hashable]], holds: Callable[[Judge], bool]
) -> Binding:
    order = sorted(offers, key=lambda label: len(offers[label]))
    if not order:
        trial = judge.rebound({}, frozenset())
        return Binding(trial if holds(trial) else None)
    bound: dict[str, Hashable] = {}
    ladders = [iter(offers[order[0]])]
    trials = 0
    while ladders:
        label = order[len(ladders) - 1]
        value = next(ladders[-1], _EXHAUSTED)
        if value is _EXHAUSTED:
            ladders.pop()
            bound.pop(label, None)
            continue
        if trials == MOST_TRIALS:
            return Binding(None, gave_up=True)
        trials += 1
        bound[label] = value
        trial = judge.rebound(dict(bound), frozenset(order[len(ladders) :]))
        if holds(trial):
            if len(ladders) == len(order):
                return Binding(trial)
            ladders.append(iter(offers[order[len(ladders)]]))
    return Binding(None)


def _offers(judge: Judge, members: list[Member]) -> dict[str, list[Hashable]]:
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
                for label, _, value in values_at(pattern, node):
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


def _certain_labels(pattern: SpanPattern) -> set[str]:
    return {one.label for one in pattern.attributes.values() if isinstance(one, same)}
