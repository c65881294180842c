"""The matcher against an oracle that tries everything, on levels of up to six siblings."""

from collections.abc import Iterator, Sequence
from itertools import chain, combinations, permutations, product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pytest_otel_spans.matching.match import align, match_roots
from pytest_otel_spans.matching.siblings import Level
from pytest_otel_spans.patterns.expected import Member
from pytest_otel_spans.patterns.groups import AnyOrder
from pytest_otel_spans.patterns.names import name_matches
from pytest_otel_spans.patterns.pattern import Part, SpanPattern, any_order, never, one_of, span
from pytest_otel_spans.patterns.words import absent, same
from pytest_otel_spans.tree import SpanNode
from tests.effort import tried
from tests.plugin.groves import Plant, forest, plant

MANY = tried()


# --- the oracle: definitions, written down as they are said, without a thought of speed


def holds(pattern: SpanPattern, node: SpanNode, bound: dict[str, Any]) -> bool:
    """Literal mode: name, attributes, what never stands below, and the level of the children."""
    return (
        name_matches(pattern.name, node.name)
        and all(
            value_holds(x, node.attributes.get(key, absent), bound)
            for key, x in pattern.attributes.items()
        )
        and not any(name_matches(n.name, one.name) for n in pattern.nevers for one in below(node))
        and level_holds(pattern.children, node.children, opened=pattern.opened, bound=bound)
    )


def value_holds(expected: Any, actual: Any, bound: dict[str, Any]) -> bool:
    if not isinstance(expected, same):
        return bool(actual == expected)
    return actual is not absent and bound.get(expected.label, actual) == actual


def below(node: SpanNode) -> Iterator[SpanNode]:
    for child in node.children:
        yield child
        yield from below(child)


def level_holds(
    members: Sequence[Member], nodes: Sequence[SpanNode], *, opened: bool, bound: dict[str, Any]
) -> bool:
    """Whether the siblings, less some that may stand anywhere, split into one run a member.

    A count's upper end counts the siblings of any value where nothing else says which is meant.
    """
    counting = [one for one in leaves(members) if one.counted and one.most is not None]
    firm = {label for one in leaves(members) if one not in counting for label in one.labels}
    said = {label: value for label, value in bound.items() if label in firm}
    free = [node for node in nodes if opened and not any(holds(p, node, said) for p in counting)]
    strays = chain.from_iterable(combinations(free, size) for size in range(len(free) + 1))
    return any(
        splits(members, [node for node in nodes if node not in some], bound) for some in strays
    )


def leaves(members: Sequence[Member]) -> Iterator[SpanPattern]:
    for member in members:
        if isinstance(member, SpanPattern):
            yield member
        else:
            yield from leaves(
                member.members if isinstance(member, AnyOrder) else member.alternatives
            )


def splits(members: Sequence[Member], nodes: Sequence[SpanNode], bound: dict[str, Any]) -> bool:
    if not members:
        return not nodes
    return any(
        covers(members[0], nodes[:cut], bound) and splits(members[1:], nodes[cut:], bound)
        for cut in range(len(nodes) + 1)
    )


def covers(member: Member, nodes: Sequence[SpanNode], bound: dict[str, Any]) -> bool:
    if isinstance(member, SpanPattern):
        most = len(nodes) if member.most is None else member.most
        return member.least <= len(nodes) <= most and all(holds(member, n, bound) for n in nodes)
    if isinstance(member, AnyOrder):
        return any(
            all(
                covers(one, [n for n, i in zip(nodes, owners, strict=True) if i == index], bound)
                for index, one in enumerate(member.members)
            )
            for owners in product(range(len(member.members)), repeat=len(nodes))
        )
    return any(covers(one, nodes, bound) for one in member.alternatives)


# --- what is tried

NAMES = st.sampled_from(["a", "b", "ab"])
VALUES = st.integers(0, 1)
leaf_plants = st.builds(lambda name, n: plant(name, {"n": n}), NAMES, VALUES)
plants = st.builds(
    lambda name, n, children: plant(name, {"n": n}, *children),
    NAMES,
    VALUES,
    st.lists(leaf_plants, max_size=2),
)


def counted(pattern: SpanPattern, count: tuple[str, int, int]) -> SpanPattern:
    verb, n, more = count
    if verb == "times":
        return pattern.times(n, max=n + more)
    return {"one": pattern, "some": pattern.at_least(n), "maybe": pattern.optional()}[verb]


pattern_names = st.sampled_from(["a", "b", "*", "a*", "*b"])
attributes = st.sampled_from([{}, {}, {}, {"n": 0}, {"n": 1}])
counts = st.tuples(
    st.sampled_from(["one", "one", "one", "times", "some", "maybe"]),
    st.integers(0, 2),
    st.integers(0, 2),
)
bodies = st.one_of(
    st.just((...,)),
    st.just(()),
    st.lists(st.builds(span, st.sampled_from(["a", "*"])), max_size=2).map(tuple),
)
singles = st.builds(
    lambda name, facts, body, count: counted(span(name, facts, *body), count),
    pattern_names,
    attributes,
    bodies,
    counts,
)
alternatives = st.builds(lambda some: one_of(*some), st.lists(singles, min_size=1, max_size=2))
mixtures = st.builds(
    lambda some: any_order(*some), st.lists(st.one_of(singles, alternatives), max_size=3)
)
choices_of_mixtures = st.builds(one_of, mixtures, singles)
nevers = st.builds(never, st.sampled_from(["a", "b", "nothing"]))
parts = st.one_of(
    singles, singles, alternatives, mixtures, choices_of_mixtures, st.just(...), nevers
)


def check(children: Sequence[Plant], *some: Part) -> bool:
    grown = forest(plant("root", *children))
    root = span("root", *some)
    expected = holds(root, grown.roots[0], {})
    outcome = match_roots(grown, [root])
    assert outcome.holds == expected, f"the oracle says {expected}"
    alignment = align(outcome.judge, Level(root.children, root.opened, grown.roots[0].children))
    if expected:
        assert alignment.holds
    if alignment.holds:
        verify(root, grown.roots[0].children, alignment.pairs, alignment.others)
    return expected


def verify(
    root: SpanPattern,
    nodes: Sequence[SpanNode],
    pairs: Sequence[tuple[SpanPattern, SpanNode]],
    others: Sequence[SpanNode],
) -> None:
    """Each sibling stands once, each pair holds, and no pattern has more than its count."""
    seen = [node for _, node in pairs]
    assert sorted([*seen, *others], key=lambda node: node.order) == list(nodes)
    assert all(holds(pattern, node, {}) for pattern, node in pairs)
    assert root.opened or not others


@MANY
@given(st.lists(plants, max_size=6), st.lists(singles, max_size=4))
def test_a_list_of_patterns_with_counts_and_wildcards(
    children: list[Plant], some: list[SpanPattern]
) -> None:
    check(children, *some)


@MANY
@given(st.lists(plants, max_size=6), st.lists(singles, max_size=3))
def test_an_open_list(children: list[Plant], some: list[SpanPattern]) -> None:
    check(children, *some, ...)


@MANY
@given(st.lists(plants, max_size=6), mixtures, st.booleans())
def test_any_order_alone(children: list[Plant], mix: AnyOrder[SpanPattern], opened: bool) -> None:  # noqa: FBT001
    check(children, mix, *([...] if opened else []))


@MANY
@given(st.lists(plants, max_size=6), st.lists(parts, max_size=3))
def test_every_kind_of_part_beside_every_other(children: list[Plant], some: list[Part]) -> None:
    check(children, *some)


@MANY
@given(st.lists(plants, max_size=5), mixtures, st.randoms(use_true_random=False))
def test_the_order_of_siblings_never_changes_what_any_order_says(
    children: list[Plant], mix: AnyOrder[SpanPattern], random: Any
) -> None:
    verdict = match_roots(forest(*children), [mix]).holds
    for _ in range(4):
        random.shuffle(children)
        assert match_roots(forest(*children), [mix]).holds == verdict


@MANY
@given(st.lists(plants, max_size=5), mixtures)
def test_the_order_of_members_never_changes_what_any_order_says(
    children: list[Plant], mix: AnyOrder[SpanPattern]
) -> None:
    grown = forest(*children)
    verdicts = {
        match_roots(grown, [any_order(*members)]).holds for members in permutations(mix.members)
    }
    assert len(verdicts) == 1


# --- close calls: leaves only, and siblings made from the members, at times with one edit


@st.composite
def close_calls(
    draw: st.DrawFn, members: st.SearchStrategy[Member]
) -> tuple[list[str], list[Member]]:
    some = draw(st.lists(members, max_size=4))
    names = list(chain.from_iterable(draw(samples(member)) for member in some))
    edit = draw(st.sampled_from(["none", "none", "insert", "drop", "swap", "shuffle"]))
    at = draw(st.integers(0, max(len(names) - 1, 0)))
    if edit == "insert":
        names.insert(at, draw(st.sampled_from("abc")))
    elif edit == "shuffle":
        names = draw(st.permutations(names))
    elif names and edit == "drop":
        del names[at]
    elif names and edit == "swap":
        names[at], names[-1] = names[-1], names[at]
    return names[:6], some


@st.composite
def samples(draw: st.DrawFn, member: Member) -> list[str]:
    """Names of siblings that the member covers."""
    if isinstance(member, SpanPattern):
        most = member.least + 1 if member.most is None else min(member.most, member.least + 2)
        size = draw(st.integers(member.least, most))
        name = draw(st.sampled_from("abc")) if member.name == "*" else str(member.name)
        return [name] * size
    if isinstance(member, AnyOrder):
        parts = [draw(samples(one)) for one in member.members]
        return draw(st.permutations(list(chain.from_iterable(parts))))
    return draw(samples(draw(st.sampled_from(member.alternatives))))


narrow = st.builds(
    lambda name, count: counted(span(name), count),
    st.sampled_from(["a", "b", "*"]),
    st.tuples(
        st.sampled_from(["one", "times", "times", "some", "maybe"]), *[st.integers(0, 2)] * 2
    ),
)
narrow_choices = st.builds(lambda some: one_of(*some), st.lists(narrow, min_size=1, max_size=2))
narrow_mixtures = st.builds(
    lambda some: any_order(*some), st.lists(st.one_of(narrow, narrow_choices), max_size=3)
)


@MANY
@given(close_calls(narrow), st.booleans())
def test_close_calls_in_a_list(call: tuple[list[str], list[Member]], opened: bool) -> None:  # noqa: FBT001
    names, some = call
    check([plant(name) for name in names], *some, *([...] if opened else []))


@MANY
@given(close_calls(st.one_of(narrow, narrow_choices, narrow_mixtures)), st.booleans())
def test_close_calls_with_groups(call: tuple[list[str], list[Member]], opened: bool) -> None:  # noqa: FBT001
    names, some = call
    check([plant(name) for name in names], *some, *([...] if opened else []))


# --- labels

labelled = st.builds(
    lambda name, label, count: counted(span(name, {"n": same(label)}), count),
    st.sampled_from(["a", "*"]),
    st.sampled_from(["x", "y"]),
    counts,
)


@MANY
@given(
    st.lists(st.builds(lambda n, v: plant(n, {"n": v}), st.sampled_from("ab"), VALUES), max_size=5),
    st.lists(st.one_of(labelled, labelled, narrow), max_size=4),
    st.booleans(),
    st.booleans(),
)
def test_same_finds_values_when_there_are_any(
    children: list[Plant],
    some: list[SpanPattern],
    mixed: bool,  # noqa: FBT001
    opened: bool,  # noqa: FBT001
) -> None:
    grown = forest(plant("root", *children))
    members: list[Part] = [any_order(*some)] if mixed else [*some]
    root = span("root", *members, *([...] if opened else []))
    values = (0, 1, "no such value")
    expected = any(
        holds(root, grown.roots[0], {"x": x, "y": y}) for x, y in product(values, values)
    )
    assert match_roots(grown, [root]).holds == expected


def test_a_count_counts_every_value_of_a_label_that_stands_nowhere_else() -> None:
    one, two = (
        forest(plant("r", plant("t", {"n": 1}))),
        forest(plant("r", {"n": 1}, plant("t", {"n": 1}), plant("t", {"n": 2}))),
    )
    t = span("t", {"n": same("x")})
    assert match_roots(one, [span("r", t.times(1), ...)]).holds
    assert match_roots(one, [span("r", t.optional(), ...)]).holds
    assert not match_roots(one, [span("r", t.times(0), ...)]).holds
    assert not match_roots(two, [span("r", t.times(0), ...)]).holds
    assert not match_roots(two, [span("r", t.optional(), ...)]).holds
    assert not match_roots(two, [span("r", t.times(1), ...)]).holds
    assert not match_roots(two, [span("r", ...).descendant(t.times(1))]).holds
    assert match_roots(two, [span("r", {"n": same("x")}, t.times(1), ...)]).holds
    assert match_roots(two, [span("r", t.at_least(1), ...)]).holds
