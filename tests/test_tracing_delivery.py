"""Delivery: every span arrives, over either protocol, whatever ends the run."""

import logging
import signal
import socket
import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult

from orchestrator.tracing import (
    TracingConfig,
    configure_tracing,
    shutdown_tracing,
    traced_run,
    traced_task,
)
from orchestrator.tracing.delivery import Delivery
from tests.processes import ENVIRON, fresh
from tests.receivers import http_receiver, receiver, refusing

pytestmark = pytest.mark.usefixtures("tracing_off")


def test_a_reconfiguration_delivers_what_the_old_one_held():
    with receiver() as first, receiver() as second:
        done = fresh(f"""
            for number, endpoint in enumerate(["{first.endpoint}", "{second.endpoint}"]):
                configure_tracing(TracingConfig(
                    enabled=True, otlp_endpoint="http://" + endpoint, flush_timeout_s=60
                ))
                with traced_run(f"p{{number}}"):
                    pass
        """)

        assert done.returncode == 0, done.stderr
        for number, server in enumerate([first, second]):
            (root,) = server.spans
            ids = [a.value.string_value for a in root.attributes if a.key == "project_id"]
            assert ids == [f"p{number}"]


def test_a_burst_loses_nothing_against_a_live_receiver():
    with receiver() as server:
        done = fresh(f"""
            configure_tracing(TracingConfig(enabled=True, otlp_endpoint="http://{server.endpoint}"))
            with traced_run("p1"):
                for number in range(10_000):
                    with traced_task(f"t{{number}}", "writing"):
                        pass
            print(shutdown_tracing(60))
        """)

        assert done.stdout.strip() == "True", done.stderr
        assert len(server.spans) == 10_001


def test_http_protobuf_delivers_with_headers_and_compression():
    with http_receiver() as server:
        done = fresh(
            """
            configure_tracing(TracingConfig(enabled=True))
            with traced_run("p1"), traced_task("t1", "writing"):
                pass
            print(shutdown_tracing(60))
            """,
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{server.endpoint}/api/public/otel",
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            OTEL_EXPORTER_OTLP_HEADERS="Authorization=Basic%20abc",
            OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
        )

        assert (done.stdout.strip(), done.stderr) == ("True", "")
        assert server.names == ["run_project", "task:t1"]
        assert server.metadata["path"] == "/api/public/otel/v1/traces"
        assert server.metadata["authorization"] == "Basic abc"
        assert server.metadata["content-encoding"] == "gzip"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_stopped_delivers_what_there_is(number):
    with receiver() as server, socket.create_server(("127.0.0.1", 0)) as model:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "orchestrator", "--quiet"),
                *("--project", "Build it", "--tracing"),
                *("--otlp-endpoint", f"http://{server.endpoint}"),
            ],
            env=ENVIRON
            | {
                "OPENAI_API_KEY": "sk-test",
                "OPENAI_BASE_URL": f"http://127.0.0.1:{model.getsockname()[1]}/v1",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        model.settimeout(60)
        with model.accept()[0]:  # it asks, and will never be answered
            process.send_signal(number)
            _, stderr = process.communicate(timeout=60)

    assert process.returncode == 130, stderr
    assert server.names == ["decompose", "llm_call:decompose", "policy_check", "run_project"]
    told = {
        span.name: {each.key: each.value.string_value for each in span.attributes}.get("error.type")
        for span in server.spans
    }
    assert told["run_project"] == told["llm_call:decompose"] == "cancelled"
    assert "lost" not in stderr


def test_warnings_of_other_exporters_are_not_swallowed(caplog):
    with refusing() as endpoint:
        cfg = TracingConfig(enabled=True, otlp_endpoint=f"http://{endpoint}")
        configure_tracing(cfg, tracer_provider=TracerProvider(shutdown_on_exit=False))
        with traced_run("p1"), traced_task("t1", "writing"):
            logging.getLogger("opentelemetry.exporter.otlp.proto.grpc.exporter").warning("theirs")
        assert not shutdown_tracing(0.2)

    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "theirs",
        "2 of 2 spans were lost",
    ]


class Moody(SpanExporter):
    """Takes a batch or raises, as scripted."""

    def __init__(self, *moods: Exception | None) -> None:
        self._moods = list(moods)

    def export(self, spans):
        if mood := self._moods.pop(0):
            raise mood
        return SpanExportResult.SUCCESS


def test_the_reason_of_a_loss_is_one_that_still_holds(caplog):
    exporter = Moody(RuntimeError("at first"), None, RuntimeError("in the end"))
    delivery = Delivery(exporter, to="http://h", environ={})
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(delivery)

    for _ in range(3):
        provider.get_tracer("host").start_span("work").end()
        provider.force_flush()
    assert delivery.close(60) == 2

    assert "(RuntimeError: in the end)." in caplog.text


class RecordsOnly(Sampler):
    """Has spans recorded for the host's own processors, and exported by nobody."""

    def should_sample(self, parent_context, trace_id, name, *args, **kwargs):
        return SamplingResult(Decision.RECORD_ONLY)

    def get_description(self):
        return "RecordsOnly"


def test_what_is_recorded_without_being_sampled_is_no_loss():
    with receiver() as server:
        cfg = TracingConfig(enabled=True, otlp_endpoint=f"http://{server.endpoint}")
        provider = TracerProvider(sampler=RecordsOnly(), shutdown_on_exit=False)
        configure_tracing(cfg, tracer_provider=provider)
        with traced_run("p1") as root, traced_task("t1", "writing"):
            assert root.is_recording()

        assert shutdown_tracing(60)
        assert server.spans == []


@pytest.mark.parametrize("kind", [receiver, http_receiver], ids=["grpc", "http"])
def test_what_a_receiver_refuses_of_a_batch_is_lost(kind):
    with kind() as server:
        server.rejects, server.because = 1, "over quota"
        path = "/v1/traces" if kind is http_receiver else ""
        done = fresh(f"""
            configure_tracing(TracingConfig(
                enabled=True, otlp_endpoint="http://{server.endpoint}{path}"
            ))
            with traced_run("p1"), traced_task("t1", "writing"):
                pass
            print(shutdown_tracing(60))
        """)

    assert done.stdout.strip() == "False"
    (warning,) = done.stderr.splitlines()
    assert warning.startswith("1 of 2 spans were lost")
    assert "1 of them it refused: over quota" in warning
