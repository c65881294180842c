"""A task's outputs held against its hard validators, and what may be set aside of the verdicts."""

from collections.abc import Mapping
from dataclasses import replace

from orchestrator.events import ValidationMade
from orchestrator.journal.entries import Checked
from orchestrator.models import Attempt, Task, Validation
from orchestrator.validators import Specimen, told_again, validate
from orchestrator.workshop import Workshop


class Inspector:
    """Who holds the outputs of one task against its validators.

    Args:
        shop: what the run works with.
        task: whose validators they are.
        inputs: the results that the task builds on, in the order in which it names them.
    """

    def __init__(self, shop: Workshop, task: Task, inputs: Mapping[str, str]) -> None:
        self._shop = shop
        self._task = task
        self._inputs = dict(zip(task.depends_on, inputs.values(), strict=True))

    async def examined(self, output: str, iteration: int) -> tuple[Validation, ...]:
        """The verdicts of every validator of the task, one after the other."""
        shop, task = self._shop, self._task
        made = list[Validation]()
        for name in task.validators:
            kept = shop.journal.check(task.id, iteration, name)
            made.append(await self._verdict(name, output, iteration, kept))
            await shop.hooks.emit(
                ValidationMade(
                    project_id=shop.project_id,
                    task_id=task.id,
                    validation=made[-1],
                    is_retold=kept is not None,
                )
            )
        return tuple(made)

    def may_skip(self, attempt: Attempt) -> bool:
        """Whether all that is held against an attempt may be set aside."""
        skippable = self._shop.settings.skippable
        return all(check.validator in skippable for check in attempt.refusals)

    async def _verdict(
        self, name: str, output: str, iteration: int, kept: Validation | None
    ) -> Validation:
        """A validator's, or the one that it gave an earlier run at this place."""
        shop, task = self._shop, self._task
        if kept is not None:
            return told_again(kept)
        specimen = Specimen(
            task=task, output=output, inputs=self._inputs, seconds=shop.deadline.remaining()
        )
        made = await validate(name, specimen, shop.sandbox)
        shop.journal.note(Checked(task_id=task.id, iteration=iteration, validation=made))
        return made


def without_refusals(attempt: Attempt) -> Attempt:
    """The attempt with what is held against it set aside: unverified, and never passed."""
    checks = (
        replace(
            check,
            outcome="unverified",
            detail=f"skipped after it failed: {check.detail}",
            is_skipped=True,
        )
        if check in attempt.refusals
        else check
        for check in attempt.validations
    )
    return replace(attempt, validations=tuple(checks))
