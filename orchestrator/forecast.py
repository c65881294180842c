"""What a plan may cost before anything of it is run."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

from orchestrator import prices, prompts
from orchestrator.catalogue import ModelEntry
from orchestrator.models import Attempt, Brief, Critique, Plan, Prompt, Settings, Task

_UNWRITTEN: Final = "x" * prompts.DRAFT_TOKENS
"""Stands for a text at its limit: prices count a byte as a token, so this is the longest draft."""
_FULL_CRITIQUE: Final = Critique(points=("x" * Prompt(system="", text="").max_tokens,), reviewer="")


def forecast(
    brief: Brief, plan: Plan, models: Iterable[ModelEntry], settings: Settings
) -> dict[str, Decimal]:
    """The most each task can cost, in dollars by task id, whichever of the models serves.

    Every iteration is made (a recovery from low scores is one of them, whoever writes it), every
    text reaches its limit and the dearest model takes every call; only retries and recoveries
    after failed calls are left out.

    Raises:
        InputError: one of the models has no price.
    """
    entries = tuple(models)
    return {
        task.id: sum(
            (
                max(prices.most(entry, prompt) for entry in entries)
                for prompt in _prompts(brief, task, settings)
            ),
            Decimal(0),
        )
        for task in plan.tasks
    }


def _prompts(brief: Brief, task: Task, settings: Settings) -> Iterator[Prompt]:
    """Every prompt of a task that needs all its iterations."""
    inputs = dict.fromkeys(task.depends_on, _UNWRITTEN)
    previous: Attempt | None = None
    for iteration in range(1, settings.max_iterations + 1):
        yield prompts.draft_prompt(brief, task, inputs, previous)
        yield prompts.critique_prompt(brief, task, _UNWRITTEN)
        yield prompts.revise_prompt(brief, task, _UNWRITTEN, _FULL_CRITIQUE, inputs)
        yield prompts.score_prompt(brief, task, _UNWRITTEN)
        previous = Attempt(
            iteration=iteration,
            output=_UNWRITTEN,
            author="",
            reviewer="",
            critique=_FULL_CRITIQUE,
            crosses=True,
            score=0.0,
        )
