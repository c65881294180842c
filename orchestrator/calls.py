"""One logical call while it lasts: what was asked, and what its requests used, cost and took."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from orchestrator import spans
from orchestrator.breaker import Change, Trial
from orchestrator.catalogue import ModelEntry
from orchestrator.errors import InvalidOutput, ProviderError
from orchestrator.events import CallCompleted, CallStarted
from orchestrator.models import Answer, CallType, Prompt, Reply, Task, Usage
from orchestrator.rate_limits import Slot

_CUT_OFF: Final = {
    "length": "at its limit of {limit} tokens. Raise the limit, or ask for less.",
    "content_filter": "by a content filter. Ask differently, or choose another model.",
    "error": "by its vendor. Ask again, or choose another model.",
}


LONGEST_ANSWER: Final = 2_000_000
"""Characters; a server that sends more has gone wrong, and what it sends is held in memory."""


class Outcome(Enum):
    """What became of one request, as far as money goes."""

    UNBILLED = "unbilled"
    """It never left, or it was refused: there is nothing to pay."""
    ANSWERED = "answered"
    """Its usage is known, and paid."""
    LOST = "lost"
    """It may have been answered and billed, and nobody knows for how much."""


@dataclass(slots=True, kw_only=True)
class Call:
    """The record of one call; times are the clock's, in seconds."""

    entry: ModelEntry
    prompt: Prompt
    call_type: CallType
    task: Task | None
    iteration: int
    fallback_from: str | None
    others: tuple[ModelEntry, ...]
    """Who could serve as well; while none of them can, a resting model is waited for."""
    asked_s: float
    sent_s: float | None = None
    ended_s: float = 0.0
    attempts: int = 0
    billed: bool = False
    estimated: bool = False
    cost: Decimal = Decimal(0)
    usage: Usage = field(default_factory=Usage)
    estimated_cost: Decimal = Decimal(0)
    """The part of the cost that no provider confirmed."""
    reply: Reply | None = None
    trial: Trial | None = None
    """The leave of the request that is under way."""
    changes: list[Change] = field(default_factory=list)
    """Of its model's breaker, not told yet."""
    slot: Slot | None = None
    """Its place in the minute that its model's rate limits count."""
    identity: str = ""
    """By what the journal knows it, where there is one."""
    number: int = 0
    """Which call of the project it is, from 1, once the journal knows of it."""
    is_kept: bool = False
    """Its end is in the journal, or on the way there."""
    is_retold: bool = False
    """Nothing was asked: the journal answered."""

    @property
    def task_id(self) -> str | None:
        """For which task; None while planning."""
        return self.task.id if self.task else None

    @property
    def latency_ms(self) -> float:
        """From the first request to the end of the last, back-off included."""
        return 0.0 if self.sent_s is None else (self.ended_s - self.sent_s) * 1000

    @property
    def queue_ms(self) -> float:
        """From the question, all being ready for it, to the first request."""
        until_s = self.ended_s if self.sent_s is None else self.sent_s
        return (until_s - self.asked_s) * 1000

    def began(self, now_s: float) -> None:
        """Count a request that is about to be made."""
        self.attempts += 1
        if self.sent_s is None:
            self.sent_s = now_s

    def bill(self, usage: Usage, cost: Decimal, *, estimated: bool) -> None:
        """Add what one request used and cost."""
        self.billed = True
        self.estimated |= estimated
        if estimated:
            self.estimated_cost += cost
        self.usage += usage
        self.cost += cost

    def usable(self, reply: Reply) -> Reply:
        """The reply, if it is whole.

        Raises:
            InvalidOutput: it is empty or cut off, which never passes for an answer.
        """
        if reply.finish_reason in _CUT_OFF:
            how = _CUT_OFF[reply.finish_reason].format(limit=self.prompt.max_tokens)
            raise InvalidOutput(f"The answer of model {self.entry.id!r} was cut off {how}")
        if not reply.text.strip():
            raise InvalidOutput(
                f"Model {self.entry.id!r} answered with nothing. Ask again, or choose another one."
            )
        if len(reply.text) > LONGEST_ANSWER:
            raise InvalidOutput(
                f"The answer of model {self.entry.id!r} has {len(reply.text):,} characters, which "
                "no limit of tokens allows. Look at its server, or choose another model."
            )
        return _unicode(reply)

    def answer(self, reply: Reply) -> Answer:
        """What the caller gets: the reply, with what all requests together took."""
        return Answer(
            text=reply.text,
            model=self.entry.id,
            provider=self.entry.provider,
            usage=self.usage,
            cost_usd=self.cost,
            latency_ms=self.latency_ms,
            attempts=self.attempts,
        )

    def started(self, project_id: str) -> CallStarted:
        """What the hooks are told at its start."""
        return CallStarted(
            project_id=project_id,
            call_type=self.call_type,
            model=self.entry.id,
            task_id=self.task_id,
            iteration=self.iteration,
        )

    def completed(self, project_id: str, error_type: str | None) -> CallCompleted:
        """What the hooks are told at its end."""
        return CallCompleted(
            project_id=project_id,
            call_type=self.call_type,
            model=self.entry.id,
            provider=self.entry.provider,
            task_id=self.task_id,
            usage=self.usage,
            cost_usd=self.cost,
            latency_ms=self.latency_ms,
            attempts=self.attempts,
            error_type=error_type,
            is_retold=self.is_retold,
        )

    def retried(self, error: ProviderError, wait_s: float) -> dict[str, Any]:
        """What the retry event says of the attempt that just failed."""
        event = {
            spans.EVENT_RETRY_ATTEMPT: self.attempts,
            spans.ERROR_TYPE: error.code,
            spans.EVENT_RETRY_BACKOFF_MS: wait_s * 1000,
            spans.HTTP_RESPONSE_STATUS_CODE: error.status_code,
        }
        return _said(event)

    def attributes(self) -> dict[str, Any]:
        """What the span says at its end."""
        usage, cost = self.usage, float(self.cost)
        result: dict[str, Any] = {
            spans.LLM_ATTEMPTS: self.attempts,
            spans.QUEUE_MS: self.queue_ms,
            spans.CACHE_HIT: False,
            spans.FALLBACK_FROM: self.fallback_from,
            spans.TOKENS_IN: usage.input_tokens,
            spans.TOKENS_OUT: usage.output_tokens,
            spans.COST_USD: cost,
            spans.LATENCY_MS: self.latency_ms,
        }
        if self.billed:
            result |= {spans.GEN_AI_USAGE_COST: cost, spans.OPERATION_COST: cost}
        if self.estimated:
            result[spans.COST_ESTIMATED] = True
        if self.reply is not None:
            result |= {
                spans.GEN_AI_RESPONSE_MODEL: self.reply.served_model,
                spans.GEN_AI_RESPONSE_ID: self.reply.response_id,
                spans.GEN_AI_RESPONSE_FINISH_REASONS: [self.reply.finish_reason],
                spans.GEN_AI_USAGE_INPUT_TOKENS: usage.input_tokens,
                spans.GEN_AI_USAGE_OUTPUT_TOKENS: usage.output_tokens,
                spans.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: usage.cache_read_tokens,
                spans.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS: usage.cache_creation_tokens,
                spans.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS: usage.reasoning_tokens,
            }
        return _said(result)


def _said(attributes: dict[str, Any]) -> dict[str, Any]:
    """The attributes without those that nobody reported."""
    return {key: value for key, value in attributes.items() if value is not None}


def _unicode(reply: Reply) -> Reply:
    """The reply in text that every encoding of Unicode takes: a vendor can send half a pair."""
    if reply.text.isascii():
        return reply
    whole = reply.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return reply if whole == reply.text else replace(reply, text=whole)
