"""What each backend takes for the best, and what none of them may ever do."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.routing import (
    Candidate,
    GreedyBackend,
    Left,
    ParetoBackend,
    RoutingBackend,
    WeightedSumBackend,
    Weights,
)

BACKENDS: list[RoutingBackend] = [GreedyBackend(), WeightedSumBackend(), ParetoBackend()]


def candidate(
    name: str, quality: float, *, cost: float = 0.0, seconds: float = 0.0, rank: int = 0
) -> Candidate:
    return Candidate(model=name, quality=quality, cost_usd=cost, latency_s=seconds, rank=rank)


BEST = candidate("best", 0.9, cost=0.04, seconds=20, rank=0)
QUICK = candidate("quick", 0.8, cost=0.02, seconds=2, rank=1)
CHEAP = candidate("cheap", 0.65, cost=0.002, seconds=4, rank=2)
WORST = candidate("worst", 0.6, cost=0.03, seconds=9, rank=3)
ALL = (BEST, QUICK, CHEAP, WORST)


def test_greedy_takes_the_highest_quality_whatever_it_costs() -> None:
    assert GreedyBackend().select(ALL, Left(usd=0.05, seconds=30)).model == "best"


def test_greedy_takes_the_cheaper_and_then_the_quicker_of_equals() -> None:
    dear = candidate("dear", 0.9, cost=0.2)
    slow, quick = (candidate(name, 0.9, cost=0.1, seconds=s) for name, s in (("s", 9), ("q", 1)))

    assert GreedyBackend().select([dear, slow, quick], Left()).model == "q"


def test_the_weighted_sum_is_what_the_weights_make_of_it() -> None:
    by_money = WeightedSumBackend(Weights(quality=1, usd=20, seconds=0))
    by_time = WeightedSumBackend(Weights(quality=1, usd=0, seconds=0.05))

    assert by_money.select(ALL, Left()).model == "cheap"
    assert by_time.select(ALL, Left()).model == "quick"
    assert WeightedSumBackend().select(ALL, Left()).model == "best"


def test_pareto_spends_while_there_is_plenty_and_saves_when_there_is_not() -> None:
    chosen = [ParetoBackend().select(ALL, Left(usd=usd)).model for usd in (10, 0.15, 0.05)]

    assert chosen == ["best", "quick", "cheap"]


def test_pareto_takes_a_quick_model_when_time_runs_out() -> None:
    assert ParetoBackend().select(ALL, Left(seconds=60)).model == "quick"


def test_without_limits_pareto_and_the_weighted_sum_agree() -> None:
    assert (
        ParetoBackend().select(ALL, Left()).model == WeightedSumBackend().select(ALL, Left()).model
    )


def test_pareto_says_who_is_beaten_by_whom_and_what_share_a_call_takes() -> None:
    selection = ParetoBackend().select(ALL, Left(usd=0.5, seconds=200))

    assert selection.beaten_by == {"worst": "quick"}
    assert selection.reason == (
        "it is worth most of the 3 that no other one beats in everything, a call taking 4% of the "
        "money that is left and 1% of the time that is left"
    )


def test_a_model_that_nobody_rivals_is_chosen_for_that() -> None:
    assert ParetoBackend().select([QUICK, WORST], Left()).reason == (
        "no other one is better in anything"
    )


@pytest.mark.parametrize("weights", [{"quality": -1}, {"usd": float("inf")}, {"dollars": 1}])
def test_weights_that_are_none_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Weights.model_validate(weights)


# Whatever the candidates are

MEASURES = st.tuples(
    st.sampled_from([0.0, 0.3, 0.5, 0.5000001, 0.9, 1.0]),
    st.sampled_from([0.0, 0.001, 0.01, 0.5, 30.0]),
    st.sampled_from([0.0, 0.2, 3.0, 90.0]),
)


@st.composite
def fields(draw: st.DrawFn) -> list[Candidate]:
    measures = draw(st.lists(MEASURES, min_size=1, max_size=8))
    return [
        candidate(f"m{rank}", quality, cost=cost, seconds=seconds, rank=rank)
        for rank, (quality, cost, seconds) in enumerate(measures)
    ]


LEFT = st.builds(
    Left,
    usd=st.sampled_from([0.0, 1e-6, 0.01, 1.0, float("inf")]),
    seconds=st.sampled_from([0.0, 0.5, 60.0, float("inf")]),
)


def is_dominated(one: Candidate, by: Candidate) -> bool:
    ours = (one.quality, -one.cost_usd, -one.latency_s)
    theirs = (by.quality, -by.cost_usd, -by.latency_s)
    return theirs != ours and all(t >= o for o, t in zip(ours, theirs, strict=True))


@settings(deadline=None)
@given(field=fields(), left=LEFT)
def test_the_choice_of_pareto_is_never_dominated(field: list[Candidate], left: Left) -> None:
    selection = ParetoBackend().select(field, left)

    chosen = next(each for each in field if each.model == selection.model)
    assert not any(is_dominated(chosen, other) for other in field)
    by_name = {each.model: each for each in field}
    for beaten, winner in selection.beaten_by.items():
        assert is_dominated(by_name[beaten], by_name[winner])


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.name)
@settings(deadline=None)
@given(data=st.data(), field=fields(), left=LEFT)
def test_no_backend_leaves_the_field_or_minds_its_order(
    backend: RoutingBackend, data: st.DataObject, field: list[Candidate], left: Left
) -> None:
    selection = backend.select(field, left)
    shuffled = data.draw(st.permutations(field))

    assert selection.model in {each.model for each in field}
    assert backend.select(shuffled, left) == selection
    assert selection.scores.keys() == {each.model for each in field}


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.name)
def test_between_equals_the_catalogue_decides(backend: RoutingBackend) -> None:
    twins = [replace(QUICK, model=name, rank=rank) for rank, name in enumerate("zyx")]

    assert backend.select(twins, Left()).model == "z"
    assert backend.select(twins[::-1], Left(usd=0.1)).model == "z"
