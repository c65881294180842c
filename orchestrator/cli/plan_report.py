"""A plan nobody ran yet, as Markdown or as one JSON document, with what it took and may cost."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from orchestrator import legible
from orchestrator.cli import results
from orchestrator.models import Plan, ProjectState

_COLUMNS: Final = ("task", "type", "needs", "validators", "at most")
_TITLE_WIDTH: Final = 60


def markdown(state: ProjectState, plan: Plan, costs: Mapping[str, Decimal]) -> str:
    """The tasks in an order that can be run, what each needs and the most it can cost.

    Without a plan: why there is none.
    """
    parts = [f"# Plan: {legible.line(state.brief.project)}"]
    if plan.tasks:
        parts += [_table(plan, costs), _explanation(state)]
    else:
        parts.append(results.sentence(state))
    return "\n\n".join(parts) + "\n"


def document(state: ProjectState, plan: Plan, costs: Mapping[str, Decimal]) -> dict[str, Any]:
    """The same for `json.dumps`, with the instructions of every task; no plan, no tasks."""
    return results.outline(state) | {
        "at_most_usd": float(_total(costs)) if plan.tasks else None,
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


def _table(plan: Plan, costs: Mapping[str, Decimal]) -> str:
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
    return results.grid([_COLUMNS, *rows, total])


def _explanation(state: ProjectState) -> str:
    spent = legible.usd(state.total_cost_usd, state.estimated_cost_usd)
    return (
        f"Planning took {legible.count(state.calls, 'call')}, {spent} and "
        f"{legible.duration(state.duration_s)}.{results.estimate(state)} At most: every iteration "
        "made, every text at its limit, the dearest ready model; without planning, and without "
        "retries after failures."
    )


def _total(costs: Mapping[str, Decimal]) -> Decimal:
    return sum(costs.values(), Decimal(0))
