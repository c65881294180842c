"""A settled run in the forms people and programs read: Markdown, one JSON document, files."""

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

from orchestrator import legible
from orchestrator.models import ProjectState, RunStatus, TaskResult, TaskStatus, Usage, Validation

DOCUMENT_VERSION: Final = 1
"""Grows when a key of the JSON document changes its meaning or goes away."""

_HEADING_WIDTH: Final = 100
_TITLE_WIDTH: Final = 48
_COLUMNS: Final = ("task", "status", "score", "model", "reviewer", "iterations", "cost")


def markdown(state: ProjectState) -> str:
    """Every task's text, and the table last, where a terminal still shows it."""
    parts = [f"# {legible.line(state.brief.project, _HEADING_WIDTH)}"]
    parts += [
        f"## {_name(result)}\n\n{legible.block(result.output).strip()}"
        for result in state.results
        if result.output
    ]
    parts.append(f"## Summary\n\n{summary(state)}")
    return "\n\n".join(parts) + "\n"


def summary(state: ProjectState) -> str:
    """The table, why anything in it fell short, and the run in one sentence."""
    parts = [table(state)] if state.results else []
    reasons = [f"- {_name(result)}: {why}" for result in state.results if (why := reason(result))]
    parts += ["\n".join(reasons)] if reasons else []
    parts.append(sentence(state))
    return "\n\n".join(parts)


def table(state: ProjectState) -> str:
    """One row a task, as a Markdown table aligned for reading as it stands."""
    rows = [_COLUMNS, *(_row(result, state) for result in state.results), _total(state)]
    return grid(rows)


def grid(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table from a heading and its rows; cells are escaped here and nowhere else."""
    cells = [[cell.replace("\\", "\\\\").replace("|", "\\|") for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join((lines[0], rule, *lines[1:]))


def sentence(state: ProjectState) -> str:
    """How the run ended, in one sentence, with what it took."""
    done = sum(result.status is TaskStatus.COMPLETED for result in state.results)
    tasks = legible.count(len(state.results), "task")
    facts = (
        f"{done} of {tasks} reached the threshold" if state.results else "there is no plan",
        legible.count(state.calls, "call"),
        legible.usd(state.total_cost_usd, state.estimated_cost_usd),
        legible.duration(state.duration_s),
    )
    why = f" {legible.line(state.failure.sentence)}" if state.failure else ""
    meaning = f"{_MEANING[state.status]} ({', '.join(facts)})."
    return f"**{state.status.value}**: {meaning}{why}{estimate(state)}{_unverified(state)}"


def estimate(state: ProjectState) -> str:
    """Say what of the cost nobody has confirmed, if anything."""
    if not state.estimated_cost_usd:
        return ""
    return (
        f" Of the cost, {legible.usd(state.estimated_cost_usd)} is estimated: replies that were "
        "lost count as the most they may have cost."
    )


_MEANING: Final = {
    RunStatus.SUCCESS: "every task is done",
    RunStatus.COMPLETED_DEGRADED: "all tasks ran, and some results are below the threshold",
    RunStatus.PARTIAL_SUCCESS: "the run was broken off and can be resumed",
    RunStatus.BUDGET_EXHAUSTED: "the budget does not cover the rest",
    RunStatus.TIMEOUT: "the time limit has passed",
    RunStatus.FAILED: "the run failed",
    RunStatus.CANCELLED: "the run was interrupted",
}


def reason(result: TaskResult) -> str | None:
    """Why a task is not simply completed; None when it is."""
    if result.failure is not None:
        return legible.line(result.failure.sentence)
    if result.status is TaskStatus.DEGRADED and result.best and result.best.skipped:
        said = "; ".join(f"{c.validator} was {legible.line(c.detail)}" for c in result.best.skipped)
        return f"{said}."
    if result.status is TaskStatus.DEGRADED:
        why = legible.line(result.best.reason) if result.best else ""
        said = f"its best attempt scores {_score(result)}, below the threshold"
        return f"{said}: {why}" if why else f"{said}."
    return None


def document(state: ProjectState) -> dict[str, Any]:
    """The run as plain values for `json.dumps`; costs are dollars, texts are word for word."""
    return outline(state) | {"tasks": [_task(result, state) for result in state.results]}


def outline(state: ProjectState) -> dict[str, Any]:
    """What every document says of a run, or of its planning alone."""
    return {
        "version": DOCUMENT_VERSION,
        "project_id": state.project_id,
        "project": state.brief.project,
        "criteria": state.brief.criteria,
        "status": state.status.value,
        "failure": _failure(state),
        "total_cost_usd": float(state.total_cost_usd),
        "estimated_cost_usd": float(state.estimated_cost_usd),
        "duration_s": round(state.duration_s, 3),
        "calls": state.calls,
        "usage": _usage(state.usage),
    }


def dumps(value: dict[str, Any]) -> str:
    """One readable JSON document, in plain ASCII so that no terminal or encoding can harm it."""
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def files(state: ProjectState) -> dict[str, str]:
    """What `--output-dir` holds, by file name; names are made of the engine's ids alone."""
    texts = {file_name(result): f"{result.output}\n" for result in state.results if result.output}
    return texts | {"README.md": _index(state), "summary.json": dumps(document(state))}


def file_name(result: TaskResult) -> str:
    """The file of a task's text."""
    return f"{result.task.id}.md"


def _index(state: ProjectState) -> str:
    links = [
        f"- [{file_name(result)}]({file_name(result)}): {legible.line(result.task.title)}"
        for result in state.results
        if result.output
    ]
    criteria = [f"Criteria: {legible.line(state.brief.criteria)}"] if state.brief.criteria else []
    parts = [
        f"# {legible.line(state.brief.project)}",
        *criteria,
        summary(state),
        *(["\n".join(links)] if links else []),
        "`summary.json` holds the same for programs, critiques included.",
    ]
    return "\n\n".join(parts) + "\n"


def _row(result: TaskResult, state: ProjectState) -> tuple[str, ...]:
    return (
        f"{result.task.id} {legible.line(result.task.title, _TITLE_WIDTH)}",
        result.status.value,
        _score(result),
        (result.best.author if result.best else result.model) or "",
        result.best.reviewer if result.best else "",
        str(result.iterations),
        legible.usd(_cost(result, state)),
    )


def _total(state: ProjectState) -> tuple[str, ...]:
    iterations = sum(result.iterations for result in state.results)
    total = legible.usd(state.total_cost_usd, state.estimated_cost_usd)
    return ("total, planning included", state.status.value, "", "", "", str(iterations), total)


def _name(result: TaskResult) -> str:
    return f"{result.task.id}: {legible.line(result.task.title, _HEADING_WIDTH)}"


def _score(result: TaskResult) -> str:
    return "" if result.score is None else f"{result.score:.2f}"


def _cost(result: TaskResult, state: ProjectState) -> Decimal:
    return state.task_costs.get(result.task.id, Decimal(0))


def _unverified(state: ProjectState) -> str:
    """Say which verdicts are missing: `unverified` is never called passed."""
    open_checks = [check for check in _validations(state) if check.outcome == "unverified"]
    if not open_checks:
        return ""
    reasons = dict.fromkeys(
        f"{check.validator}: {legible.line(check.detail)}" for check in open_checks if check.detail
    )
    why = f": {'; '.join(reasons)}" if reasons else ""
    return f" {legible.count(len(open_checks), 'validation')} could not be made (unverified){why}."


def _validations(state: ProjectState) -> Iterator[Validation]:
    for result in state.results:
        yield from result.best.validations if result.best else ()


def _failure(value: ProjectState | TaskResult) -> dict[str, str] | None:
    if value.failure is None:
        return None
    return {"error_type": value.failure.error_type, "sentence": value.failure.sentence}


def _usage(usage: Usage) -> dict[str, int]:
    counted = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_creation_tokens": usage.cache_creation_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
    }
    return {key: value for key, value in counted.items() if value is not None}


def _task(result: TaskResult, state: ProjectState) -> dict[str, Any]:
    best = result.best
    return {
        "id": result.task.id,
        "title": result.task.title,
        "type": result.task.type,
        "depends_on": list(result.task.depends_on),
        "status": result.status.value,
        "score": result.score,
        "iterations": result.iterations,
        "model": best.author if best else result.model,
        "reviewer": best.reviewer if best else None,
        "cost_usd": float(_cost(result, state)),
        "failure": _failure(result),
        "critique_of_draft": list(best.critique.points) if best else [],
        "validations": [
            {
                "validator": check.validator,
                "outcome": check.outcome,
                "detail": check.detail,
                "report": check.report,
            }
            for check in (best.validations if best else ())
        ],
        "output": result.output,
    }
