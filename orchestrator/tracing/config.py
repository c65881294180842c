"""What the user may say about tracing, checked when it is said."""

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from orchestrator.errors import InputError
from orchestrator.tracing.endpoint import checked_address

TraceFormat = Literal["tree", "json"]
ContentCapture = Literal["NO_CONTENT", "SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT"]
DEFAULT_SERVICE_NAME = "multi-llm-orchestrator"


@dataclass(frozen=True, slots=True)
class TracingConfig:
    """How runs are traced.

    Raises:
        InputError: a value cannot be used; the sentence says which values can.
    """

    enabled: bool = False
    service_name: str = DEFAULT_SERVICE_NAME
    """``OTEL_SERVICE_NAME`` counts while this is the default."""
    otlp_endpoint: str | None = None
    """None: the one that ``OTEL_EXPORTER_OTLP_ENDPOINT`` names, else the console."""
    sample_rate: float = 1.0
    """The share of runs that are traced; ``OTEL_TRACES_SAMPLER`` counts while this is 1.0."""
    trace_format: TraceFormat = field(default="tree", kw_only=True)
    """What the console shows: a tree, or the SDK's JSON, one span a line."""
    console_last: bool = field(default=False, kw_only=True)
    """Whether the console's trees wait for `shutdown_tracing`, so that they come after whatever
    else the program prints; else each comes as its run ends."""
    capture_content: ContentCapture | None = field(default=None, kw_only=True)
    """Whether prompts and answers are recorded; None: as
    ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` says, else not."""
    flush_timeout_s: float = field(default=3.0, kw_only=True)
    """How long the end of the process may wait for spans to be delivered."""

    def __post_init__(self) -> None:
        """Check every value."""
        if not self.service_name.strip():
            raise InputError(f"The service name {self.service_name!r} is empty; give it a word.")
        if not 0 <= self.sample_rate <= 1:
            raise InputError(
                f"The sample rate {self.sample_rate!r} is no share; "
                "give a number from 0 (no run) to 1 (every run)."
            )
        if not (self.flush_timeout_s >= 0 and math.isfinite(self.flush_timeout_s)):
            raise InputError(
                f"The flush timeout {self.flush_timeout_s!r} is no time; give seconds, 0 or more."
            )
        if self.otlp_endpoint is not None:
            checked_address(self.otlp_endpoint)
        _one_of("trace format", self.trace_format, get_args(TraceFormat))
        if self.capture_content is not None:
            _one_of("content capture", self.capture_content, get_args(ContentCapture))


def _one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"The {what} {value!r} is unknown; give one of {', '.join(known)}.")
