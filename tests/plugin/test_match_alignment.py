"""Alignment: what belongs together where a level does not hold."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from pytest_otel_spans.matching.alignment import MOST_EDGES
from pytest_otel_spans.matching.judge import Judge
from pytest_otel_spans.matching.listing import MOST_CELLS
from pytest_otel_spans.matching.match import Alignment, Level, align
from pytest_otel_spans.patterns.pattern import Part, any_order, one_of, span
from tests.effort import tried
from tests.plugin.groves import Plant, forest, plant


def aligned(children: Sequence[Plant], *parts: Part) -> Alignment:
    grown = forest(plant("root", *children))
    root = span("root", *parts)
    return align(Judge(grown), Level(root.children, root.opened, grown.roots[0].children))


def leaves(*names: str) -> list[Plant]:
    return [plant(name) for name in names]


def told(alignment: Alignment) -> tuple[list[str], list[str], list[str], list[str]]:
    """The names: of pairs (pattern=node where they differ), missing, unexpected and others."""
    pairs = [
        node.name if pattern.name == node.name else f"{pattern.name}={node.name}"
        for pattern, node in alignment.pairs
    ]
    missing = [f"{one.member!r}@{one.before}" for one in alignment.missing]
    return (
        pairs,
        missing,
        [node.name for node in alignment.unexpected],
        [node.name for node in alignment.others],
    )


def test_what_holds_is_an_arrangement() -> None:
    alignment = aligned(leaves("a", "x", "b"), "a", "b", ...)
    assert alignment.holds
    assert not alignment.reordered
    assert told(alignment) == (["a", "b"], [], [], ["x"])


def test_an_inserted_span_is_the_unexpected_one() -> None:
    alignment = aligned(leaves("a", "policy_check", "b", "c"), "a", "b", "c")
    assert told(alignment) == (["a", "b", "c"], [], ["policy_check"], [])


def test_a_dropped_span_is_missing_where_it_should_stand() -> None:
    assert told(aligned(leaves("a", "c"), "a", "b", "c")) == (
        ["a", "c"],
        ["span('b')@1"],
        [],
        [],
    )
    assert told(aligned([], "a", "b")) == ([], ["span('a')@0", "span('b')@0"], [], [])
    assert told(aligned(leaves("a"), "a", "b"))[1] == ["span('b')@1"]


def test_a_span_that_differs_is_still_the_one() -> None:
    children = [plant("llm", {"m": "a"}), plant("llm", {"m": "b"}), plant("llm", {"m": "c"})]
    patterns = [span("llm", {"m": m}) for m in ("a", "x", "c")]
    alignment = aligned(children, *patterns)
    assert [pattern for pattern, _ in alignment.pairs] == patterns
    assert alignment.missing == ()
    assert alignment.unexpected == ()


def test_the_twin_that_holds_is_preferred_to_the_one_that_differs() -> None:
    children = [plant("llm", {"m": "new"}), plant("llm", {"m": "a"})]
    alignment = aligned(children, span("llm", {"m": "a"}))
    ((_, node),) = alignment.pairs
    assert node["m"] == "a"
    assert [node["m"] for node in alignment.unexpected] == ["new"]


def test_another_order_is_seen_as_such() -> None:
    alignment = aligned(leaves("b", "a", "c"), "a", "b", "c")
    assert alignment.reordered
    assert not alignment.holds
    assert told(alignment) == (["b", "a", "c"], [], [], [])
    assert not aligned(leaves("b", "a", "x"), "a", "b", "c").reordered


def test_one_beyond_a_count_is_unexpected_and_one_below_is_missing() -> None:
    three = leaves("x", "x", "x", "y")
    assert told(aligned(three, span("x").times(2), "y")) == (["x", "x", "y"], [], ["x"], [])
    assert told(aligned(three, span("x").times(2), "y", ...)) == (["x", "x", "y"], [], ["x"], [])
    alignment = aligned(three, span("x").times(5), "y")
    assert told(alignment) == (["x", "x", "x", "y"], ["span('x').times(5)@3"], [], [])
    assert alignment.missing[0].found == 3


def test_one_case_01_names_the_missing_and_the_unexpected() -> None:
    alignment = aligned(leaves("x", "y"), any_order("x", "x"))
    assert told(alignment) == (["x"], ["span('x')@1"], ["y"], [])


def test_in_any_order_what_holds_is_paired_first_and_the_rest_by_nearness() -> None:
    children = [
        plant("llm", {"m": "b", "n": 2}),
        plant("llm", {"m": "a", "n": 1}),
        plant("llm", {"m": "c", "n": 9}),
    ]
    one, two, three = (span("llm", {"m": m, "n": n}) for m, n in (("a", 1), ("b", 5), ("c", 3)))
    alignment = aligned(children, any_order(three, one, two))
    assert [pattern for pattern, _ in alignment.pairs] == [two, one, three]


def test_a_one_of_is_paired_with_its_nearest_alternative() -> None:
    near, far = span("llm", {"m": "a", "n": 1}), span("llm", {"m": "x", "n": 2})
    alignment = aligned([plant("llm", {"m": "a", "n": 3})], one_of(far, near))
    ((pattern, _),) = alignment.pairs
    assert pattern == near
    assert told(aligned(leaves("z"), one_of("a", "b"))) == (
        [],
        ["one_of(span('a'), span('b'))@0"],
        ["z"],
        [],
    )


def test_in_an_open_level_strangers_are_allowed() -> None:
    alignment = aligned(leaves("p", "a", "q"), "a", "b", ...)
    assert told(alignment) == (["a"], ["span('b')@2"], [], ["p", "q"])


def test_a_long_list_is_aligned_around_what_was_inserted_and_dropped() -> None:
    names = [f"s{number}" for number in range(1_000)]
    changed = [*names[:300], "new", *names[300:600], *names[601:]]
    assert len(names) ** 2 > MOST_CELLS
    alignment = aligned(leaves(*changed), *names)
    assert told(alignment) == (names[:600] + names[601:], ["span('s600')@601"], ["new"], [])


def test_a_large_group_is_aligned_by_name() -> None:
    size = 600
    assert size * size > MOST_EDGES
    children = [plant("llm", {"n": number}) for number in range(size)]
    patterns = [span("llm", {"n": number + 1}) for number in range(size)]
    alignment = aligned(children, any_order(*patterns, "other"))
    assert len(alignment.pairs) == size
    assert [one.member for one in alignment.missing] == [span("other")]


parts = st.lists(
    st.one_of(
        st.builds(span, st.sampled_from(["a", "b", "*"])),
        st.builds(lambda name, n: span(name).times(n), st.sampled_from("ab"), st.integers(0, 3)),
        st.builds(lambda name: span(name).at_least(1), st.sampled_from("ab")),
        st.just(any_order("a", span("b").optional())),
        st.just(one_of("a", span("b").times(2))),
        st.just(...),
    ),
    max_size=4,
)


@tried()
@given(st.lists(st.sampled_from("abc"), max_size=6), parts)
def test_every_sibling_is_accounted_for_once(names: list[str], some: list[Part]) -> None:
    alignment = aligned(leaves(*names), *some)
    seen = [node for _, node in alignment.pairs] + [*alignment.unexpected, *alignment.others]
    assert sorted(node.name for node in seen) == sorted(names)
    assert len(set(seen)) == len(names)
    assert [node.order for _, node in alignment.pairs] == sorted(
        node.order for _, node in alignment.pairs
    )
    assert (... in some) or not alignment.others
    if alignment.holds or alignment.reordered:
        assert not alignment.missing
        assert not alignment.unexpected
    assert not (alignment.holds and alignment.reordered)
