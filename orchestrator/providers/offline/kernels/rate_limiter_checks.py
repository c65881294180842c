"""What a rate limiter has to do, as tests."""
# ruff: noqa: D103, PLR2004, S101 - tests assert, and their names and numbers are the point

# %% imports
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.providers.offline.kernels.rate_limiter import (
    KeyedLimiter,
    LimitExceededError,
    RateLimiter,
    SharedRateLimiter,
    acquire,
    limited,
)


# %% core
class HandClock:
    """Time that passes only when a test says so."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.now = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        self.now += seconds


def test_a_full_bucket_allows_a_burst_and_no_more() -> None:
    limiter = RateLimiter(rate=1, capacity=3, clock=HandClock())
    assert [limiter.try_acquire() for _ in range(4)] == [True, True, True, False]


def test_tokens_come_back_at_the_rate() -> None:
    clock = HandClock()
    limiter = RateLimiter(rate=2, capacity=1, clock=clock)
    limiter.try_acquire()
    clock.sleep(0.25)
    assert not limiter.try_acquire()
    assert limiter.seconds_until() == 0.25
    clock.sleep(0.25)
    assert limiter.try_acquire()


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        RateLimiter(rate=0, capacity=1)


# %% waiting with a timeout
def test_waiting_takes_the_token_as_soon_as_it_is_there() -> None:
    clock = HandClock()
    limiter = RateLimiter(rate=1, capacity=1, clock=clock)
    limiter.try_acquire()
    assert acquire(limiter, timeout=2, sleep=clock.sleep)
    assert clock.now == 1.0


def test_waiting_gives_up_before_a_timeout_that_is_too_short() -> None:
    clock = HandClock()
    limiter = RateLimiter(rate=1, capacity=1, clock=clock)
    limiter.try_acquire()
    assert not acquire(limiter, timeout=0.5, sleep=clock.sleep)


# %% one limit per key
def test_one_limit_per_key_leaves_other_keys_alone() -> None:
    clients = KeyedLimiter(lambda: RateLimiter(rate=1, capacity=1, clock=HandClock()))
    assert clients.try_acquire("ada")
    assert not clients.try_acquire("ada")
    assert clients.try_acquire("grace")


# %% thread safe
def test_threads_together_get_exactly_the_capacity() -> None:
    limiter = SharedRateLimiter(rate=1, capacity=50, clock=HandClock())
    with ThreadPoolExecutor(max_workers=8) as pool:
        taken = list(pool.map(lambda _: limiter.try_acquire(), range(200)))
    assert sum(taken) == 50


# %% limiting a function
def test_a_limited_function_refuses_the_call_too_many() -> None:
    double = limited(RateLimiter(rate=1, capacity=1, clock=HandClock()))(lambda number: number * 2)
    assert double(4) == 8
    with pytest.raises(LimitExceededError, match=r"1\.00 s"):
        double(4)
