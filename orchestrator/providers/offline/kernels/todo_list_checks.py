"""What a list of things to do has to do, as tests."""
# ruff: noqa: D103, PLR2004, S101 - tests assert, and their names and numbers are the point

# %% imports
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest

from orchestrator.providers.offline.kernels.todo_list import (
    SharedTodoList,
    TodoList,
    found,
    loaded,
    overdue,
    saved,
)


# %% core
def test_items_are_numbered_in_their_order() -> None:
    todo = TodoList()
    todo.add("first")
    todo.add("second")
    assert [(item.number, item.text) for item in todo.items()] == [(1, "first"), (2, "second")]


def test_what_is_complete_is_done_and_what_is_removed_is_gone() -> None:
    todo = TodoList()
    todo.add("first")
    todo.add("second")
    assert todo.complete(2).done
    todo.remove(1)
    assert [item.number for item in todo.items()] == [2]


def test_a_blank_text_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a text"):
        TodoList().add("  ")


# %% due dates
def test_due_dates_of_the_past_are_overdue_until_done() -> None:
    todo = TodoList()
    todo.add("late", due=date(2024, 1, 1))
    todo.add("in time", due=date(2024, 3, 1))
    assert [item.text for item in overdue(todo, date(2024, 2, 1))] == ["late"]
    todo.complete(1)
    assert overdue(todo, date(2024, 2, 1)) == []


# %% finding items
def test_finding_items_by_word_and_by_tag() -> None:
    todo = TodoList()
    todo.add("Buy milk", tags=["shop"])
    todo.add("Milk the cow", tags=["farm"])
    assert [item.number for item in found(todo, words="milk")] == [1, 2]
    assert [item.number for item in found(todo, words="milk", tag="farm")] == [2]


# %% saving and loading
def test_saving_and_loading_keeps_every_item() -> None:
    todo = TodoList()
    todo.add("first", due=date(2024, 1, 1), tags=["a", "b"])
    assert loaded(saved(todo)).items() == todo.items()


# %% thread safe
def test_threads_together_lose_no_item() -> None:
    todo = SharedTodoList()
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(lambda number: todo.add(f"item {number}"), range(200)))
    assert len(todo.items()) == 200
