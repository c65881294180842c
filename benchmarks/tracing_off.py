"""What a traced block costs while tracing is off: the promise is less than a microsecond."""

from contextlib import contextmanager, nullcontext
from threading import Lock
from typing import Any

from opentelemetry.trace import INVALID_SPAN, NoOpTracer
from stopwatch import Case, measure, report

from orchestrator.tracing import TracingConfig, configure_tracing, traced_llm_call
from orchestrator.tracing.span import OFF

FLOOR = "C only: a `with` over a lock, five calls of dict.get"
NULL = "the same function over a shared contextlib.nullcontext"
OURS = "ours: traced_llm_call"
BODY = "".join(f"    span.set_attribute('k{number}', 1)\n" for number in range(5))


@contextmanager
def _generator(_model: str, _call_type: str) -> Any:
    yield INVALID_SPAN


def _cases() -> list[Case]:
    tracer = NoOpTracer()
    shared = nullcontext(OFF)
    cell: dict[str, Any] = {}
    lock = Lock()
    return [
        Case(
            title=FLOOR,
            code="with get('m', lock):\n" + "    get('k', 1)\n" * 5,
            names={"get": cell.get, "lock": lock},
        ),
        Case(
            title=OURS,
            code=f"with traced('m', 'generate') as span:\n{BODY}",
            names={"traced": traced_llm_call},
        ),
        Case(
            title="ours, all start facts given",
            code="with traced('m', 'generate', provider='openai', request_model='m', "
            "max_tokens=100, temperature=0.2, output_type='text', server_address='h', "
            f"server_port=443, agent_name='writing', iteration=1) as span:\n{BODY}",
            names={"traced": traced_llm_call},
        ),
        Case(
            title="ours, results guarded by is_recording()",
            code="with traced('m', 'generate') as span:\n    if span.is_recording(): pass",
            names={"traced": traced_llm_call},
        ),
        Case(
            title=NULL,
            code=f"with traced('m', 'generate') as span:\n{BODY}",
            names={"traced": lambda _model, _call_type: shared},
        ),
        Case(
            title="@contextmanager",
            code=f"with traced('m', 'generate') as span:\n{BODY}",
            names={"traced": _generator},
        ),
        Case(
            title="OpenTelemetry's no-op tracer",
            code=f"with start('llm_call:generate') as span:\n{BODY}",
            names={"start": tracer.start_as_current_span},
        ),
    ]


if __name__ == "__main__":
    configure_tracing(TracingConfig(enabled=False))
    report("tracing_off", measure(_cases(), loops=2_000, rounds=300), FLOOR, "ns", 1)
