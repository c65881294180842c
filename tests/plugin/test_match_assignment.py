"""Assigning spans to slots, against trying everything."""

from itertools import permutations, product

from hypothesis import given
from hypothesis import strategies as st

from pytest_otel_spans.matching.assignment import Slots, assign, can_fill, can_place, place_most
from pytest_otel_spans.matching.cheapest import MOST_ROWS, cheapest
from tests.effort import tried

MANY = tried()


@st.composite
def problems(draw: st.DrawFn) -> tuple[Slots, list[int], int]:
    size = draw(st.integers(0, 5))
    number = draw(st.integers(0, 3))
    least = [draw(st.integers(0, 2)) for _ in range(number)]
    more = [draw(st.none() | st.integers(0, 2)) for _ in range(number)]
    takes = [sorted(draw(st.sets(st.integers(0, size - 1)))) if size else [] for _ in range(number)]
    most = [None if m is None else n + m for n, m in zip(least, more, strict=True)]
    required = sorted(draw(st.sets(st.integers(0, size - 1)))) if size else []
    return Slots(least=least, most=most, takes=takes), required, size


def is_assignment(slots: Slots, places: dict[int, int]) -> bool:
    counts = [sum(slot == index for slot in places.values()) for index in range(len(slots.takes))]
    return all(span in slots.takes[slot] for span, slot in places.items()) and all(
        most is None or count <= most for count, most in zip(counts, slots.most, strict=True)
    )


def is_filled(slots: Slots, places: dict[int, int]) -> bool:
    return all(
        sum(slot == index for slot in places.values()) >= least
        for index, least in enumerate(slots.least)
    )


def every_assignment(slots: Slots, size: int) -> list[dict[int, int]]:
    choices = product([None, *range(len(slots.takes))], repeat=size)
    some = [{at: slot for at, slot in enumerate(one) if slot is not None} for one in choices]
    return [places for places in some if is_assignment(slots, places)]


@MANY
@given(problems())
def test_an_assignment_is_found_whenever_there_is_one(
    problem: tuple[Slots, list[int], int],
) -> None:
    slots, required, size = problem
    every = every_assignment(slots, size)
    filling = [places for places in every if is_filled(slots, places)]
    placing = [places for places in every if set(required) <= places.keys()]
    found = assign(slots, required)
    assert can_fill(slots) == bool(filling)
    assert can_place(slots, required) == bool(placing)
    assert (found is not None) == any(set(required) <= places.keys() for places in filling)
    assert (found is not None) == bool(filling and placing), "Mendelsohn and Dulmage"
    if found is not None:
        assert is_assignment(slots, found)
        assert is_filled(slots, found)
        assert set(required) <= found.keys()


@MANY
@given(problems())
def test_as_many_as_possible_are_placed(problem: tuple[Slots, list[int], int]) -> None:
    slots, _, size = problem
    found = place_most(slots, range(size))
    assert is_assignment(slots, found)
    assert len(found) == max(map(len, every_assignment(slots, size)))


costs = st.integers(1, 4).flatmap(
    lambda width: st.lists(
        st.lists(st.none() | st.integers(0, 9), min_size=width, max_size=width), max_size=4
    )
)


@MANY
@given(costs)
def test_the_cheapest_of_the_largest_pairings_is_found(table: list[list[int | None]]) -> None:
    def worth(pairs: list[tuple[int, int]]) -> tuple[int, int]:
        return -len(pairs), sum(table[row][column] or 0 for row, column in pairs)

    width = len(table[0]) if table else 0
    every = [
        [(row, column) for row, column in enumerate(columns) if column is not None]
        for columns in permutations([*range(width), *[None] * len(table)], len(table))
    ]
    possible = [
        pairs for pairs in every if all(table[row][column] is not None for row, column in pairs)
    ]
    found = cheapest(table)
    assert found in possible
    assert worth(found) == min(map(worth, possible))


def test_a_large_pairing_is_greedy_and_still_a_pairing() -> None:
    size = MOST_ROWS + 1
    table = [[abs(row - column) for column in range(size)] for row in range(size)]
    assert cheapest(table) == [(at, at) for at in range(size)]
