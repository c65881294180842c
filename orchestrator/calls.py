"""One logical call while it lasts: what was asked, and what its requests used, cost and took."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from orchestrator import spans
from orchestrator.catalogue import ModelEntry
from orchestrator.errors import InvalidOutput, ProviderError
from orchestrator.models import CallType, Prompt, Reply, Task, Usage

_CUT_OFF: Final = {
    "length": "at its limit of {limit} tokens. Raise the limit, or ask for less.",
    "content_filter": "by a content filter. Ask differently, or choose another model.",
}


@dataclass(slots=True, kw_only=True)
class Call:
    """The record of one call; times are the clock's, in seconds."""

    entry: ModelEntry
    prompt: Prompt
    call_type: CallType
    task: Task | None
    iteration: int
    fallback_from: str | None
    asked_s: float
    sent_s: float | None = None
    ended_s: float = 0.0
    attempts: int = 0
    billed: bool = False
    cost: Decimal = Decimal(0)
    usage: Usage = field(default_factory=Usage)
    reply: Reply | None = None

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
        """From the question to the first request."""
        until_s = self.ended_s if self.sent_s is None else self.sent_s
        return (until_s - self.asked_s) * 1000

    def bill(self, usage: Usage, cost: Decimal) -> None:
        """Add what one request used and cost."""
        self.billed = True
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
        return reply

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
