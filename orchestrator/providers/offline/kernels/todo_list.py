"""Remember what is to be done."""

# %% imports
import json
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import date


# %% core: add, complete, done, remove, list, items, tasks
@dataclass(frozen=True)
class Item:
    """One thing to do."""

    number: int
    text: str
    due: str = ""
    tags: tuple[str, ...] = ()
    done: bool = False


class TodoList:
    """Things to do, by number, in the order they came in.

    >>> todo = TodoList()
    >>> todo.add("water the plants").number
    1
    >>> todo.complete(1).done
    True
    """

    def __init__(self, items: Iterable[Item] = ()) -> None:
        """Start with these items."""
        self._items = {item.number: item for item in items}

    def add(self, text: str, due: date | None = None, tags: Iterable[str] = ()) -> Item:
        """Note something; ValueError when the text is blank."""
        if not text.strip():
            raise ValueError("an item needs a text")
        number = max(self._items, default=0) + 1
        item = Item(number, text.strip(), due.isoformat() if due else "", tuple(tags))
        self._items[number] = item
        return item

    def complete(self, number: int) -> Item:
        """Tick an item off."""
        self._items[number] = replace(self._find(number), done=True)
        return self._items[number]

    def remove(self, number: int) -> Item:
        """Strike an item out."""
        item = self._find(number)
        del self._items[number]
        return item

    def items(self) -> list[Item]:
        """Everything, in the order it came in."""
        return list(self._items.values())

    def _find(self, number: int) -> Item:
        if number not in self._items:
            raise LookupError(f"there is no item {number!r}")
        return self._items[number]


# %% due dates: due, deadline, deadlines, overdue, dates, reminders, schedule
def overdue(todo: TodoList, today: date) -> list[Item]:
    """What has a due date before today and is not done, the oldest first."""
    late = [item for item in todo.items() if not item.done and "" < item.due < today.isoformat()]
    return sorted(late, key=lambda item: item.due)


# %% finding items: search, filter, tags, find, query
def found(todo: TodoList, words: str = "", tag: str = "") -> list[Item]:
    """Finding items by words in their text, by a tag, or by both."""
    return [
        item
        for item in todo.items()
        if words.casefold() in item.text.casefold() and (not tag or tag in item.tags)
    ]


# %% saving and loading: persistent, persistence, durable, save, load, json, disk, storage
def saved(todo: TodoList) -> str:
    """The list as JSON, for saving; `loaded` reads it."""
    return json.dumps([asdict(item) for item in todo.items()], indent=1)


def loaded(text: str) -> TodoList:
    """A list from what `saved` wrote."""
    entries = json.loads(text)
    return TodoList(Item(**{**entry, "tags": tuple(entry["tags"])}) for entry in entries)


# %% ?thread safe: concurrent, concurrency, threads, lock, safe
class SharedTodoList(TodoList):
    """The same list for many threads: a lock makes each change one step."""

    def __init__(self, items: Iterable[Item] = ()) -> None:
        """Start with these items and an open lock."""
        super().__init__(items)
        self._lock = threading.Lock()

    def add(self, text: str, due: date | None = None, tags: Iterable[str] = ()) -> Item:
        """Note something."""
        with self._lock:
            return super().add(text, due, tags)
