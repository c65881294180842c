"""The projects there are journals of, as a table or as one JSON document."""

from collections.abc import Iterable
from typing import Any, Final

from orchestrator import legible
from orchestrator.cli.arguments import PROGRAM
from orchestrator.cli.results import grid
from orchestrator.journal.history import History
from orchestrator.journal.shelf import Entitled
from orchestrator.models import USABLE, RunStatus

_COLUMNS: Final = ("id", "status", "done", "calls", "cost", "last begun (UTC)", "project")
_WIDTH: Final = 48
_RUNNING: Final = "RUNNING"
_UNREADABLE: Final = "UNREADABLE"


def markdown(projects: Iterable[Entitled]) -> str:
    """One row a project, the one that was written last first."""
    rows = [_row(each) for each in projects]
    return f"{grid([_COLUMNS, *rows])}\n" if rows else "There are no projects yet.\n"


def document(projects: Iterable[Entitled]) -> dict[str, Any]:
    """The same for a program."""
    return {"version": 1, "projects": [_entry(each) for each in projects]}


def _row(each: Entitled) -> tuple[str, ...]:
    history = each.history
    if history is None:
        why = f"{PROGRAM} show {each.project_id} says why"
        return (each.project_id, _UNREADABLE, "", "", "", "", why)
    spending = history.spending
    return (
        each.project_id,
        _status(each, history),
        f"{_done(history)} of {_tasks(history)}",
        str(spending.calls),
        legible.usd(spending.cost_usd, spending.estimated_usd),
        f"{history.began.began_at:%Y-%m-%d %H:%M}",
        legible.line(history.began.brief.project, _WIDTH),
    )


def _entry(each: Entitled) -> dict[str, Any]:
    history = each.history
    if history is None:
        return {"id": each.project_id, "status": _UNREADABLE, "fault": each.fault}
    return {
        "id": each.project_id,
        "status": _status(each, history),
        "tasks_done": _done(history),
        "tasks": _tasks(history),
        "calls": history.spending.calls,
        "total_cost_usd": float(history.spending.cost_usd),
        "estimated_cost_usd": float(history.spending.estimated_usd),
        "began_at": history.began.began_at.isoformat(),
        "project": history.began.brief.project,
    }


def _status(each: Entitled, history: History) -> str:
    if each.is_running:
        return _RUNNING
    return (history.settled.status if history.settled else RunStatus.PARTIAL_SUCCESS).value


def _done(history: History) -> int:
    return sum(result.status in USABLE for result in history.results.values())


def _tasks(history: History) -> int:
    return len(history.plan.tasks) if history.plan else 0
