"""The author and the reviewer of one task, and who steps in when one of them fails."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Literal, TypeVar

from orchestrator import prompts, spans, structured
from orchestrator.answers import CritiqueAnswer, ScoreAnswer
from orchestrator.api_clients import UnifiedClient
from orchestrator.catalogue import ModelEntry
from orchestrator.errors import CallFailed
from orchestrator.hooks import HookRegistry
from orchestrator.models import (
    Answer,
    Brief,
    CallType,
    Critique,
    Prompt,
    Role,
    Settings,
    Strategy,
    Task,
)
from orchestrator.remediation import RemediationEngine
from orchestrator.routing import Router
from orchestrator.tracing import Span

T = TypeVar("T")
Part = Literal["author", "reviewer"]
Operation = Callable[[ModelEntry, str | None], Awaitable[T]]
"""Something asked of a model; the string names the model that failed before it, if one did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What all tasks of a run work with."""

    project_id: str
    brief: Brief
    client: UnifiedClient
    router: Router
    remediation: RemediationEngine
    hooks: HookRegistry
    settings: Settings


class Crew:
    """The two models at work on one task."""

    def __init__(self, shop: Workshop, task: Task, span: Span) -> None:
        self._shop = shop
        self._task = task
        self._span = span
        self._failed: frozenset[str] = frozenset()
        self._models: dict[Part, ModelEntry] = {}
        self.iteration = 0

    @property
    def author(self) -> str | None:
        """The id of the model that writes; None until one was chosen."""
        return self._models["author"].id if "author" in self._models else None

    async def write(self, call_type: CallType, prompt: Prompt) -> str:
        """Have the author write.

        Raises:
            CallFailed: nothing that the remediation plan allows helped.
            PolicyViolation: policies leave nobody to write.
        """

        async def ask(model: ModelEntry, failed: str | None) -> str:
            return (await self._call(model, failed, call_type, prompt)).text

        return await self._recoverable("author", ask)

    async def critique(self, output: str) -> Critique:
        """Have the reviewer say what is missing; raises as `write` does."""
        prompt = prompts.critique_prompt(self._shop.brief, self._task, output)

        async def ask(model: ModelEntry, failed: str | None) -> Critique:
            def read(answer: CritiqueAnswer) -> Critique:
                return Critique(points=tuple(answer.points), reviewer=model.id)

            return await structured.ask(
                partial(self._call, model, failed, "critique"), prompt, CritiqueAnswer, read
            )

        return await self._recoverable("reviewer", ask)

    async def judge(self, output: str) -> float:
        """Have the reviewer score the text, from 0 to 1; raises as `write` does."""
        prompt = prompts.score_prompt(self._shop.brief, self._task, output)

        async def ask(model: ModelEntry, failed: str | None) -> float:
            return await structured.ask(
                partial(self._call, model, failed, "evaluate"),
                prompt,
                ScoreAnswer,
                lambda answer: answer.score,
            )

        return await self._recoverable("reviewer", ask)

    async def replace(self, part: Part, reason: str) -> None:
        """Let another model take over; a new author gets a new reviewer.

        Raises:
            PolicyViolation: policies leave nobody else.
        """
        before = self._models[part]
        self._failed |= {before.id}
        if part == "author":
            self._models["author"] = after = await self._choose("fallback", author=None)
            self._models.pop("reviewer", None)
        else:
            after = await self._choose("reviewer", author=self._models["author"])
            self._models["reviewer"] = after
        if self._span.is_recording():
            self._span.add_event(
                spans.EVENT_FALLBACK,
                {
                    spans.EVENT_FALLBACK_FROM_MODEL: before.id,
                    spans.EVENT_FALLBACK_TO_MODEL: after.id,
                    spans.EVENT_FALLBACK_REASON: reason,
                },
            )

    async def _model(self, part: Part) -> ModelEntry:
        """Who does this part; chosen when first needed, so that a new author is reviewed anew."""
        if part not in self._models:
            self._models[part] = await self._choose(part, author=self._models.get("author"))
        return self._models[part]

    async def _choose(self, role: Role, *, author: ModelEntry | None) -> ModelEntry:
        choice = await self._shop.router.choose(
            role,
            author=author,
            excluded=self._failed,
            spent_usd=self._shop.client.cost_of_task.get(self._task.id, Decimal(0)),
        )
        return choice.model

    async def _recoverable(self, part: Part, operation: Operation[T]) -> T:
        try:
            return await operation(await self._model(part), None)
        except CallFailed as failure:
            reason = failure.code

            async def attempt(strategy: Strategy) -> T | None:
                failed = self._models[part].id
                if strategy == "fallback_model":
                    await self.replace(part, reason)
                    return await operation(self._models[part], failed)
                if strategy == "auto_retry":
                    return await operation(self._models[part], None)
                return None

            result = await self._shop.remediation.run(reason, attempt, task_id=self._task.id)
            if result is None:
                raise
            return result

    async def _call(
        self, model: ModelEntry, failed: str | None, call_type: CallType, prompt: Prompt
    ) -> Answer:
        return await self._shop.client.call(
            model.id,
            prompt,
            call_type=call_type,
            task=self._task,
            iteration=self.iteration,
            fallback_from=failed,
        )
