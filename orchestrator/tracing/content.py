"""What was said to a model, and what it answered: recorded only where somebody asked for it."""

import json
import logging
from collections.abc import Mapping
from typing import Final, cast, get_args

from orchestrator import spans
from orchestrator.models import Prompt, Reply
from orchestrator.redaction import redact
from orchestrator.tracing.config import ContentCapture
from orchestrator.tracing.span import Span

VARIABLE: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
LONGEST: Final = 16_384
"""Characters of one message; cut before it becomes JSON, which would not survive a cut."""

_ON_SPANS: Final = frozenset({"SPAN_ONLY", "SPAN_AND_EVENT"})
_IN_EVENTS: Final = frozenset({"EVENT_ONLY", "SPAN_AND_EVENT"})
_log = logging.getLogger("orchestrator.tracing")


def capture_of(configured: ContentCapture | None, environ: Mapping[str, str]) -> ContentCapture:
    """What the configuration says, else the environment, else nothing."""
    said = environ.get(VARIABLE, "").strip().upper()
    if configured is not None or not said:
        return configured or "NO_CONTENT"
    if said not in get_args(ContentCapture):
        _log.warning(
            "%s is %r, which is none of %s; no content is recorded.",
            VARIABLE,
            environ[VARIABLE],
            ", ".join(get_args(ContentCapture)),
        )
        return "NO_CONTENT"
    return cast("ContentCapture", said)


def write_content(span: Span, capture: ContentCapture, prompt: Prompt, reply: Reply | None) -> None:
    """Put the messages where `capture` wants them, keys redacted."""
    if capture == "NO_CONTENT":
        return
    messages = _messages(prompt, reply)
    if capture in _ON_SPANS:
        span.set_attributes(messages)
    if capture in _IN_EVENTS:
        span.add_event(spans.EVENT_CONTENT, messages)


def _messages(prompt: Prompt, reply: Reply | None) -> dict[str, str]:
    """The messages as the GenAI conventions shape them."""
    told: dict[str, object] = {
        spans.GEN_AI_SYSTEM_INSTRUCTIONS: [_part(prompt.system)],
        spans.GEN_AI_INPUT_MESSAGES: [{"role": "user", "parts": [_part(prompt.text)]}],
    }
    if reply is not None:
        told[spans.GEN_AI_OUTPUT_MESSAGES] = [
            {
                "role": "assistant",
                "parts": [_part(reply.text)],
                "finish_reason": reply.finish_reason,
            }
        ]
    return {key: json.dumps(value, ensure_ascii=False) for key, value in told.items()}


def _part(text: str) -> dict[str, str]:
    """One text, redacted before it is cut, so that no half of a key is left."""
    return {"type": "text", "content": redact(text)[:LONGEST]}
