"""A plan nobody ran yet, as Markdown or as one JSON document, with what it may cost."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from orchestrator import legible
from orchestrator.cli import results
from orchestrator.models import Brief, Plan

_COLUMNS: Final = ("task", "type", "needs", "validators", "at most")
_TITLE_WIDTH: Final = 60


def markdown(brief: Brief, plan: Plan, costs: Mapping[str, Decimal]) -> str:
    """The tasks in an order that can be run, what each needs and the most it can cost."""
    rows = [
        (
            f"{task.id} {legible.line(task.title, _TITLE_WIDTH)}",
            task.type,
            ", ".join(task.depends_on),
            ", ".join(task.validators),
            legible.usd(costs[task.id]),
        )
        for task in plan.tasks
    ]
    total = ("total", "", "", "", legible.usd(_total(costs)))
    return (
        f"# Plan: {legible.line(brief.project)}\n\n"
        f"{results.grid([_COLUMNS, *rows, total])}\n\n"
        "At most: every iteration made, every text at its limit, the dearest ready model; without "
        "retries after failures.\n"
    )


def document(brief: Brief, plan: Plan, costs: Mapping[str, Decimal]) -> dict[str, Any]:
    """The same for `json.dumps`, with the instructions of every task."""
    return {
        "version": results.DOCUMENT_VERSION,
        "project": brief.project,
        "criteria": brief.criteria,
        "at_most_usd": float(_total(costs)),
        "tasks": [
            {
                "id": task.id,
                "title": task.title,
                "instructions": task.instructions,
                "type": task.type,
                "depends_on": list(task.depends_on),
                "validators": list(task.validators),
                "at_most_usd": float(costs[task.id]),
            }
            for task in plan.tasks
        ],
    }


def _total(costs: Mapping[str, Decimal]) -> Decimal:
    return sum(costs.values(), Decimal(0))
