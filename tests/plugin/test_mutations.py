"""The exact literal of a tree takes that tree, and no other."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st
from opentelemetry.trace import SpanKind

from pytest_otel_spans import any_order, span
from pytest_otel_spans import literal as as_it_stands
from pytest_otel_spans.explaining.explain import explain
from pytest_otel_spans.matching.match import Outcome, match_roots
from pytest_otel_spans.patterns.expected import ChildPart
from pytest_otel_spans.text.suggest import suggest
from pytest_otel_spans.tree import Forest
from tests.effort import tried
from tests.plugin.groves import Plant, forest

KINDS = (SpanKind.INTERNAL, SpanKind.CLIENT)


@dataclass
class Shrub:
    """A span that can be changed."""

    name: str
    attributes: dict[str, Any]
    kind: SpanKind
    error: str | None
    children: list["Shrub"] = field(default_factory=list)

    def below(self) -> Iterator["Shrub"]:
        for child in self.children:
            yield child
            yield from child.below()

    def plant(self) -> Plant:
        facts = {"kind": self.kind, "error": self.error}
        below = tuple(child.plant() for child in self.children)
        return Plant(self.name, self.attributes, below, facts)

    def form(self) -> Any:
        """All that there is to a tree, types included, in a form that compares by value."""
        attributes = sorted((key, type(v).__name__, v) for key, v in self.attributes.items())
        below = [child.form() for child in self.children]
        return self.name, attributes, self.kind, self.error, below


VALUES = st.sampled_from([True, 0, 1, 1.0, "1", "on", ("a", "b")])
NAMES = st.sampled_from(["a", "b", "task:*", "llm call"])
LEAVES = st.builds(
    Shrub,
    name=NAMES,
    attributes=st.dictionaries(st.sampled_from(["k", "model", "n_ms"]), VALUES, max_size=2),
    kind=st.sampled_from(KINDS),
    error=st.none() | st.just("boom"),
)


@st.composite
def trees(draw: st.DrawFn) -> Shrub:
    """A tree of up to nine spans, each under one drawn before."""
    shrubs = draw(st.lists(LEAVES, min_size=1, max_size=9))
    shrubs = [copy.deepcopy(shrub) for shrub in shrubs]
    for at, shrub in enumerate(shrubs[1:], start=1):
        shrubs[draw(st.integers(0, at - 1))].children.append(shrub)
    return shrubs[0]


def rename(data: st.DataObject, root: Shrub) -> None:
    data.draw(st.sampled_from([root, *root.below()])).name += "x"


def change_an_attribute(data: st.DataObject, root: Shrub) -> None:
    shrub = data.draw(st.sampled_from([root, *root.below()]))
    key = data.draw(st.sampled_from(["k", "model", "n_ms", "new"]))
    if data.draw(st.booleans()) and key in shrub.attributes:
        del shrub.attributes[key]
    else:
        shrub.attributes[key] = data.draw(VALUES)


def retype_a_value(data: st.DataObject, root: Shrub) -> None:
    pairs = [(one, key) for one in [root, *root.below()] for key in one.attributes]
    assume(pairs)
    shrub, key = data.draw(st.sampled_from(pairs))
    value = shrub.attributes[key]
    if isinstance(value, bool):
        shrub.attributes[key] = int(value)
    elif isinstance(value, int):
        shrub.attributes[key] = data.draw(st.sampled_from([float(value), str(value), bool(value)]))
    elif isinstance(value, float):
        shrub.attributes[key] = int(value)
    else:
        shrub.attributes[key] = [*value] if isinstance(value, str) else "".join(value)


def change_the_kind(data: st.DataObject, root: Shrub) -> None:
    data.draw(st.sampled_from([root, *root.below()])).kind = SpanKind.SERVER


def change_the_status(data: st.DataObject, root: Shrub) -> None:
    shrub = data.draw(st.sampled_from([root, *root.below()]))
    shrub.error = data.draw(st.sampled_from([None, "boom", "bang", "boom!"]))


def parents(root: Shrub) -> list[Shrub]:
    return [one for one in [root, *root.below()] if one.children]


def drop(data: st.DataObject, root: Shrub) -> None:
    assume(root.children)
    parent = data.draw(st.sampled_from(parents(root)))
    at = data.draw(st.integers(0, len(parent.children) - 1))
    parent.children[at : at + 1] = parent.children[at].children if data.draw(st.booleans()) else []


def duplicate(data: st.DataObject, root: Shrub) -> None:
    assume(root.children)
    parent = data.draw(st.sampled_from(parents(root)))
    at = data.draw(st.integers(0, len(parent.children) - 1))
    parent.children.insert(at, copy.deepcopy(parent.children[at]))


def give_another_parent(data: st.DataObject, root: Shrub) -> None:
    assume(root.children)
    parent = data.draw(st.sampled_from(parents(root)))
    shrub = parent.children.pop(data.draw(st.integers(0, len(parent.children) - 1)))
    new = data.draw(st.sampled_from([root, *root.below()]))
    new.children.insert(data.draw(st.integers(0, len(new.children))), shrub)


def reorder(data: st.DataObject, root: Shrub) -> None:
    pairs = [
        (parent, one, two)
        for parent in parents(root)
        for one, two in combinations(range(len(parent.children)), 2)
        if parent.children[one].form() != parent.children[two].form()
    ]
    assume(pairs)
    parent, one, two = data.draw(st.sampled_from(pairs))
    below = parent.children
    below[one], below[two] = below[two], below[one]


MUTATIONS = (
    rename,
    change_an_attribute,
    retype_a_value,
    change_the_kind,
    change_the_status,
    drop,
    duplicate,
    give_another_parent,
    reorder,
)


def outcome_of(literal: str, grown: Forest) -> Outcome:
    """Paste the printed code, and return what comes of it."""
    outcomes: list[Outcome] = []

    def assertion(spans: Forest, *roots: ChildPart) -> None:
        outcomes.append(match_roots(spans, roots))

    words = {"span": span, "any_order": any_order, "literal": as_it_stands}
    exec(literal.partition("\n\n")[2], {"spans": grown, "assert_span_tree": assertion, **words})
    return outcomes[0]


@pytest.mark.parametrize("mutate", MUTATIONS)
@tried(0.5, excused=(HealthCheck.filter_too_much,))
@given(tree=trees(), data=st.data())
def test_any_single_mutation_fails_the_exact_literal(
    mutate: Callable[[st.DataObject, Shrub], None], tree: Shrub, data: st.DataObject
) -> None:
    mutated = copy.deepcopy(tree)
    mutate(data, mutated)
    assume(mutated.form() != tree.form())

    literal = suggest(forest(tree.plant()), exact=True)

    assert outcome_of(literal, forest(tree.plant())).holds
    outcome = outcome_of(literal, forest(mutated.plant()))
    assert not outcome.holds
    explanation = explain(outcome)
    assert explanation.findings
    assert explanation.lines


@tried()
@given(some=st.lists(trees(), min_size=1, max_size=3))
def test_a_literal_takes_the_spans_that_it_was_printed_for(some: list[Shrub]) -> None:
    grown = forest(*(tree.plant() for tree in some))
    assert outcome_of(suggest(grown), grown).holds
    assert outcome_of(suggest(grown, exact=True), grown).holds
