"""The traced blocks: one function for each kind of span, and the switch they all read.

Off, each costs one branch. They are no `@contextmanager` for that reason.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from orchestrator import spans
from orchestrator.models import CallType, Prompt, Reply
from orchestrator.redaction import redact
from orchestrator.tracing.span import OFF, Span, TracedBlock

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext


_REASON_LENGTH: Final = 128


class Recorder(Protocol):
    """Opens the spans while tracing is on."""

    def open(
        self,
        family: str,
        name: str,
        facts: dict[str, Any],
        *,
        client: bool = False,
        link_kind: str = "",
        links: "Sequence[SpanContext]" = (),
        root: bool = False,
    ) -> TracedBlock:
        """Make a block of the family `family`; `facts` are its attributes at the start."""
        ...

    def content(self, span: Span, prompt: Prompt, reply: Reply | None) -> None:
        """Record what was said, where that was asked for."""
        ...


_recorder: Recorder | None = None
"""What OpenTelemetry forces: tracing is on or off for the process."""


def record_with(recorder: Recorder | None) -> None:
    """Switch every traced block of the process on, or off with None."""
    global _recorder  # noqa: PLW0603  (the switch)
    _recorder = recorder


def traceparent_of(span: Span) -> str | None:
    """What names the span to another process; None when nothing is kept of it."""
    if _recorder is None or not span.is_recording():
        return None
    from orchestrator.tracing.carrier import written

    return written(span.get_span_context())


def span_named(traceparent: str | None) -> "SpanContext | None":
    """The span of another process, for a link; None while tracing is off."""
    if _recorder is None or traceparent is None:
        return None
    from orchestrator.tracing.carrier import read

    return read(traceparent)


def traced_run(project_id: str, resumed_from: "SpanContext | None" = None) -> TracedBlock:
    """The root of a run, linked to the root of the run that it takes up."""
    if _recorder is None:
        return OFF
    return _recorder.open(
        spans.SPAN_RUN_PROJECT,
        spans.SPAN_RUN_PROJECT,
        {spans.SESSION_ID: project_id, spans.PROJECT_ID: project_id},
        link_kind=spans.LINK_RESUMED_FROM,
        links=(resumed_from,) if resumed_from else (),
        root=True,
    )


def traced_decompose() -> TracedBlock:
    """Planning."""
    if _recorder is None:
        return OFF
    return _recorder.open(spans.SPAN_DECOMPOSE, spans.SPAN_DECOMPOSE, {})


def traced_task(
    task_id: str,
    task_type: str,
    depends_on: tuple[str, ...] = (),
    links: "tuple[SpanContext, ...]" = (),
) -> TracedBlock:
    """One task's life; `links` are the spans of the tasks it depends on."""
    if _recorder is None:
        return OFF
    return _recorder.open(
        spans.SPAN_TASK,
        spans.SPAN_TASK + task_id,
        {
            spans.GEN_AI_AGENT_NAME: task_type,
            spans.TASK_ID: task_id,
            spans.TASK_DEPENDS_ON: depends_on,
            spans.TASK_TYPE: task_type,
        },
        link_kind=spans.LINK_DEPENDS_ON,
        links=links,
    )


def traced_llm_call(  # noqa: PLR0917  (positional defaults cost nothing when off)
    model: str,
    call_type: CallType | str,
    provider: str | None = None,
    request_model: str | None = None,
    max_tokens: int | None = None,
    temperature: float | None = None,
    output_type: Literal["text", "json"] | None = None,
    server_address: str | None = None,
    server_port: int | None = None,
    agent_name: str | None = None,
    iteration: int | None = None,
    cached: bool = False,  # noqa: FBT001, FBT002  (as above)
) -> TracedBlock:
    """One logical model call, all its attempts included.

    Args:
        model: the catalogue's id.
        call_type: what the model is asked for; the second half of the span's name.
        provider: who answers, in OpenTelemetry's well-known names where one fits.
        request_model: the vendor's own name of the model; the id when they are the same.
        max_tokens: the most it may answer.
        temperature: as sent.
        output_type: ``json`` for a structured answer.
        server_address: the host of a remote model, nothing else of its URL.
        server_port: the port that goes with it.
        agent_name: the type of the task it is made for.
        iteration: the iteration of that task, from 1.
        cached: our own cache or journal answers, and nothing leaves the process.
    """
    if _recorder is None:
        return OFF
    facts: dict[str, Any] = {
        spans.GEN_AI_PROVIDER_NAME: provider,
        spans.GEN_AI_REQUEST_MODEL: request_model or model,
        spans.GEN_AI_REQUEST_MAX_TOKENS: max_tokens,
        spans.GEN_AI_REQUEST_TEMPERATURE: temperature,
        spans.GEN_AI_OUTPUT_TYPE: output_type,
        spans.SERVER_ADDRESS: server_address,
        spans.SERVER_PORT: server_port,
        spans.GEN_AI_AGENT_NAME: agent_name,
        spans.CALL_TYPE: call_type,
        spans.CALL_ITERATION: iteration,
        spans.MODEL: model,
    }
    if None in facts.values():
        facts = {key: value for key, value in facts.items() if value is not None}
    return _recorder.open(
        spans.SPAN_LLM_CALL, spans.SPAN_LLM_CALL + call_type, facts, client=not cached
    )


def record_content(span: Span, prompt: Prompt, reply: Reply | None) -> None:
    """Say on an llm_call span what was asked and answered, if the user wants content recorded."""
    if _recorder is not None and span.is_recording():
        _recorder.content(span, prompt, reply)


def traced_policy_check(
    policy_count: int, operation: Literal["check", "enforce"] = "check"
) -> TracedBlock:
    """One verdict over `policy_count` policies."""
    if _recorder is None:
        return OFF
    return _recorder.open(
        spans.SPAN_POLICY_CHECK,
        spans.SPAN_POLICY_CHECK,
        {spans.POLICY_OPERATION: operation, spans.POLICIES_COUNT: policy_count},
    )


def traced_validation(validator: str) -> TracedBlock:
    """One hard validator's check."""
    if _recorder is None:
        return OFF
    return _recorder.open(
        spans.SPAN_VALIDATION, spans.SPAN_VALIDATION, {spans.VALIDATOR: validator}
    )


def traced_remediation(strategy: str, trigger: str, attempt: int = 1) -> TracedBlock:
    """One attempt to recover, wrapped around what it tries.

    `trigger` is the code of the failure; a sentence that comes instead is made safe, and short.
    """
    if _recorder is None:
        return OFF
    return _recorder.open(
        spans.SPAN_REMEDIATION,
        spans.SPAN_REMEDIATION,
        {
            spans.REMEDIATION_ATTEMPT: attempt,
            spans.STRATEGY: strategy,
            spans.TRIGGER_REASON: redact(trigger)[:_REASON_LENGTH],
        },
    )
