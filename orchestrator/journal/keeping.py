"""One run's journal: asked what is known before anything is paid, told everything that is."""

from collections import Counter, defaultdict, deque
from collections.abc import Hashable, Mapping, Sequence
from decimal import Decimal
from itertools import chain
from types import TracebackType
from typing import Self, TypeVar

from orchestrator.errors import NotInJournal
from orchestrator.journal.entries import Answered, Decision, Entry, Failed
from orchestrator.journal.history import History, Place
from orchestrator.journal.writer import Writer
from orchestrator.models import Plan, Role, TaskResult, Validation

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Journal:
    """Tells what earlier runs of the project came to, each thing once, and keeps what this does.

    Without a writer it keeps nothing; without a history it knows nothing.
    """

    def __init__(
        self,
        history: History | None = None,
        writer: Writer | None = None,
        *,
        replays: bool = False,
    ) -> None:
        """Open it.

        Args:
            history: what earlier runs came to.
            writer: keeps what this run does.
            replays: nothing is done anew and nothing is asked: what is not in it is an error.
        """
        self.history = history or History()
        self.replays = replays
        self._writer = writer
        self._outcomes = _queues(self.history.outcomes)
        self._choices = _queues(self.history.choices)
        self._checks = _queues(self.history.checks)
        self._ended = Counter[Place]()
        self._told_last = set[Place]()
        self._to_tell = Counter[Place]()
        self._untold: defaultdict[Place, Decimal] = defaultdict(Decimal)
        for outcome in chain.from_iterable(self.history.outcomes.values()):
            self._untold[outcome.task_id] += outcome.cost_usd
            self._to_tell[outcome.task_id] += 1
        self._calls = self.history.last_call

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Write what is left, and let others have the project."""
        if self._writer is not None:
            await self._writer.close()

    @property
    def is_kept(self) -> bool:
        """Whether what is told is written anywhere."""
        return self._writer is not None

    @property
    def is_resumed(self) -> bool:
        """Whether there is anything to ask it."""
        return self.history.last is not None

    @property
    def plan(self) -> Plan | None:
        """The plan, where it is not made again."""
        return None if self.replays else self.history.plan

    def result(self, task_id: str) -> TaskResult | None:
        """A task's result, where the task is done and is not run again."""
        return None if self.replays else self.history.results.get(task_id)

    def outcome(self, identity: str) -> Answered | Failed | None:
        """What came of a call, told once; None: it has to be made.

        Raises:
            NotInJournal: this is a replay, and the call is not in it.
        """
        waiting = self._outcomes.get(identity)
        if waiting:
            outcome = waiting.popleft()
            self._untold[outcome.task_id] -= outcome.cost_usd
            self._to_tell[outcome.task_id] -= 1
            self.ended(outcome.task_id)
            self._told_last.add(outcome.task_id)
            return outcome
        if self.replays:
            raise NotInJournal("The journal ends here: nothing that comes next is in it.")
        return None

    def choice(self, task_id: Place, role: Role) -> Decision | None:
        """What came of a choice there, told once; None: it has to be made."""
        waiting = self._choices.get((task_id, role))
        return waiting.popleft() if waiting else None

    def chose_here(self, task_id: Place, role: Role) -> bool:
        """Whether an earlier run chose again at the very place where this one is."""
        waiting = self._choices.get((task_id, role))
        return waiting is not None and len(waiting) > 0 and waiting[0].place == self.place(task_id)

    def is_telling(self, task_id: Place) -> bool:
        """Whether this run is still where an earlier one has been."""
        return self._to_tell[task_id] > 0

    def has_told(self, task_id: Place) -> bool:
        """Whether the last call of the task was told, so that what came of it is no news."""
        return task_id in self._told_last

    def place(self, task_id: Place) -> int:
        """How many calls of the task have ended, told ones included."""
        return self._ended[task_id]

    def ended(self, task_id: Place) -> None:
        """Count a call of the task that has ended, well or not."""
        self._ended[task_id] += 1
        self._told_last.discard(task_id)

    def check(self, task_id: str, iteration: int, validator: str) -> Validation | None:
        """A validator's verdict there, told once; None: it has to be asked."""
        waiting = self._checks.get((task_id, iteration, validator))
        return waiting.popleft().validation if waiting else None

    def untold(self, task_id: Place) -> Decimal:
        """Dollars of calls of this task that are in the history and were not told yet."""
        return self._untold[task_id]

    def next_call(self) -> int:
        """The number of a call that is about to be made."""
        self._calls += 1
        return self._calls

    def note(self, entry: Entry) -> None:
        """Keep something, some time soon."""
        if self._writer is not None:
            self._writer.note(entry)

    async def record(self, entry: Entry) -> None:
        """Keep something before anything else happens.

        Raises:
            JournalFailed: it cannot be kept.
        """
        if self._writer is not None:
            await self._writer.record(entry)


def _queues(kept: Mapping[K, Sequence[V]]) -> dict[K, deque[V]]:
    return {key: deque(each) for key, each in kept.items()}
