"""The ledger and the deadline: what they promise at any concurrency."""

import asyncio
import math
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.budget import Budget, Deadline, Ledger, exact
from orchestrator.errors import BudgetExceeded, InputError, TimeExceeded
from tests.fakes import ManualClock, in_virtual_time

USD = Decimal


@dataclass(frozen=True)
class Job:
    """One call as a test draws it: when it asks, for how much, what it pays, whether it is cut."""

    starts: int
    lasts: int
    worst: int
    share: float
    cancelled_at: int | None


JOBS = st.lists(
    st.builds(
        Job,
        starts=st.integers(0, 20),
        lasts=st.integers(0, 20),
        worst=st.integers(0, 60),
        share=st.floats(0, 1),
        cancelled_at=st.none() | st.integers(0, 40),
    ),
    min_size=50,
    max_size=50,
)


@settings(max_examples=60, deadline=None)
@given(jobs=JOBS, limit=st.integers(0, 200))
def test_no_interleaving_of_fifty_tasks_passes_the_limit_or_leaks(
    jobs: list[Job], limit: int
) -> None:
    ledger = Ledger(USD(limit))
    refused: list[tuple[Decimal, Decimal]] = []

    def assert_within() -> None:
        assert ledger.spent + ledger.held <= limit

    async def work(job: Job) -> None:
        await asyncio.sleep(job.starts)
        try:
            async with ledger.reserve(USD(job.worst)) as reservation:
                assert_within()
                await asyncio.sleep(job.lasts)
                reservation.settle(USD(repr(job.share)) * job.worst)
        except BudgetExceeded:
            refused.append((USD(job.worst), ledger.spent))
        assert_within()

    async def cut(task: asyncio.Task[None], at: int) -> None:
        await asyncio.sleep(at)
        task.cancel()

    async def main() -> None:
        tasks = [asyncio.create_task(work(job)) for job in jobs]
        cuts = [
            cut(task, job.cancelled_at)
            for task, job in zip(tasks, jobs, strict=True)
            if job.cancelled_at is not None
        ]
        await asyncio.gather(*tasks, *cuts, return_exceptions=True)
        for task in tasks:
            assert task.cancelled() or task.exception() is None

    in_virtual_time(main())

    assert ledger.held == 0
    # Nobody was refused what could still have come free: refusing is for what never fits.
    assert all(spent + worst > limit for worst, spent in refused)


async def test_a_reservation_that_does_not_fit_waits_for_a_settlement() -> None:
    ledger = Ledger(USD(10))
    order: list[str] = []

    async def second() -> None:
        async with ledger.reserve(USD(6)) as reservation:
            order.append("second holds")
            reservation.settle(USD(6))

    async with ledger.reserve(USD(8)) as first:
        waiting = asyncio.create_task(second())
        await asyncio.sleep(0)
        order.append("first settles")
        first.settle(USD(2))
    await waiting

    assert order == ["first settles", "second holds"]
    assert ledger.spent == 8


async def test_a_settlement_refuses_the_waiter_that_no_longer_fits() -> None:
    ledger = Ledger(USD(10))

    async def second() -> None:
        async with ledger.reserve(USD(6)):
            raise AssertionError("it was let in")

    async with ledger.reserve(USD(8)) as first:
        waiting = asyncio.create_task(second())
        await asyncio.sleep(0)
        first.settle(USD(5))

    with pytest.raises(BudgetExceeded):
        await waiting


async def test_waiters_are_served_in_order_and_a_small_one_does_not_starve_a_big_one() -> None:
    ledger = Ledger(USD(10))
    served: list[str] = []

    async def ask(name: str, worst: int) -> None:
        async with ledger.reserve(USD(worst)):
            served.append(name)

    async with ledger.reserve(USD(5)):
        big = asyncio.create_task(ask("big", 8))
        await asyncio.sleep(0)
        small = asyncio.create_task(ask("small", 1))
        await asyncio.sleep(0)
        assert served == []
    await asyncio.gather(big, small)

    assert served == ["big", "small"]


async def test_cancelling_the_first_in_the_queue_lets_the_next_one_in() -> None:
    ledger = Ledger(USD(10))
    entered = asyncio.Event()

    async def ask(worst: int) -> None:
        async with ledger.reserve(USD(worst)):
            entered.set()

    async with ledger.reserve(USD(5)):
        big = asyncio.create_task(ask(8))
        await asyncio.sleep(0)
        small = asyncio.create_task(ask(1))
        await asyncio.sleep(0)
        big.cancel()
        await small
        assert entered.is_set()

    assert ledger.held == 0


async def test_a_grant_that_meets_a_cancellation_is_given_back() -> None:
    ledger = Ledger(USD(10))

    async def ask() -> None:
        async with ledger.reserve(USD(8)):
            raise AssertionError("it was cancelled")

    async with ledger.reserve(USD(8)):
        waiting = asyncio.create_task(ask())
        await asyncio.sleep(0)
    waiting.cancel()  # granted when the block above ended, and not yet awake
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert ledger.held == 0


async def test_what_is_not_settled_was_not_spent() -> None:
    ledger = Ledger(USD(10))

    with pytest.raises(ZeroDivisionError):
        async with ledger.reserve(USD(8)):
            raise ZeroDivisionError

    assert ledger.spent == ledger.held == 0
    assert ledger.left == 10


async def test_what_costs_nothing_neither_waits_nor_is_refused() -> None:
    ledger = Ledger(USD(1))

    async def second() -> None:
        async with ledger.reserve(USD(1)) as reservation:
            reservation.settle(USD(1))

    async with ledger.reserve(USD(1)):
        waiting = asyncio.create_task(second())
        await asyncio.sleep(0)
        async with ledger.reserve(USD(0)):
            assert not waiting.done()
    await waiting
    async with ledger.reserve(USD(0)):
        assert ledger.left == 0


async def test_the_refusal_names_the_limit_what_is_spent_and_what_is_needed() -> None:
    ledger = Ledger(0.5)
    async with ledger.reserve(USD("0.3")) as reservation:
        reservation.settle(USD("0.3"))

    with pytest.raises(BudgetExceeded) as refusal:
        async with ledger.reserve(USD("0.25")):
            raise AssertionError("it was let in")

    assert str(refusal.value) == (
        "The next call could cost $0.25, and of the budget of $0.5 $0.3 is spent. "
        "Raise the budget or choose cheaper models."
    )


async def test_estimates_are_kept_apart() -> None:
    ledger = Ledger()
    async with ledger.reserve(USD(2)) as lost:
        lost.settle(lost.worst, estimated=True)
    async with ledger.reserve(USD(2)) as known:
        known.settle(USD(1))

    assert ledger.spent == 3
    assert ledger.estimated == 2
    assert ledger.left is None


async def test_a_reservation_is_settled_once() -> None:
    async with Ledger().reserve(USD(2)) as reservation:
        reservation.settle(USD(1))
        with pytest.raises(RuntimeError, match="settled once"):
            reservation.settle(USD(1))


async def test_a_bill_above_the_worst_case_is_booked_in_full_and_refuses_the_next_call() -> None:
    ledger = Ledger(USD(10))
    async with ledger.reserve(USD(2)) as reservation:
        reservation.settle(USD(12))

    assert ledger.spent == 12
    with pytest.raises(BudgetExceeded):
        async with ledger.reserve(USD("0.01")):
            raise AssertionError("it was let in")


async def test_each_threshold_is_told_once() -> None:
    ledger = Ledger(USD(10))
    told = []
    for cost in (4, 1, 4, 1):
        async with ledger.reserve(USD(cost)) as reservation:
            reservation.settle(USD(cost))
        told.append(ledger.passed_thresholds())

    assert told == [(), (0.5,), (0.8,), (1.0,)]
    assert ledger.passed_thresholds() == ()


@pytest.mark.parametrize("limit", [None, 0])
def test_no_limit_and_no_money_have_no_thresholds(limit: float | None) -> None:
    assert Ledger(limit).passed_thresholds() == ()


@settings(deadline=None)
@given(st.lists(st.decimals(0, 1000, allow_nan=False, places=15), max_size=20))
def test_costs_survive_the_floats_of_spans_to_the_last_digit(costs: list[Decimal]) -> None:
    booked = [exact(cost) for cost in costs]

    on_spans = [float(cost) for cost in booked]

    assert sum((USD(repr(cost)) for cost in on_spans), USD(0)) == sum(booked, USD(0))
    assert all(cost <= kept for cost, kept in zip(costs, booked, strict=True))


@pytest.mark.parametrize("dollars", [-1, -0.01, math.nan, math.inf, USD("NaN"), USD(-2)])
def test_a_budget_that_is_no_amount_is_refused_with_its_value(dollars: Decimal | float) -> None:
    with pytest.raises(InputError, match=r"The budget is .*: give dollars, 0 or more") as refusal:
        Budget(max_usd=dollars)

    assert repr(dollars) in str(refusal.value)


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf])
def test_a_time_limit_that_is_no_time_is_refused_with_its_value(seconds: float) -> None:
    with pytest.raises(InputError, match=r"The time limit is .*: give seconds") as refusal:
        Budget(max_time_s=seconds)

    assert repr(seconds) in str(refusal.value)


def test_a_budget_may_be_nothing_or_nothing_said() -> None:
    assert Budget(max_usd=0).max_usd == 0
    assert Budget() == Budget(max_usd=None, max_time_s=None)


def test_a_deadline_counts_down_and_then_says_so() -> None:
    clock = ManualClock()
    deadline = Deadline(clock, 5)
    clock.advance(4)
    deadline.check()
    assert deadline.remaining() == 1

    clock.advance(2)

    assert deadline.remaining() == 0
    with pytest.raises(TimeExceeded, match=r"time limit of 5 s has passed"):
        deadline.check()


def test_without_a_limit_time_is_never_over() -> None:
    clock = ManualClock()
    deadline = Deadline(clock)
    clock.advance(1e9)

    deadline.check()

    assert deadline.remaining() == math.inf
