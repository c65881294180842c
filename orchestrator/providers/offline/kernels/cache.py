"""Keep results that are dear to make."""

# %% imports
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

# %% core: lru, least recently used, eviction, capacity, bounded, size
V = TypeVar("V")


class Cache(Generic[V]):
    """A bounded cache: when it is full, what was used least recently makes room.

    >>> cache: Cache[int] = Cache(capacity=2)
    >>> cache.put("a", 1)
    >>> cache.get("a"), cache.get("b")
    (1, None)
    """

    def __init__(self, capacity: int = 128) -> None:
        """Start empty."""
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity!r}")
        self.capacity = capacity
        self._values: OrderedDict[Hashable, V] = OrderedDict()

    def get(self, key: Hashable, default: V | None = None) -> V | None:
        """The value, which now counts as just used, or the default."""
        if key not in self._values:
            return default
        self._values.move_to_end(key)
        return self._values[key]

    def put(self, key: Hashable, value: V) -> None:
        """Keep a value; the one used least recently goes if there is no room."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self.capacity:
            self._values.popitem(last=False)

    def drop(self, key: Hashable) -> None:
        """Forget a value; no matter if it was never there."""
        self._values.pop(key, None)

    def __len__(self) -> int:
        return len(self._values)


# %% expiry: ttl, expire, expiring, expiration, time to live, stale
class ExpiringCache(Cache[V]):
    """A cache with expiry: a value older than `ttl` seconds counts as not there."""

    def __init__(
        self, ttl: float, capacity: int = 128, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start empty; a clock of your own makes tests exact."""
        super().__init__(capacity)
        if ttl <= 0:
            raise ValueError(f"ttl must be above 0 seconds, not {ttl!r}")
        self.ttl = ttl
        self._clock = clock
        self._born: dict[Hashable, float] = {}

    def get(self, key: Hashable, default: V | None = None) -> V | None:
        """The value while it is fresh, or the default."""
        if key in self._born and self._clock() - self._born[key] >= self.ttl:
            self.drop(key)
        return super().get(key, default)

    def put(self, key: Hashable, value: V) -> None:
        """Keep a value from now on."""
        super().put(key, value)
        self._born[key] = self._clock()
        if len(self._born) > len(self._values):
            self._born = {kept: self._born[kept] for kept in self._values}

    def drop(self, key: Hashable) -> None:
        """Forget a value and its age."""
        super().drop(key)
        self._born.pop(key, None)


# %% computing what is missing: memoize, memoise, function, compute, loader
def remembered(cache: Cache[V], key: Hashable, make: Callable[[], V]) -> V:
    """The cached value; computing what is missing, and keeping it."""
    found = cache.get(key)
    if found is None:
        found = make()
        cache.put(key, found)
    return found


# %% thread safe: concurrent, concurrency, threads, lock, safe
class SharedCache(Cache[V]):
    """The same cache for many threads: a lock makes each look-up and each change one step."""

    def __init__(self, capacity: int = 128) -> None:
        """Start empty, with an open lock."""
        super().__init__(capacity)
        self._lock = threading.RLock()

    def get(self, key: Hashable, default: V | None = None) -> V | None:
        """The value, or the default."""
        with self._lock:
            return super().get(key, default)

    def put(self, key: Hashable, value: V) -> None:
        """Keep a value."""
        with self._lock:
            super().put(key, value)

    def drop(self, key: Hashable) -> None:
        """Forget a value."""
        with self._lock:
            super().drop(key)


# %% ?counting hits: statistics, stats, hit rate, metrics, hits, misses
class CountingCache(Cache[V]):
    """A cache that counts hits and misses."""

    def __init__(self, capacity: int = 128) -> None:
        """Start empty, with nothing counted."""
        super().__init__(capacity)
        self.hits = 0
        self.misses = 0

    def get(self, key: Hashable, default: V | None = None) -> V | None:
        """The value or the default, counted as a hit or a miss."""
        if key in self._values:
            self.hits += 1
        else:
            self.misses += 1
        return super().get(key, default)
