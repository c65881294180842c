"""Endpoints that take no spans: no run waits for them, and one warning says what was lost."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import grpc
import pytest

from orchestrator.tracing.advice import advice_on
from tests.processes import ENVIRON, command, fresh
from tests.receivers import EXPORTER_TELLS_WHY, http_receiver, receiver, refusing, silent
from tests.stopwatch import Stopwatch

TOLD_WHY = pytest.mark.skipif(
    not EXPORTER_TELLS_WHY, reason="this gRPC exporter is one that keeps the cause to itself"
)

BOUND_S = 0.3
GRACE_S = 0.5
START_S = 5.0
"""What an interpreter with the SDK and gRPC may take to start on a busy machine."""


@pytest.mark.parametrize("path", ["", "/v1/traces"], ids=["grpc", "http"])
@pytest.mark.parametrize("kind", ["refusing", "silent", "hanging", "unavailable"])
def test_a_dead_endpoint_holds_the_process_no_longer_than_agreed(kind, path):
    with ExitStack() as stack:
        if kind == "refusing":
            endpoint = stack.enter_context(refusing())
        elif kind == "silent":
            endpoint = stack.enter_context(silent())
        elif kind == "hanging":
            endpoint = stack.enter_context(receiver(hangs=True)).endpoint
        else:
            unavailable = receiver(refuses=grpc.StatusCode.UNAVAILABLE)
            endpoint = stack.enter_context(unavailable).endpoint
        done = fresh(f"""
            from tests.stopwatch import Stopwatch
            configure_tracing(TracingConfig(
                enabled=True, otlp_endpoint="http://{endpoint}{path}", flush_timeout_s={BOUND_S}
            ))
            with traced_run("p1"):
                for number in range(600):
                    with traced_task(f"t{{number}}", "writing"):
                        pass
            with Stopwatch() as watch:
                lost = not shutdown_tracing()
            print(lost, watch.took_s)
            raise SystemExit(7)
        """)

    lost, took = done.stdout.split()
    assert lost == "True"
    assert float(took) < BOUND_S + GRACE_S
    assert done.returncode == 7
    (warning,) = done.stderr.splitlines()
    assert warning.startswith("601 of 601 spans were lost")


def test_the_end_of_the_process_keeps_the_bound_by_itself():
    with refusing() as endpoint, Stopwatch() as watch:
        done = fresh(f"""
            configure_tracing(TracingConfig(
                enabled=True, otlp_endpoint="http://{endpoint}", flush_timeout_s={BOUND_S}
            ))
            with traced_run("p1"):
                pass
        """)

    assert done.returncode == 0
    assert done.stderr.startswith("1 of 1 spans were lost")
    assert watch.took_s < BOUND_S + GRACE_S + START_S


def test_what_a_full_queue_drops_is_counted_and_said():
    with receiver(hangs=True) as server:
        done = fresh(
            f"""
            configure_tracing(TracingConfig(
                enabled=True, otlp_endpoint="http://{server.endpoint}", flush_timeout_s=0.2
            ))
            for number in range(1000):
                with traced_run("p1"):
                    pass
            """,
            OTEL_BSP_MAX_QUEUE_SIZE="600",
        )

    (warning,) = done.stderr.splitlines()
    assert warning.startswith("1000 of 1000 spans were lost")


IN_STEPS = """
    import sys
    from opentelemetry import trace
    configure_tracing(TracingConfig(enabled=True, otlp_endpoint="http://{endpoint}"))
    for step in sys.stdin:
        for number in range(10):
            with traced_run(step.strip()):
                pass
        if step.strip() == "delivered":
            trace.get_tracer_provider().force_flush()
        print(step.strip(), flush=True)
    print(shutdown_tracing({bound}), flush=True)
"""


def told(process: "subprocess.Popen[str]", step: str) -> None:
    """Have ten spans made, and wait until they are."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{step}\n")
    process.stdin.flush()
    assert process.stdout.readline().strip() == step


@pytest.mark.parametrize("returns", [True, False], ids=["it returns", "it stays away"])
def test_an_endpoint_that_comes_and_goes_gets_what_it_was_there_for(returns):
    bound = 60 if returns else BOUND_S
    with ExitStack() as stack:
        with receiver() as first:
            endpoint = first.endpoint
            process = stack.enter_context(
                subprocess.Popen(
                    command(IN_STEPS.format(endpoint=endpoint, bound=bound)),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env=ENVIRON,
                    text=True,
                )
            )
            told(process, "delivered")
        told(process, "down")
        second = stack.enter_context(receiver(at=endpoint)) if returns else None
        told(process, "last")
        stdout, stderr = process.communicate(timeout=60)

    assert len(first.spans) == 10
    if second is not None:
        assert (len(second.spans), stdout.strip(), stderr) == (20, "True", "")
    else:
        assert stdout.strip() == "False"
        (warning,) = stderr.splitlines()
        assert warning.startswith("20 of 30 spans were lost")


@contextmanager
def unfit(kind: str) -> Iterator[str]:
    """An endpoint that takes no spans, and that says why."""
    if kind == "nobody":
        with refusing() as address:
            yield f"http://{address}"
    elif kind == "nobody over http":
        with refusing() as address:
            yield f"http://{address}/v1/traces"
    elif kind == "HTTP for gRPC":
        with http_receiver() as server:
            yield f"http://{server.endpoint}"
    elif kind == "gRPC for HTTP":
        with receiver() as server:
            yield f"http://{server.endpoint}/v1/traces"
    elif kind == "plaintext for TLS":
        with receiver() as server:
            yield f"https://{server.endpoint}"
    else:
        with receiver(refuses=grpc.StatusCode[kind]) as server:
            yield f"http://{server.endpoint}"


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        pytest.param("nobody", "nobody listens there", marks=TOLD_WHY),
        ("nobody over http", "nobody listens there"),
        pytest.param(
            "HTTP for gRPC", "set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", marks=TOLD_WHY
        ),
        ("gRPC for HTTP", "set OTEL_EXPORTER_OTLP_PROTOCOL=grpc"),
        pytest.param("plaintext for TLS", "it does not speak TLS", marks=TOLD_WHY),
        ("UNAUTHENTICATED", "correct OTEL_EXPORTER_OTLP_HEADERS"),
        ("UNIMPLEMENTED", "it has no such path"),
        ("RESOURCE_EXHAUSTED", "StatusCode.RESOURCE_EXHAUSTED"),
    ],
)
def test_the_warning_says_what_to_do_where_that_is_known(kind, advice):
    with unfit(kind) as endpoint:
        done = fresh(f"""
            configure_tracing(TracingConfig(
                enabled=True, otlp_endpoint="{endpoint}", flush_timeout_s={BOUND_S}
            ))
            with traced_run("p1"):
                pass
        """)

    # gRPC's own library, imported before we could silence it here, writes there too.
    (warning,) = [line for line in done.stderr.splitlines() if line.startswith("1 of 1 spans")]
    assert advice in warning


@pytest.mark.parametrize(
    "complaint",
    [
        "Error details: errors resolving h:4317: [field:hostname lookup error:Domain not found]",
        "Error details: DNS resolution failed for h:4317: C-ares status is not ARES_SUCCESS",
        "HTTPConnectionPool(host='h'): Max retries exceeded (Caused by NameResolutionError(…))",
    ],
    ids=["gRPC", "gRPC with c-ares", "HTTP"],
)
def test_a_host_without_an_address_is_a_mistake_in_the_endpoint(complaint):
    # As the exporters have said it; to have them say it here would take a name server.
    assert advice_on(complaint) == "its host has no address; correct the endpoint"
