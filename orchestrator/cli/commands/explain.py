"""`orchestrator explain ID`: who was looked at for each part of a run, and why the winner won."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from orchestrator import legible
from orchestrator.cli import results, streams
from orchestrator.cli.arguments import PROGRAM, Parser
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.journal import History, Shelf
from orchestrator.journal.entries import Chosen, Decision
from orchestrator.models import Bar, Contender
from orchestrator.state_dir import state_dir

DOCUMENT_VERSION: Final = 1
"""Grows when a key of the JSON document changes its meaning or goes away."""

_COLUMNS: Final = ("model", "provider", "quality", "95 % within", "a call", "score", "verdict")
_BARS: Final[Mapping[Bar, str]] = {
    "tried": "out",
    "policy": "out by policy",
    "refused_key": "out without a key",
    "budget": "out by the budget",
    "circuit_open": "out for now",
    "independence": "out as a judge",
}


def answer(argv: Sequence[str], environ: Mapping[str, str]) -> ExitCode:
    """Print every choice of a project's runs, as its journal holds them.

    Raises:
        InputError: there is no journal of the project, or it cannot be used.
    """
    parser = Parser(
        prog=f"{PROGRAM} explain",
        description="Say for each task which models there were, which policy or limit put whom out "
        "of the running, and why the winner won.",
    )
    parser.add_argument("project_id", metavar="ID", help="as --list-projects says it")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--state-dir", metavar="DIR", help="where the journals are")
    given = parser.parse_args(argv)
    history = Shelf(state_dir(given.state_dir, environ)).read(given.project_id)
    text = results.dumps(document(history)) if given.json else markdown(history)
    return ExitCode.SUCCESS if streams.show(text) else ExitCode.FAILURE


def markdown(history: History) -> str:
    """Planning first, then task by task in the plan's order; a table of candidates each."""
    by_task: defaultdict[str | None, list[Decision]] = defaultdict(list)
    for decision in history.decisions:
        by_task[decision.task_id].append(decision)
    plan = history.plan
    titles: dict[str | None, str] = {None: "Planning"}
    titles |= {task.id: f"{task.id} {task.title}" for task in plan.tasks} if plan else {}
    parts = [f"# Who was chosen, and why: {legible.line(history.began.brief.project)}"]
    for task_id, title in titles.items():
        if by_task[task_id]:
            parts.append(f"## {legible.line(title)}")
            parts += map(_section, by_task[task_id])
    if not history.decisions:
        parts.append("The run ended before a model was chosen.")
    return "\n\n".join(parts) + "\n"


def document(history: History) -> dict[str, Any]:
    """The same for `json.dumps`, in the order in which it happened."""
    return {
        "version": DOCUMENT_VERSION,
        "project_id": history.began.project_id,
        "project": history.began.brief.project,
        "decisions": [_entry(decision) for decision in history.decisions],
    }


def _section(decision: Decision) -> str:
    winner = decision.model if isinstance(decision, Chosen) else None
    rows = [_row(each, is_winner=each.model == winner) for each in decision.contenders]
    heading = f"**{decision.role}: {winner or 'nobody'}**. {legible.line(decision.reason)}"
    return "\n\n".join([heading, results.grid([_COLUMNS, *rows])] if rows else [heading])


def _row(contender: Contender, *, is_winner: bool) -> tuple[str, ...]:
    if is_winner:
        verdict = "chosen"
    elif contender.barred_by is not None:
        verdict = _BARS[contender.barred_by]
    else:
        verdict = "" if contender.score is None else "not the best"
    said = ": ".join(filter(None, (verdict, legible.line(contender.why))))
    return (
        contender.model,
        contender.provider,
        f"{contender.quality:.2f}",
        "" if contender.latency_ms is None else f"{contender.latency_ms:.0f} ms",
        legible.usd(contender.cost_usd),
        "" if contender.score is None else f"{contender.score:.3f}",
        said,
    )


def _entry(decision: Decision) -> dict[str, Any]:
    chosen, unfilled = (decision, None) if isinstance(decision, Chosen) else (None, decision)
    return {
        "task_id": decision.task_id,
        "role": decision.role,
        "model": chosen.model if chosen else None,
        "routing": chosen.routing if chosen else None,
        "reason": decision.reason,
        "error_type": unfilled.error_type if unfilled else None,
        "candidates": [
            asdict(each) | {"cost_usd": float(each.cost_usd)} for each in decision.contenders
        ],
    }
