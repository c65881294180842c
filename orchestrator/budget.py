"""What a run may still spend, in money and in time.

A call reserves the most it can cost, waits while others hold what it needs, settles what it did
cost, and gives the rest back. So the limit holds at any concurrency within one event loop.
"""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Final

from orchestrator.errors import BudgetExceeded, InputError, TimeExceeded
from orchestrator.ports import Clock

THRESHOLDS: Final = (0.5, 0.8, 1.0)
"""Shares of the budget whose passing is told."""

_QUANTUM: Final = Decimal("1e-12")
_NOTHING: Final = Decimal(0)


def exact(cost: Decimal) -> Decimal:
    """A cost in whole trillionths of a dollar, rounded up.

    Prices per million tokens with up to six decimals lose nothing, and any amount below $1,000
    survives a float: ``Decimal(repr(float(cost))) == cost``, so what spans carry sums up to what
    was spent, to the last digit.
    """
    return cost.quantize(_QUANTUM, rounding=ROUND_CEILING).normalize()


def dollars(amount: Decimal) -> str:
    """An amount for people: all its digits, no exponent."""
    return f"${amount.normalize():f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The limits of a run; None: there is none.

    Raises:
        InputError: a limit is negative, not a number, infinite, or no time at all.
    """

    max_usd: Decimal | float | None = None
    """US dollars; 0 allows free models only."""
    max_time_s: float | None = None
    """Seconds from the start of the run."""

    def __post_init__(self) -> None:
        if self.max_usd is not None and not (math.isfinite(self.max_usd) and self.max_usd >= 0):
            raise InputError(
                f"The budget is {self.max_usd!r}: give dollars, 0 or more, "
                "or leave it out for no limit."
            )
        if self.max_time_s is not None and not (
            math.isfinite(self.max_time_s) and self.max_time_s > 0
        ):
            raise InputError(
                f"The time limit is {self.max_time_s!r}: give seconds, more than 0, "
                "or leave it out for no limit."
            )


@dataclass(slots=True, eq=False)
class _Waiter:
    worst: Decimal
    turn: asyncio.Future[bool]


class Ledger:
    """What a project has spent, earlier runs included, and what its calls in flight may spend."""

    def __init__(
        self,
        max_usd: Decimal | float | None = None,
        *,
        spent: Decimal = _NOTHING,
        estimated: Decimal = _NOTHING,
    ) -> None:
        # A float is taken as it was written: 0.1 is a tenth, not its nearest binary neighbour.
        self.max_usd = Decimal(repr(max_usd)) if isinstance(max_usd, float | int) else max_usd
        self.spent = spent
        self.held = Decimal(0)
        self.estimated = estimated
        """The part of `spent` that no provider confirmed: lost replies, at their worst case."""
        self._waiting: deque[_Waiter] = deque()
        self._told = 0
        self.passed_thresholds()  # an earlier run of the project told of those

    @property
    def left(self) -> Decimal | None:
        """What no call has spent or reserved; None without a limit."""
        return None if self.max_usd is None else self.max_usd - self.spent - self.held

    def may_ever_fit(self, worst: Decimal) -> bool:
        """Whether a request that may cost so much fits, if every reservation comes back unspent."""
        return self.max_usd is None or not worst or self.spent + exact(worst) <= self.max_usd

    @asynccontextmanager
    async def reserve(self, worst: Decimal) -> AsyncIterator["Reservation"]:
        """Set `worst` dollars aside for one request; settled or given back when the block ends.

        Entering waits, first come first served, while reservations are out that may come back.

        Raises:
            BudgetExceeded: on entering, when it cannot fit even if they all come back unspent.
        """
        worst = exact(worst)
        await self._hold(worst)
        reservation = Reservation(worst)
        try:
            yield reservation
        finally:
            self.held -= worst
            self.spent += reservation.cost
            if reservation.estimated:
                self.estimated += reservation.cost
            self._admit()

    def passed_thresholds(self) -> tuple[float, ...]:
        """The shares of the budget that spending has passed since this was last asked."""
        already = self._told
        if self.max_usd:
            share = self.spent / self.max_usd
            self._told = sum(share >= Decimal(repr(mark)) for mark in THRESHOLDS)
        return THRESHOLDS[already : self._told]

    async def _hold(self, worst: Decimal) -> None:
        # What costs nothing neither waits nor is refused: free models stay usable at the limit.
        if not worst or (not self._waiting and self._fits(worst)):
            self.held += worst
            return
        if not self.may_ever_fit(worst):
            raise self._exceeded(worst)
        if not await self._turn(worst):
            raise self._exceeded(worst)

    async def _turn(self, worst: Decimal) -> bool:
        """Queue up; True: the amount is held now, False: it will never fit."""
        waiter = _Waiter(worst, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        try:
            return await waiter.turn
        except asyncio.CancelledError:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            elif not waiter.turn.cancelled() and waiter.turn.result():
                self.held -= worst  # granted in the very moment of the cancel
            self._admit()
            raise

    def _admit(self) -> None:
        """Wake whoever is next in the queue, as long as their turn can be decided."""
        while self._waiting:
            waiter = self._waiting[0]
            fits = self._fits(waiter.worst)
            if not fits and self.may_ever_fit(waiter.worst) and not waiter.turn.cancelled():
                return
            self._waiting.popleft()
            if not waiter.turn.cancelled():
                self.held += waiter.worst if fits else 0
                waiter.turn.set_result(fits)

    def _fits(self, worst: Decimal) -> bool:
        return self.max_usd is None or self.spent + self.held + worst <= self.max_usd

    def _exceeded(self, worst: Decimal) -> BudgetExceeded:
        limit = self.max_usd or Decimal(0)
        return BudgetExceeded(
            f"The next call could cost {dollars(worst)}, and of the budget of {dollars(limit)} "
            f"{dollars(self.spent)} is spent. Raise the budget or choose cheaper models."
        )


class Reservation:
    """Money set aside for one request; what is not settled was not spent."""

    __slots__ = ("_settled", "cost", "estimated", "worst")

    def __init__(self, worst: Decimal) -> None:
        self.worst = worst
        self.cost = Decimal(0)
        self.estimated = False
        self._settled = False

    def settle(self, cost: Decimal, *, estimated: bool = False) -> None:
        """Say what the request cost, or, where nobody knows, what it may have cost.

        A provider that bills more than the worst case is booked in full: the ledger tells the
        truth, and refuses what comes next.
        """
        if self._settled:
            raise RuntimeError("a reservation is settled once")
        self._settled = True
        self.cost = exact(cost)
        self.estimated = estimated


class Deadline:
    """When the run's time is over."""

    def __init__(self, clock: Clock, max_time_s: float | None = None) -> None:
        self._clock = clock
        self._max_time_s = max_time_s
        self._end = math.inf if max_time_s is None else clock.monotonic() + max_time_s

    def remaining(self) -> float:
        """Seconds left, never negative; infinite without a limit."""
        return max(0.0, self._end - self._clock.monotonic())

    def check(self) -> None:
        """Go on, or not.

        Raises:
            TimeExceeded: the time is over.
        """
        if self.remaining() <= 0:
            raise self.exceeded()

    def exceeded(self) -> TimeExceeded:
        """The failure to raise when the time is over."""
        return TimeExceeded(
            f"The run's time limit of {self._max_time_s} s has passed. "
            "Give it more time, or fewer tasks."
        )
