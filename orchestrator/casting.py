"""Who plays which part: whom the journal names, where policies still let them; else the router."""

from decimal import Decimal

from orchestrator.catalogue import ModelEntry
from orchestrator.errors import NoModelLeft, PolicyViolation
from orchestrator.events import Event, NobodyChosen
from orchestrator.journal import Journal
from orchestrator.journal.entries import Chosen, Unfilled
from orchestrator.models import Prompt, Role
from orchestrator.ports import Hook
from orchestrator.routing import Choice, Router


def vacancies_kept(journal: Journal, project_id: str) -> Hook:
    """A hook that keeps in a run's journal whom nobody could be chosen for."""

    def keep(event: Event) -> None:
        if isinstance(event, NobodyChosen) and event.project_id == project_id:
            journal.note(
                Unfilled(
                    task_id=event.task_id,
                    place=journal.place(event.task_id),
                    role=event.role,
                    error_type=event.error_type,
                    reason=event.reason,
                    contenders=event.contenders,
                )
            )

    return keep


class Casting:
    """The choices of one run, which a run that takes it up makes again and not anew.

    Routing looks at what was measured, and that is gone with a process: a run that chose otherwise
    than the one before it would ask again for what is paid.
    """

    def __init__(self, router: Router, journal: Journal) -> None:
        self._router = router
        self._journal = journal

    async def choose(
        self,
        role: Role,
        *,
        task_id: str | None = None,
        author: ModelEntry | None = None,
        excluded: frozenset[str] = frozenset(),
        spent_usd: Decimal = Decimal(0),
        prompt: Prompt | None = None,
    ) -> Choice:
        """Choose who serves; arguments and failures are those of `Router.choose`."""
        kept = await self._kept(role, task_id, author, excluded, spent_usd)
        if kept is not None:
            return kept
        choice = await self._router.choose(
            role,
            task_id=task_id,
            author=author,
            excluded=excluded,
            spent_usd=spent_usd,
            prompt=prompt,
        )
        self._journal.note(
            Chosen(
                task_id=task_id,
                place=self._journal.place(task_id),
                role=role,
                model=choice.model.id,
                reason=choice.reason,
                others=tuple(other.id for other in choice.others),
                routing=choice.routing,
                contenders=choice.contenders,
            )
        )
        return choice

    def affords(self, model: ModelEntry, prompt: Prompt, *, task_id: str, role: Role) -> bool:
        """Whether this call of this model may still fit into the budget.

        Where an earlier run has been, what it found counts: what it paid for needs no money now.
        """
        if self._journal.chose_here(task_id, role):
            return False
        return self._journal.is_telling(task_id) or self._router.affords(model, prompt)

    async def _kept(
        self,
        role: Role,
        task_id: str | None,
        author: ModelEntry | None,
        excluded: frozenset[str],
        spent_usd: Decimal,
    ) -> Choice | None:
        """The choice of an earlier run, if it can be made again."""
        while (kept := self._journal.choice(task_id, role)) is not None:
            if isinstance(kept, Unfilled):
                if self._journal.replays:
                    raise _refusal(kept)
                continue  # what was missing then may be there now
            if kept.model in excluded:
                continue
            try:
                choice = await self._router.confirm(kept, author=author, spent_usd=spent_usd)
            except PolicyViolation:
                continue  # policies have changed since; the verdict is on its span
            if choice is not None:
                return choice
        return None


def _refusal(kept: Unfilled) -> PolicyViolation | NoModelLeft:
    kind = PolicyViolation if kept.error_type == PolicyViolation.error_type else NoModelLeft
    return kind(kept.reason)
