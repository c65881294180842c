"""What a store of records has to do, as tests."""
# ruff: noqa: D103, PLR2004, S101 - tests assert, and their names and numbers are the point

# %% imports
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.providers.offline.kernels.record_store import (
    Record,
    RecordStore,
    SharedStore,
    counted,
    loaded,
    main,
    matching,
    saved,
)


# %% core
def test_what_is_added_can_be_had_again() -> None:
    store = RecordStore()
    store.add("first", colour="red")
    assert store.get("first").fact("colour") == "red"
    assert store.remove("first") == Record("first", (("colour", "red"),))
    assert list(store) == []


def test_blank_names_and_duplicates_are_refused() -> None:
    store = RecordStore()
    store.add("first")
    with pytest.raises(ValueError, match="needs a name"):
        store.add(" ")
    with pytest.raises(ValueError, match="already"):
        store.add("first")


def test_a_broken_rule_is_named() -> None:
    def short(record: Record) -> bool:
        return len(record.name) < 6

    with pytest.raises(ValueError, match="'short'"):
        RecordStore(rules=[short]).add("much too long")


# %% searching
def test_searching_finds_what_has_all_the_facts() -> None:
    store = RecordStore()
    store.add("apple", colour="red", taste="sweet")
    store.add("cherry", colour="red", taste="sour")
    assert [r.name for r in matching(store, colour="red", taste="sour")] == ["cherry"]


# %% a report
def test_a_report_counts_the_most_frequent_first() -> None:
    store = RecordStore()
    for name, colour in (("a", "blue"), ("b", "red"), ("c", "red")):
        store.add(name, colour=colour)
    assert counted(store, "colour") == {"red": 2, "blue": 1}


# %% saving and loading
def test_saving_and_loading_keeps_every_record() -> None:
    store = RecordStore()
    store.add("first", colour="red")
    assert list(loaded(saved(store))) == list(store)


# %% thread safe
def test_threads_together_lose_no_record() -> None:
    store = SharedStore()
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(lambda number: store.add(str(number)), range(200)))
    assert len(list(store)) == 200


# %% a command line
def test_a_command_line_says_whether_all_was_kept() -> None:
    assert main(["first", "second"]) == 0
    assert main(["first", "first"]) == 1
