"""How a call is kept in the journal, and how one that was kept is told again instead of made."""

from decimal import Decimal
from typing import Any, Final, Literal

from orchestrator import spans
from orchestrator.calls import Call
from orchestrator.errors import CallFailed, InvalidOutput, ProviderError
from orchestrator.journal import Journal
from orchestrator.journal.entries import Answered, Asked, Failed
from orchestrator.journal.identity import identity
from orchestrator.models import Answer, Reply
from orchestrator.tracing import Span, record_content
from orchestrator.tracing.failure import code_of

Kept = Answered | Failed


class CallKeeper:
    """Between the door and the journal of one run."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def kept(self, call: Call) -> Kept | None:
        """What came of the call before; None: it has to be made.

        Raises:
            NotInJournal: this is a replay, and the call is not in it.
        """
        journal = self._journal
        if not (journal.is_kept or journal.is_resumed):
            return None
        call.identity = identity(
            call.entry, call.prompt, call.call_type, call.task_id, call.iteration
        )
        return journal.outcome(call.identity)

    def looked_up(self, span: Span, *, hit: bool) -> None:
        """Say on the span that there was something to look up, and whether it was found."""
        if self._journal.is_resumed and span.is_recording():
            span.add_event(spans.EVENT_CACHE_LOOKUP, {spans.EVENT_CACHE_LOOKUP_HIT: hit})

    async def asking(self, call: Call, worst_usd: Decimal) -> None:
        """Keep what a request may cost, before it leaves; of what costs nothing, nothing.

        Raises:
            JournalFailed: it cannot be kept, so it must not be made.
        """
        if not self._journal.is_kept or not worst_usd:
            return
        if not call.number:
            call.number = self._journal.next_call()
        await self._journal.record(
            Asked(call=call.number, task_id=call.task_id, worst_usd=worst_usd)
        )

    async def answered(self, call: Call, reply: Reply) -> None:
        """Keep an answer, before it is used.

        Raises:
            JournalFailed: it cannot be kept.
        """
        if self._journal.is_kept:
            call.is_kept = True
            self._journal.ended(call.task_id)
            await self._journal.record(Answered(**self._facts(call), reply=reply))

    def failed(self, call: Call, error: BaseException) -> None:
        """Keep that a call was lost, and what it cost."""
        if call.is_kept or call.is_retold or not self._journal.is_kept:
            return
        call.is_kept = True
        cause = _cause(error)
        if cause != "broken_off":
            self._journal.ended(call.task_id)
        self._journal.note(
            Failed(
                **self._facts(call),
                cause=cause,
                error_type=code_of(error),
                # What is not ours may echo a prompt; such a failure is never told again.
                sentence="" if cause == "broken_off" else str(error),
            )
        )

    def _facts(self, call: Call) -> dict[str, Any]:
        if not call.number:
            call.number = self._journal.next_call()
        return {
            "call": call.number,
            "identity": call.identity,
            "task_id": call.task_id,
            "call_type": call.call_type,
            "iteration": call.iteration,
            "model": call.entry.id,
            "usage": call.usage,
            "cost_usd": call.cost,
            "estimated_usd": call.estimated_cost,
            "attempts": call.attempts,
            "latency_ms": call.latency_ms,
        }


def retold(call: Call, kept: Kept, span: Span) -> Answer:
    """The answer that was kept, with nothing sent and nothing paid.

    Raises:
        ProviderError, InvalidOutput: the call had failed so.
    """
    reply = kept.reply if isinstance(kept, Answered) else None
    if span.is_recording():
        span.set_attributes(_attributes(call, kept, reply))
    if isinstance(kept, Failed):
        raise _failure(kept)
    call.reply = kept.reply
    record_content(span, call.prompt, kept.reply)
    return call.answer(kept.reply)


def _failure(kept: Failed) -> ProviderError | InvalidOutput:
    if kept.cause == "invalid_output":
        return InvalidOutput(kept.sentence)
    return ProviderError(kept.sentence, code=kept.error_type, retryable=False)


def _cause(error: BaseException) -> Literal["provider", "invalid_output", "broken_off"]:
    if isinstance(error, InvalidOutput):
        return "invalid_output"
    return "provider" if isinstance(error, CallFailed) else "broken_off"


_NOTHING_BILLED: Final = {
    spans.GEN_AI_USAGE_INPUT_TOKENS: 0,
    spans.GEN_AI_USAGE_OUTPUT_TOKENS: 0,
    spans.GEN_AI_USAGE_COST: 0.0,
    spans.OPERATION_COST: 0.0,
}


def _attributes(call: Call, kept: Kept, reply: Reply | None) -> dict[str, Any]:
    """What the span of a kept call says beside what every call does: zeros, and what they saved."""
    result = call.attributes() | _NOTHING_BILLED
    result |= {
        spans.CACHE_HIT: True,
        spans.QUEUE_MS: 0.0,
        spans.CACHE_SAVED_INPUT_TOKENS: kept.usage.input_tokens,
        spans.CACHE_SAVED_OUTPUT_TOKENS: kept.usage.output_tokens,
        spans.CACHE_SAVED_USD: float(kept.cost_usd),
    }
    if reply is not None:
        result |= {
            spans.GEN_AI_RESPONSE_MODEL: reply.served_model,
            spans.GEN_AI_RESPONSE_FINISH_REASONS: [reply.finish_reason],
        }
        if reply.response_id is not None:
            result[spans.GEN_AI_RESPONSE_ID] = reply.response_id
    return result
