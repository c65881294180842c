"""The author and the reviewer of one task, and who steps in when one of them fails."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final, Literal, TypeVar

from orchestrator import prompts, spans, structured
from orchestrator.answers import CritiqueAnswer, ScoreAnswer
from orchestrator.errors import BudgetExceeded, CallFailed
from orchestrator.models import (
    Answer,
    CallType,
    Critique,
    Prompt,
    Role,
    Strategy,
    Task,
)
from orchestrator.remediation import TOO_LONG
from orchestrator.routing import Choice
from orchestrator.tracing import Span
from orchestrator.workshop import Workshop

T = TypeVar("T")
Part = Literal["author", "reviewer"]
Operation = Callable[[Choice, str | None, Prompt], Awaitable[T]]
"""A prompt put to a model; the string names the model that failed before it, if one did."""

_OF_CALLS: Final = frozenset[Strategy](
    {"auto_retry", "fallback_model", "adjust_prompt", "abort_task"}
)
"""What can be tried when a call has failed."""

_STAND_IN: Final[Mapping[Part, Role]] = {"author": "fallback", "reviewer": "reviewer"}
"""As what somebody is chosen who takes over."""


class Crew:
    """The two models at work on one task."""

    def __init__(self, shop: Workshop, task: Task, span: Span) -> None:
        self._shop = shop
        self._task = task
        self._span = span
        self._choices: dict[Part, Choice] = {}
        self._barred: dict[Part, frozenset[str]] = {"author": frozenset(), "reviewer": frozenset()}
        self.iteration = 0

    @property
    def author(self) -> str | None:
        """The id of the model that writes; None until one was chosen."""
        return self._choices["author"].model.id if "author" in self._choices else None

    @property
    def crosses(self) -> bool:
        """The reviewer is of another provider than the author."""
        return "reviewer" in self._choices and self._choices["reviewer"].crosses

    async def write(self, call_type: CallType, prompt: Prompt) -> str:
        """Have the author write.

        Raises:
            CallFailed: nothing that the remediation plan allows helped.
            PolicyViolation: policies leave nobody to write.
        """

        async def ask(choice: Choice, failed: str | None, prompt: Prompt) -> str:
            return (await self._call(choice, failed, call_type, prompt)).text

        return await self._recoverable("author", prompt, ask)

    async def critique(self, output: str) -> Critique:
        """Have the reviewer say what is missing; raises as `write` does."""
        prompt = prompts.critique_prompt(self._shop.brief, self._task, output)

        async def ask(choice: Choice, failed: str | None, prompt: Prompt) -> Critique:
            def read(answer: CritiqueAnswer) -> Critique:
                return Critique(points=tuple(answer.points), reviewer=choice.model.id)

            return await structured.ask(
                partial(self._call, choice, failed, "critique"), prompt, CritiqueAnswer, read
            )

        return await self._recoverable("reviewer", prompt, ask)

    async def judge(self, output: str) -> ScoreAnswer:
        """Have the reviewer score the text, from 0 to 1, and say why; raises as `write` does."""
        prompt = prompts.score_prompt(self._shop.brief, self._task, output)

        async def ask(choice: Choice, failed: str | None, prompt: Prompt) -> ScoreAnswer:
            return await structured.ask(
                partial(self._call, choice, failed, "evaluate"),
                prompt,
                ScoreAnswer,
                lambda answer: answer,
            )

        return await self._recoverable("reviewer", prompt, ask)

    async def replace_author(self, reason: str) -> None:
        """Let another model write; the one that wrote so far may still review.

        Raises:
            PolicyViolation: policies leave nobody else.
            NoModelLeft: everybody else was tried.
        """
        await self._replace("author", reason, barred_from=("author",))

    async def _replace(
        self,
        part: Part,
        reason: str,
        *,
        barred_from: tuple[Part, ...] = (),
        prompt: Prompt | None = None,
    ) -> None:
        before = self._choices[part].model
        for each in barred_from:
            self._barred[each] |= {before.id}
        after = await self._choose(part, _STAND_IN[part], prompt)
        self._choices[part] = after
        if after.model is before:
            return  # nobody is cheaper: the ledger has the last word
        if part == "author":
            self._choices.pop("reviewer", None)  # a new author is reviewed anew
        if self._span.is_recording():
            self._span.add_event(
                spans.EVENT_FALLBACK,
                {
                    spans.EVENT_FALLBACK_FROM_MODEL: before.id,
                    spans.EVENT_FALLBACK_TO_MODEL: after.model.id,
                    spans.EVENT_FALLBACK_REASON: reason,
                },
            )

    async def _choice(self, part: Part, prompt: Prompt) -> Choice:
        """Who does this part: chosen when first needed, again when the budget gets too small."""
        if part not in self._choices:
            self._choices[part] = await self._choose(part, part, prompt)
        elif not self._affords(part, prompt):
            await self._replace(part, BudgetExceeded.error_type, prompt=prompt)
        return self._choices[part]

    def _affords(self, part: Part, prompt: Prompt) -> bool:
        return self._shop.casting.affords(
            self._choices[part].model, prompt, task_id=self._task.id, role=_STAND_IN[part]
        )

    async def _choose(self, part: Part, role: Role, prompt: Prompt | None) -> Choice:
        shop = self._shop
        return await shop.casting.choose(
            role,
            task_id=self._task.id,
            author=self._choices["author"].model if part == "reviewer" else None,
            excluded=self._barred[part],
            spent_usd=shop.client.spent_on(self._task.id),
            prompt=prompt,
        )

    async def _recoverable(self, part: Part, prompt: Prompt, operation: Operation[T]) -> T:
        try:
            return await operation(await self._choice(part, prompt), None, prompt)
        except CallFailed as failure:
            reason, sentence = failure.code, str(failure)

            async def attempt(strategy: Strategy) -> T | None:
                failed = self._choices[part]
                if strategy == "fallback_model":
                    # Whoever does not answer one part does not answer the other.
                    await self._replace(
                        part, reason, barred_from=("author", "reviewer"), prompt=prompt
                    )
                    return await operation(self._choices[part], failed.model.id, prompt)
                if strategy == "adjust_prompt":
                    adjusted = prompts.adjusted(prompt, sentence, is_too_long=reason == TOO_LONG)
                    return await operation(failed, None, adjusted)
                return await operation(failed, None, prompt)

            result = await self._shop.remediation.run(
                reason, attempt, task_id=self._task.id, is_possible=_OF_CALLS.__contains__
            )
            if result is None:
                raise
            return result

    async def _call(
        self, choice: Choice, failed: str | None, call_type: CallType, prompt: Prompt
    ) -> Answer:
        return await self._shop.client.call(
            choice.model.id,
            prompt,
            call_type=call_type,
            task=self._task,
            iteration=self.iteration,
            fallback_from=failed,
            others=choice.others,
        )
