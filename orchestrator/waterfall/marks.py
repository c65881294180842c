"""What a reader should see at a glance: failures, waits, retries, fallbacks and recoveries."""

from collections.abc import Callable, Sequence
from typing import Final

from orchestrator import spans
from orchestrator.legible import count, line
from orchestrator.waterfall.trace import SpanRecord, Trace
from orchestrator.waterfall.words import BAD, CRITICAL, GOOD, QUIET, Part, duration

POINTER: Final = "◀"
"""At the spans that the sentences above the tree are about."""
_CACHED: Final = "cached"
_SKIPPED: Final = "skipped"
_QUEUED: Final = "⧗"
_LEAST_WAIT_MS: Final = 100
"""A shorter one is nothing to look into."""


def marks(span: SpanRecord) -> list[str]:
    """What is remarkable about one span, each with its sign first."""
    said = span.attributes
    found: list[str] = []
    if span.failed:
        found.append(f"✗ {said.get(spans.ERROR_TYPE, 'failed')}")
    if _is_queued(span):
        found.append(f"{_QUEUED} {duration(round(_queue_ms(span) * 1e6))} queued")
    if retries := span.events.count(spans.EVENT_RETRY):
        found.append(f"↻ {retries}")
    if spans.FALLBACK_FROM in said:
        found.append(f"⇄ for {said[spans.FALLBACK_FROM]}")
    if said.get(spans.CACHE_HIT):
        found.append(_CACHED)
    if spans.TASK_SKIPPED_BECAUSE in said:
        found.append(_SKIPPED)
    if spans.STRATEGY in said:
        found.append("✓ recovered" if said.get(spans.SUCCESS) else "✗ no recovery")
    if violations := said.get(spans.VIOLATIONS_COUNT):
        found.append(f"{violations} violated" if said.get(spans.PASSED) else "✗ blocked")
    if said.get(spans.VALIDATION_OUTCOME) in {"failed", "unverified"}:
        found.append(f"✗ {said[spans.VALIDATION_OUTCOME]}")
    return found


def in_words(found: Sequence[str]) -> list[Part]:
    """The marks as they stand behind a name."""
    return [Part(f"  {line(mark)}", _style(mark)) for mark in found]


def in_signs(found: Sequence[str]) -> list[Part]:
    """The same where the room is short: the first character of each."""
    return [Part(f" {mark[0]}", _style(mark)) for mark in found]


def _style(mark: str) -> str:
    if mark in {_CACHED, _SKIPPED}:
        return QUIET
    return {"✓": GOOD, POINTER: CRITICAL, _QUEUED: CRITICAL}.get(mark[0], BAD)


def troubles(trace: Trace) -> list[str]:
    """What went wrong in a run, counted: ``✗ 1 call failed``, ``↻ 2 calls retried``."""
    numbers = [sum(map(applies, trace.spans)) for *_, applies in _TROUBLES]
    return [
        f"{sign} {count(number, noun)} {what}"
        for number, (sign, noun, what, _) in zip(numbers, _TROUBLES, strict=True)
        if number
    ]


def _is_call(span: SpanRecord) -> bool:
    return span.name.startswith(spans.SPAN_LLM_CALL)


def _queue_ms(span: SpanRecord) -> float:
    return float(span.attributes.get(spans.QUEUE_MS, 0))


def _is_queued(span: SpanRecord) -> bool:
    """The call waited for its turn for most of its time: no latency of its model's."""
    queue_ms = _queue_ms(span)
    return queue_ms >= _LEAST_WAIT_MS and queue_ms * 2e6 > span.duration_ns


def _has(key: str, value: object) -> Callable[[SpanRecord], bool]:
    return lambda span: span.attributes.get(key) == value


_TROUBLES: Final[tuple[tuple[str, str, str, Callable[[SpanRecord], bool]], ...]] = (
    ("✗", "task", "failed", lambda it: it.name.startswith(spans.SPAN_TASK) and it.failed),
    ("-", "task", "skipped", lambda it: spans.TASK_SKIPPED_BECAUSE in it.attributes),
    ("✗", "call", "failed", lambda it: _is_call(it) and it.failed),
    (_QUEUED, "call", "queued", _is_queued),
    ("↻", "call", "retried", lambda it: spans.EVENT_RETRY in it.events),
    ("⇄", "call", "by another model", lambda it: spans.FALLBACK_FROM in it.attributes),
    ("✓", "remediation", "worked", _has(spans.SUCCESS, value=True)),
    ("✗", "remediation", "did not", _has(spans.SUCCESS, value=False)),
    ("✗", "selection", "blocked", _has(spans.PASSED, value=False)),
    ("✗", "validation", "failed", _has(spans.VALIDATION_OUTCOME, "failed")),
    ("✗", "validation", "unverified", _has(spans.VALIDATION_OUTCOME, "unverified")),
)
"""Sign, noun, what happened, and the spans to which it did."""
