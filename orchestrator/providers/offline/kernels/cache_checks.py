"""What a cache has to do, as tests."""
# ruff: noqa: D103, PLR2004, S101 - tests assert, and their names and numbers are the point

# %% imports
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.providers.offline.kernels.cache import (
    Cache,
    CountingCache,
    ExpiringCache,
    SharedCache,
    remembered,
)


# %% core
def test_what_was_used_least_recently_makes_room() -> None:
    cache: Cache[int] = Cache(capacity=2)
    cache.put("a", 1)
    cache.put("b", 2)
    cache.get("a")
    cache.put("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)


def test_a_dropped_value_is_gone() -> None:
    cache: Cache[int] = Cache()
    cache.put("a", 1)
    cache.drop("a")
    assert len(cache) == 0


def test_a_capacity_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Cache(capacity=0)


# %% expiry
def test_expiry_makes_an_old_value_vanish() -> None:
    now = [0.0]
    cache: ExpiringCache[int] = ExpiringCache(ttl=10, clock=lambda: now[0])
    cache.put("a", 1)
    now[0] = 9.9
    assert cache.get("a") == 1
    now[0] = 10.0
    assert cache.get("a") is None


# %% computing what is missing
def test_computing_what_is_missing_happens_once() -> None:
    numbers = iter([7, 8])
    cache: Cache[int] = Cache()
    assert remembered(cache, "a", lambda: next(numbers)) == 7
    assert remembered(cache, "a", lambda: next(numbers)) == 7


# %% thread safe
def test_threads_together_never_pass_the_capacity() -> None:
    cache: SharedCache[int] = SharedCache(capacity=10)
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(lambda number: cache.put(number, number), range(500)))
    assert len(cache) == 10


# %% counting hits
def test_counting_hits_tells_them_from_misses() -> None:
    cache: CountingCache[int] = CountingCache()
    cache.put("a", 1)
    cache.get("a")
    cache.get("b")
    assert (cache.hits, cache.misses) == (1, 1)
