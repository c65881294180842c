"""Size and depth: nothing recurses, and what should be linear does a linear amount of work."""

from itertools import pairwise

import pytest

from pytest_otel_spans.matching.match import match_roots, select
from pytest_otel_spans.patterns.pattern import Part, SpanPattern, any_order, never, one_of, span
from pytest_otel_spans.patterns.words import same
from pytest_otel_spans.tree import Forest, Sighting, grow
from tests.plugin.groves import context, finished, forest, plant

DEEP = 20_000


def chain(size: int) -> Forest:
    return grow(
        Sighting(finished("s", context(1, n + 1), context(1, n) if n else None), n, "T")
        for n in range(size)
    )


@pytest.fixture(scope="module")
def deep() -> Forest:
    return chain(DEEP)


def nested(size: int) -> list[SpanPattern]:
    """A literal for the chain in each of several shapes."""
    literal = grouped = opened = alternative = span("s")
    for _ in range(size - 1):
        literal = span("s", literal)
        grouped = span("s", any_order(grouped))
        opened = span("s", opened, ...)
        alternative = span("s", one_of("x", alternative))
    return [literal, grouped, opened, alternative]


def test_a_chain_20_000_deep_is_matched_in_every_shape(deep: Forest) -> None:
    for pattern in nested(DEEP):
        assert match_roots(deep, [pattern]).holds
        assert not match_roots(deep, [span("s", pattern)]).holds


def test_a_chain_20_000_deep_is_searched(deep: Forest) -> None:
    assert match_roots(
        deep, [span("s", ...).descendant(span("s").times(DEEP - 1)).never("x")]
    ).holds
    assert not match_roots(deep, [span("s", ...), never(span("s", any_order()))]).holds
    assert len(select(deep, "s // s")) == DEEP - 1
    assert len(select(deep, "s / s / s")) == DEEP - 2


class Counting:
    """A value that counts how often it is compared."""

    def __init__(self, value: object) -> None:
        self.value = value
        self.times = 0

    def __call__(self, other: object) -> bool:
        self.times += 1
        return self.value == other


def comparisons(size: int, *, ordered: bool) -> int:
    """How often attributes are compared when each of many siblings has a pattern of its own."""
    grown = forest(plant("root", *(plant(f"s{n}", {"n": n}) for n in range(size))))
    values = [Counting(n) for n in range(size)]
    members = [span(f"s{n}", {"n": value}) for n, value in enumerate(values)]
    parts: list[Part] = [*members, ...] if ordered else [any_order(*reversed(members))]
    assert match_roots(grown, [span("root", *parts)]).holds
    return sum(value.times for value in values)


@pytest.mark.parametrize("ordered", [True, False], ids=["in order", "in any order"])
def test_siblings_with_names_of_their_own_are_compared_a_linear_number_of_times(
    ordered: bool,  # noqa: FBT001
) -> None:
    counts = [comparisons(size, ordered=ordered) for size in (50, 100, 200)]
    assert all(large <= 2.1 * small for small, large in pairwise(counts))


def test_an_ordered_list_of_wildcards_is_compared_a_linear_number_of_times() -> None:
    size = 300
    grown = forest(plant("root", *(plant("s", {"n": n}) for n in range(size))))
    values = [Counting(n) for n in range(size)]
    members = [span("*", {"n": value}) for value in values]
    assert match_roots(grown, [span("root", *members, span("s").optional())]).holds
    assert sum(value.times for value in values) <= 4 * size


def test_equal_wildcards_are_compared_once() -> None:
    size = 300
    grown = forest(plant("root", *(plant(f"s{n}", {"n": n}) for n in range(size))))
    seen: list[object] = []

    def whatever(value: object) -> bool:
        seen.append(value)
        return True

    members = [span("*", {"n": whatever}) for _ in range(size)]
    assert match_roots(grown, [span("root", any_order(*members))]).holds
    assert len(seen) <= 4 * size


def test_a_label_on_many_spans_is_found_without_trying_all() -> None:
    size = 300
    grown = forest(
        plant("root", {"run": 7}, *(plant("s", {"run": 7, "n": n}) for n in range(size)))
    )
    label = {"run": same("run")}
    pattern = span("root", label, *(span("s", {**label, "n": n}) for n in range(size)))
    assert match_roots(grown, [pattern]).holds
