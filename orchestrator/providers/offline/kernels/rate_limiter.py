"""Decide how often something may happen."""

# %% imports
import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar


# %% core: token bucket, burst, refill, capacity, limit
class RateLimiter:
    """A token bucket: it refills at `rate` tokens a second, up to `capacity`.

    >>> limiter = RateLimiter(rate=5, capacity=2)
    >>> [limiter.try_acquire() for _ in range(3)]
    [True, True, False]
    """

    def __init__(
        self, rate: float, capacity: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start with a full bucket; a clock of your own makes tests exact."""
        if rate <= 0 or capacity <= 0:
            raise ValueError(f"rate and capacity must be above 0, not {rate!r} and {capacity!r}")
        self.rate = rate
        self.capacity = capacity
        self._clock = clock
        self._tokens = float(capacity)
        self._updated = clock()

    def try_acquire(self, tokens: float = 1) -> bool:
        """Take tokens if there are enough; never wait."""
        if not 0 < tokens <= self.capacity:
            raise ValueError(f"tokens must be above 0 and at most {self.capacity}, not {tokens!r}")
        self._refill()
        if self._tokens < tokens:
            return False
        self._tokens -= tokens
        return True

    def seconds_until(self, tokens: float = 1) -> float:
        """How long until so many tokens are there."""
        self._refill()
        return max(0.0, (tokens - self._tokens) / self.rate)

    def _refill(self) -> None:
        now = self._clock()
        grown = self._tokens + (now - self._updated) * self.rate
        self._tokens = min(self.capacity, grown)
        self._updated = now


# %% waiting with a timeout: wait, blocking, timeout, acquire
def acquire(
    limiter: RateLimiter,
    tokens: float = 1,
    timeout: float = 10.0,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Take tokens, waiting for them; False when they cannot be there within the timeout."""
    waited = 0.0
    while not limiter.try_acquire(tokens):
        pause = max(limiter.seconds_until(tokens), 0.001)
        if waited + pause > timeout:
            return False
        sleep(pause)
        waited += pause
    return True


# %% one limit per key: per client, per user, per key, keys, multi-tenant
class KeyedLimiter:
    """One bucket for each key, such as a client's address; made when the key is first seen."""

    def __init__(self, make: Callable[[], RateLimiter]) -> None:
        """Take what makes a fresh bucket."""
        self._make = make
        self._buckets: dict[str, RateLimiter] = {}

    def try_acquire(self, key: str, tokens: float = 1) -> bool:
        """Take tokens from the key's own bucket."""
        if key not in self._buckets:
            self._buckets[key] = self._make()
        return self._buckets[key].try_acquire(tokens)


# %% thread safe: concurrent, concurrency, threads, lock, safe
class SharedRateLimiter(RateLimiter):
    """The same limiter for many threads: a lock makes refilling and taking one step."""

    def __init__(
        self, rate: float, capacity: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start with a full bucket and an open lock."""
        super().__init__(rate, capacity, clock)
        self._lock = threading.Lock()

    def try_acquire(self, tokens: float = 1) -> bool:
        """Take tokens if there are enough; no other thread can come between."""
        with self._lock:
            return super().try_acquire(tokens)

    def seconds_until(self, tokens: float = 1) -> float:
        """How long until so many tokens are there, if nobody else takes them."""
        with self._lock:
            return super().seconds_until(tokens)


# %% limiting a function: decorator, wrap, function
P = ParamSpec("P")
R = TypeVar("R")


class LimitExceededError(Exception):
    """A limited function was called too often."""


def limited(limiter: RateLimiter) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function: a call without a token raises LimitExceededError."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            if not limiter.try_acquire():
                raise LimitExceededError(f"try again in {limiter.seconds_until():.2f} s")
            return function(*args, **kwargs)

        return call

    return decorate
