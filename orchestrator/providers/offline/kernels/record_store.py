"""Keep records, and look after what they have to satisfy."""

# %% imports
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

# %% core: add, get, list, remove, store, records, data, validation, rules
Rule = Callable[["Record"], bool]


@dataclass(frozen=True)
class Record:
    """One entry: a name, and what is known about it."""

    name: str
    facts: tuple[tuple[str, str], ...] = ()

    def fact(self, key: str, default: str = "") -> str:
        """What is known under a key."""
        return dict(self.facts).get(key, default)


class RecordStore:
    """Records by name, each of which satisfied every rule when it was added.

    >>> store = RecordStore(rules=[lambda record: len(record.name) < 20])
    >>> store.add("first", colour="red").fact("colour")
    'red'
    >>> [record.name for record in store]
    ['first']
    """

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        """Start empty, with rules that every record has to satisfy."""
        self._rules = tuple(rules)
        self._records: dict[str, Record] = {}

    def add(self, name: str, **facts: str) -> Record:
        """Keep a record; ValueError when it has no name, is a duplicate or breaks a rule."""
        record = Record(name.strip(), tuple(facts.items()))
        if not record.name:
            raise ValueError("a record needs a name")
        if record.name in self._records:
            raise ValueError(f"there is a record {record.name!r} already")
        for rule in self._rules:
            if not rule(record):
                raise ValueError(f"record {record.name!r} breaks the rule {rule.__name__!r}")
        self._records[record.name] = record
        return record

    def get(self, name: str) -> Record:
        """A record by its name; LookupError when there is none."""
        if name not in self._records:
            raise LookupError(f"there is no record {name!r}")
        return self._records[name]

    def remove(self, name: str) -> Record:
        """Take a record out."""
        record = self.get(name)
        del self._records[name]
        return record

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records.values())


# %% searching: search, filter, find, query, lookup
def matching(store: Iterable[Record], **facts: str) -> list[Record]:
    """Searching: the records of which all these facts are true."""
    return [r for r in store if all(r.fact(key) == value for key, value in facts.items())]


# %% a report: report, summary, statistics, stats, analytics, overview, count
def counted(store: Iterable[Record], key: str) -> dict[str, int]:
    """A report of how many records have each value under a key, the most frequent first."""
    counts: dict[str, int] = {}
    for record in store:
        counts[record.fact(key)] = counts.get(record.fact(key), 0) + 1
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


# %% saving and loading: persistent, persistence, durable, save, load, json, disk, storage
def saved(store: Iterable[Record]) -> str:
    """All records as JSON, for saving; `loaded` reads it."""
    return json.dumps({record.name: dict(record.facts) for record in store}, indent=1)


def loaded(text: str, rules: Iterable[Rule] = ()) -> RecordStore:
    """A store from what `saved` wrote; every record is checked again."""
    store = RecordStore(rules)
    for name, facts in json.loads(text).items():
        store.add(name, **facts)
    return store


# %% ?thread safe: concurrent, concurrency, threads, lock, safe
class SharedStore(RecordStore):
    """The same store for many threads: a lock makes checking and keeping one step."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        """Start empty, with an open lock."""
        super().__init__(rules)
        self._lock = threading.Lock()

    def add(self, name: str, **facts: str) -> Record:
        """Keep a record."""
        with self._lock:
            return super().add(name, **facts)


# %% ?a command line: cli, command line, interactive, terminal
def main(arguments: list[str]) -> int:
    """A command line: each argument is a name to add; prints what was kept or refused."""
    store = RecordStore()
    refused = 0
    for name in arguments:
        try:
            print(f"added {store.add(name).name}")  # noqa: T201 - a command line prints
        except ValueError as error:
            refused += 1
            print(f"refused: {error}")  # noqa: T201 - a command line prints
    return 1 if refused else 0
