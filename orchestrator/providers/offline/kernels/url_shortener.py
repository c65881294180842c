"""Give long addresses short names."""

# %% imports
import json
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

# %% core: short code, redirect, base62, base 62, slug, resolve, unique
ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def encoded(number: int) -> str:
    """A number in base 62, which is as short as plain letters and digits allow."""
    digits = ""
    while True:
        number, rest = divmod(number, len(ALPHABET))
        digits = ALPHABET[rest] + digits
        if number == 0:
            return digits


class UrlShortener:
    """Addresses by short code; the same address always gets the same code.

    >>> shortener = UrlShortener()
    >>> shortener.shorten("https://example.com/a/long/path")
    'g8'
    >>> shortener.resolve("g8")
    'https://example.com/a/long/path'
    """

    def __init__(self, first: int = 1_000) -> None:
        """Start empty; `first` is the number of the first code, so that codes are not too short."""
        if first < 0:
            raise ValueError(f"first must be at least 0, not {first!r}")
        self._next = first
        self._urls: dict[str, str] = {}
        self._codes: dict[str, str] = {}

    def shorten(self, url: str) -> str:
        """The code of an address; ValueError when it is not an address of the web."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise ValueError(f"{url!r} is not an http or https address")
        if url not in self._codes:
            code = encoded(self._next)
            while code in self._urls:
                self._next += 1
                code = encoded(self._next)
            self._next += 1
            self._keep(code, url)
        return self._codes[url]

    def resolve(self, code: str) -> str:
        """The address behind a code; LookupError when nobody has made it."""
        if code not in self._urls:
            raise LookupError(f"no address has the code {code!r}")
        return self._urls[code]

    def items(self) -> list[tuple[str, str]]:
        """All codes with their addresses, the oldest first."""
        return list(self._urls.items())

    def _keep(self, code: str, url: str) -> None:
        self._urls[code] = url
        self._codes[url] = code


# %% names of one's own: custom, alias, vanity, names
class NamedShortener(UrlShortener):
    """A shortener that also takes names of one's own as codes."""

    def name(self, code: str, url: str) -> None:
        """Let a chosen code stand for an address; ValueError when it is taken."""
        if self._urls.get(code, url) != url:
            raise ValueError(f"the code {code!r} is taken")
        self._keep(code, url)


# %% counting visits: analytics, statistics, stats, count, clicks, visits, metrics, tracking
class VisitCounter:
    """Counting visits: how often, and when last, each code was resolved."""

    def __init__(self, shortener: UrlShortener, clock: Callable[[], float] = time.time) -> None:
        """Count from now on."""
        self._shortener = shortener
        self._clock = clock
        self.visits: dict[str, int] = {}
        self.last: dict[str, float] = {}

    def resolve(self, code: str) -> str:
        """The address behind a code, counted."""
        url = self._shortener.resolve(code)
        self.visits[code] = self.visits.get(code, 0) + 1
        self.last[code] = self._clock()
        return url


# %% saving and loading: persistent, persistence, durable, save, load, json, disk, storage
def saved(shortener: UrlShortener) -> str:
    """All codes as JSON, for saving; `loaded` reads it."""
    return json.dumps(dict(shortener.items()), indent=1)


def loaded(text: str) -> UrlShortener:
    """A shortener from what `saved` wrote; codes made later never meet the loaded ones."""
    shortener = NamedShortener()
    for code, url in json.loads(text).items():
        shortener.name(str(code), str(url))
    return shortener


# %% ?thread safe: concurrent, concurrency, threads, lock, safe
class SharedShortener(UrlShortener):
    """The same shortener for many threads: a lock makes finding and giving a code one step."""

    def __init__(self, first: int = 1_000) -> None:
        """Start empty, with an open lock."""
        super().__init__(first)
        self._lock = threading.Lock()

    def shorten(self, url: str) -> str:
        """The code of an address."""
        with self._lock:
            return super().shorten(url)
