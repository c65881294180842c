"""What a journal's entries say of a project: what is done, what is known, what it took so far."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from orchestrator.journal.book import Line
from orchestrator.journal.entries import (
    Answered,
    Asked,
    Began,
    Checked,
    Chosen,
    Decision,
    Failed,
    Planned,
    Settled,
    TaskEnded,
    Unfilled,
)
from orchestrator.models import (
    USABLE,
    Failure,
    Plan,
    ProjectState,
    Role,
    RunStatus,
    TaskResult,
    TaskStatus,
    Usage,
)

Place = str | None
"""A task's id; None is planning."""

FINISHED: Final = (RunStatus.SUCCESS, RunStatus.COMPLETED_DEGRADED)
"""A run that settled so leaves nothing to take up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What the runs of a project have taken, all of them together."""

    cost_usd: Decimal = Decimal(0)
    estimated_usd: Decimal = Decimal(0)
    """The part that no provider confirmed: what was under way when a run was ended, and more."""
    usage: Usage = field(default_factory=Usage)
    calls: int = 0
    task_costs: Mapping[str, Decimal] = field(default_factory=dict)
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A project as its journal tells it."""

    last: Began | None = None
    plan: Plan | None = None
    results: Mapping[str, TaskResult] = field(default_factory=dict)
    spans: Mapping[str, str] = field(default_factory=dict)
    """The traceparent of each task's span, by task id."""
    outcomes: Mapping[str, Sequence[Answered | Failed]] = field(default_factory=dict)
    """What came of each call, by its identity, in order."""
    choices: Mapping[tuple[Place, Role], Sequence[Decision]] = field(default_factory=dict)
    decisions: Sequence[Decision] = ()
    """Every choice of a model by any run of the project, and every one that came to nothing."""
    checks: Mapping[tuple[str, int, str], Sequence[Checked]] = field(default_factory=dict)
    """Verdicts by task, iteration and validator, in order."""
    last_call: int = 0
    """The highest number that a call bears."""
    spending: Spending = field(default_factory=Spending)
    settled: Settled | None = None
    """How the last run ended; None: its process was ended, or it is still on."""

    @property
    def began(self) -> Began:
        """How the project began, as its last run saw it."""
        if self.last is None:
            raise ValueError("a journal begins with a run")
        return self.last

    def taken_up(self) -> "History":
        """What a new run of the project builds on.

        What is done stays done. What failed is begun anew: whoever takes a failed run up has
        mended something, and wants no failure told again.
        """
        results = {key: each for key, each in self.results.items() if each.status in USABLE}
        failed: set[Place] = {
            key for key, each in self.results.items() if each.status is TaskStatus.FAILED
        }
        settled = self.settled
        if self.plan is None and settled is not None and settled.status is RunStatus.FAILED:
            failed.add(None)
        return replace(
            self,
            results=results,
            outcomes={
                key: kept
                for key, each in self.outcomes.items()
                if (kept := [one for one in each if one.task_id not in failed])
            },
            choices={key: each for key, each in self.choices.items() if key[0] not in failed},
            checks={key: each for key, each in self.checks.items() if key[0] not in failed},
            settled=None,
        )

    def state(self) -> ProjectState:
        """The project as it stands now; `PARTIAL_SUCCESS` where no run has settled."""
        began, settled, plan = (
            self.began,
            self.settled,
            self.plan or Plan(tasks=()),
        )
        status = RunStatus.PARTIAL_SUCCESS if settled is None else settled.status
        open_ = TaskStatus.CANCELLED if status is RunStatus.CANCELLED else TaskStatus.UNFINISHED
        return ProjectState(
            project_id=began.project_id,
            brief=began.brief,
            status=status,
            results=tuple(
                self.results.get(task.id) or TaskResult(task=task, status=open_)
                for task in plan.tasks
            ),
            total_cost_usd=self.spending.cost_usd,
            estimated_cost_usd=self.spending.estimated_usd,
            usage=self.spending.usage,
            calls=self.spending.calls,
            task_costs=dict(self.spending.task_costs),
            failure=settled.failure if settled is not None else _BROKEN_OFF,
            duration_s=self.spending.duration_s,
        )


_BROKEN_OFF: Final = Failure(
    error_type="broken_off", sentence="The run was broken off before it had settled."
)


def told(lines: Iterable[Line]) -> History:
    """Read a journal's entries from the first to the last."""
    teller = _Teller()
    for line in lines:
        teller.hear(line)
    return teller.history()


class _Teller:
    """Keeps what was heard so far."""

    def __init__(self) -> None:
        self._so_far = History()
        self._results: dict[str, TaskResult] = {}
        self._spans: dict[str, str] = {}
        self._outcomes: defaultdict[str, list[Answered | Failed]] = defaultdict(list)
        self._choices: defaultdict[tuple[Place, Role], list[Decision]] = defaultdict(list)
        self._checks: defaultdict[tuple[str, int, str], list[Checked]] = defaultdict(list)
        self._decisions: list[Decision] = []
        self._under_way: defaultdict[int, list[Asked]] = defaultdict(list)
        self._ended: set[int] = set()
        self._cost = self._estimated = Decimal(0)
        self._usage = Usage()
        self._task_costs: defaultdict[str, Decimal] = defaultdict(Decimal)
        self._calls: set[int] = set()
        self._earlier_s = self._last_s = 0.0

    def hear(self, line: Line) -> None:
        """Take one entry in."""
        entry = line.entry
        match entry:
            case Began():
                self._begin(entry)
            case Planned():
                self._so_far = replace(self._so_far, plan=entry.plan)
            case Chosen() | Unfilled():
                self._decide(entry)
            case Asked():
                self._under_way[entry.call].append(entry)
            case Answered() | Failed():
                self._end(entry)
            case Checked():
                key = (entry.task_id, entry.iteration, entry.validation.validator)
                self._checks[key].append(entry)
            case TaskEnded():
                self._results[entry.result.task.id] = entry.result
                if entry.traceparent is not None:
                    self._spans[entry.result.task.id] = entry.traceparent
            case Settled():
                self._so_far = replace(self._so_far, settled=entry)
                # What a run settles with is the time of all runs, and its own is the last part.
                self._last_s = entry.duration_s - self._earlier_s
                return
        self._last_s = line.at_s

    def _begin(self, entry: Began) -> None:
        before = self.history().taken_up()
        self._results = dict(before.results)
        self._outcomes = defaultdict(list, {key: list(v) for key, v in before.outcomes.items()})
        self._choices = defaultdict(list, {key: list(v) for key, v in before.choices.items()})
        self._checks = defaultdict(list, {key: list(v) for key, v in before.checks.items()})
        self._earlier_s += self._last_s
        self._so_far = replace(self._so_far, last=entry, settled=None)

    def _decide(self, entry: Decision) -> None:
        self._decisions.append(entry)
        self._choices[entry.task_id, entry.role].append(entry)

    def _end(self, entry: Answered | Failed) -> None:
        if entry.call in self._ended:
            return  # answered and then cancelled: the answer is what counts
        self._ended.add(entry.call)
        self._under_way.pop(entry.call, None)
        if entry.attempts:
            self._calls.add(entry.call)
        self._spend(entry.task_id, entry.cost_usd, entry.estimated_usd)
        self._usage += entry.usage
        if isinstance(entry, Answered) or entry.cause != "broken_off":
            self._outcomes[entry.identity].append(entry)

    def _spend(self, task_id: Place, cost: Decimal, estimated: Decimal) -> None:
        self._cost += cost
        self._estimated += estimated
        if task_id is not None and cost:
            self._task_costs[task_id] += cost

    def history(self) -> History:
        """The project as far as it was told."""
        lost = [asked for each in self._under_way.values() for asked in each]
        worst = sum((asked.worst_usd for asked in lost), Decimal(0))
        task_costs = dict(self._task_costs)
        for asked in lost:
            if asked.task_id is not None:
                task_costs[asked.task_id] = task_costs.get(asked.task_id, Decimal(0)) + (
                    asked.worst_usd
                )
        return replace(
            self._so_far,
            results=dict(self._results),
            spans=dict(self._spans),
            outcomes=dict(self._outcomes),
            choices=dict(self._choices),
            decisions=tuple(self._decisions),
            checks=dict(self._checks),
            last_call=max(self._ended | self._under_way.keys(), default=0),
            spending=Spending(
                cost_usd=self._cost + worst,
                estimated_usd=self._estimated + worst,
                usage=self._usage,
                calls=len(self._calls | self._under_way.keys()),
                task_costs=task_costs,
                duration_s=self._earlier_s + self._last_s,
            ),
        )
