"""What happens, as a tree that redraws itself on a terminal."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import singledispatchmethod
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Console, RenderableType
from rich.constrain import Constrain
from rich.live import Live
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from orchestrator import events, legible
from orchestrator.cli import progress
from orchestrator.models import RunStatus, TaskStatus

_FRAMES_PER_SECOND: Final = 8
_PLAN: Final = "plan"
_WAITING: Final = "waiting"
_RUNNING: Final = "running"
_STYLES: Final = {
    _WAITING: "dim",
    _RUNNING: "cyan",
    TaskStatus.COMPLETED: "green",
    TaskStatus.DEGRADED: "yellow",
    TaskStatus.SKIPPED: "dim",
    RunStatus.SUCCESS: "green",
    RunStatus.COMPLETED_DEGRADED: "yellow",
}
_FAILURE_STYLE: Final = "red"
_WIDE: Final = 76
"""Columns from which the model's name has room."""
_NOT_TINY: Final = 48
"""Columns from which the stage has room."""
_NEVER_MISSED: Final = (events.BreakerChanged, events.ProviderDisabled)
"""Told above the tree, which shows nothing of them: why a run waits, and what to mend."""

_LINES_BESIDE_ROWS: Final = 4
_ECHO_WIDTH: Final = 3
"""Columns left free at the right: a terminal echoes ``^C`` there, and a full line would wrap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One task, or the plan, as the tree shows it."""

    name: str
    status: str = _WAITING
    stage: str = ""
    model: str = ""
    score: float | None = None
    cost_usd: Decimal = Decimal(0)

    @property
    def is_over(self) -> bool:
        """Nothing more will happen here."""
        return self.status not in (_WAITING, _RUNNING)


@dataclass(slots=True)
class Board:
    """The run as far as its events have told it.

    Rows are frozen and the mapping is replaced when it grows, because Rich draws from a thread.
    """

    title: str = ""
    status: str = _RUNNING
    cost_usd: Decimal = Decimal(0)
    rows: dict[str, Row] = field(default_factory=dict)

    @singledispatchmethod
    def take(self, event: events.Event) -> None:
        """Note what an event changes; most change nothing that is shown."""

    @take.register
    def _(self, event: events.ProjectStarted) -> None:
        self.title = legible.line(event.brief.project)
        self.rows = {_PLAN: Row(name="decompose the project", status=_RUNNING)}

    @take.register
    def _(self, event: events.PlanReady) -> None:
        self._change(_PLAN, status=TaskStatus.COMPLETED, stage="")
        self.rows = self.rows | {
            task.id: Row(name=f"{task.id} {legible.line(task.title)}") for task in event.plan.tasks
        }

    @take.register
    def _(self, event: events.TaskStarted) -> None:
        self._change(event.task.id, status=_RUNNING)

    @take.register
    def _(self, event: events.CallStarted) -> None:
        again = f" {event.iteration}" if event.iteration > 1 else ""
        self._change(event.task_id or _PLAN, stage=f"{event.call_type}{again}", model=event.model)

    @take.register
    def _(self, event: events.CallCompleted) -> None:
        place = event.task_id or _PLAN
        self.cost_usd += event.cost_usd
        if place in self.rows:
            self._change(place, cost_usd=self.rows[place].cost_usd + event.cost_usd)

    @take.register
    def _(self, event: events.AttemptScored) -> None:
        self._change(event.task_id, score=event.score)

    @take.register
    def _(self, event: events.TaskCompleted) -> None:
        result = event.result
        self._change(
            result.task.id,
            status=result.status,
            stage="",
            model=result.model or "",
            score=result.score,
        )

    @take.register
    def _(self, event: events.ProjectCompleted) -> None:
        self.status = event.state.status
        self.cost_usd = event.state.total_cost_usd
        if _PLAN in self.rows and not self.rows[_PLAN].is_over:
            self._change(_PLAN, status=TaskStatus.FAILED, stage="")
        for result in event.state.results:
            self._change(result.task.id, status=result.status, stage="")

    def _change(self, place: str, **changes: Any) -> None:
        if place in self.rows:
            self.rows[place] = replace(self.rows[place], **changes)


class LiveTree:
    """A hook that draws the run on this console while its `with` block lasts."""

    def __init__(self, console: Console, *, verbose: bool = False, keep: bool = True) -> None:
        self._console = console
        self._verbose = verbose
        self._board = Board()
        self._started = time.monotonic()
        self._live = Live(
            console=console,
            get_renderable=self._draw,
            refresh_per_second=_FRAMES_PER_SECOND,
            redirect_stdout=False,
            transient=not keep,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def __call__(self, event: events.Event) -> None:
        """Take notice of one event; the next frame shows it."""
        self._board.take(event)
        is_told = self._verbose or isinstance(event, _NEVER_MISSED)
        if is_told and (text := progress.detail(event)) is not None:
            self._console.print(Text(text), soft_wrap=True)

    def _draw(self) -> RenderableType:
        elapsed = time.monotonic() - self._started
        return draw(self._board, elapsed, width=self._console.width, height=self._console.height)


def draw(board: Board, elapsed_s: float, *, width: int, height: int) -> RenderableType:
    """The tree, fitted: a narrow terminal loses columns, a low one the tasks that are over."""
    head = Text(no_wrap=True, overflow="ellipsis")
    head.append(str(board.status), style=_style(board.status))
    head.append(f"  {legible.usd(board.cost_usd)}  {legible.duration(elapsed_s)}  ")
    head.append(board.title, style="bold")
    tree = Tree(head, guide_style="dim")
    shown, hidden = _fitting(tuple(board.rows.values()), height - _LINES_BESIDE_ROWS)
    if hidden:
        tree.add(Text(f"{legible.count(hidden, 'row')} not shown", style="dim"))
    for row in shown:
        tree.add(_line(row, width))
    return Constrain(tree, width - _ECHO_WIDTH)


def _fitting(rows: Sequence[Row], room: int) -> tuple[Sequence[Row], int]:
    """The rows that fit, those still to do before those that are over, and how many do not."""
    if len(rows) <= room:
        return rows, 0
    open_rows = [row for row in rows if not row.is_over]
    shown = open_rows[: max(room, 1)]
    return shown, len(rows) - len(shown)


def _line(row: Row, width: int) -> Table:
    """One row as columns of the same widths everywhere, so that they stand under each other."""
    line = Table.grid(padding=(0, 1), expand=True)
    line.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    cells = [Text(row.name)]
    if width >= _NOT_TINY:
        line.add_column(width=11, no_wrap=True, overflow="ellipsis")
        cells.append(Text(row.stage or row.status, style=_style(row.status)))
    if width >= _WIDE:
        line.add_column(width=20, no_wrap=True, overflow="ellipsis")
        line.add_column(width=4)
        cells.append(Text(row.model, style="dim"))
        cells.append(Text("" if row.score is None else f"{row.score:.2f}"))
    line.add_column(width=8, justify="right")
    cells.append(Text(legible.usd(row.cost_usd) if row.cost_usd else ""))
    line.add_row(*cells)
    return line


def _style(status: str) -> str:
    return _STYLES.get(status, _FAILURE_STYLE)
