"""Delivery: spans arrive, or one warning says how many did not, and no run waits for them."""

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
from opentelemetry.sdk.trace import TracerProvider

from orchestrator.tracing import (
    TracingConfig,
    configure_tracing,
    shutdown_tracing,
    traced_run,
    traced_task,
)
from tests.processes import ENVIRON, command, fresh
from tests.receivers import http_receiver, receiver, refusing, silent

GRACE_S = 0.5
START_S = 5.0
"""What an interpreter with the SDK and gRPC may take to start on a busy machine."""


@pytest.fixture(autouse=True)
def off():
    """Every test begins and ends with tracing off."""
    configure_tracing(TracingConfig())
    yield
    configure_tracing(TracingConfig())


def test_a_reconfiguration_delivers_what_the_old_one_held():
    with receiver() as first, receiver() as second:
        done = fresh(f"""
            for number, endpoint in enumerate(["{first.endpoint}", "{second.endpoint}"]):
                configure_tracing(TracingConfig(enabled=True, otlp_endpoint="http://" + endpoint))
                with traced_run(f"p{{number}}"):
                    pass
        """)

        assert done.returncode == 0, done.stderr
        for number, server in enumerate([first, second]):
            (root,) = server.spans
            ids = [a.value.string_value for a in root.attributes if a.key == "project_id"]
            assert ids == [f"p{number}"]


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
            import atexit, time
            configure_tracing(TracingConfig(
                enabled=True, otlp_endpoint="http://{endpoint}{path}", flush_timeout_s=1.0
            ))
            with traced_run("p1"):
                for number in range(3000):
                    with traced_task(f"t{{number}}", "writing"):
                        pass
            started = time.monotonic()
            lost = not shutdown_tracing()
            print(lost, time.monotonic() - started)
            raise SystemExit(7)
        """)

    lost, took = done.stdout.split()
    assert lost == "True"
    assert float(took) < 1.0 + GRACE_S
    assert done.returncode == 7
    (warning,) = done.stderr.splitlines()
    assert warning.startswith("3001 of 3001 spans were lost")


def test_the_end_of_the_process_keeps_the_bound_by_itself():
    with refusing() as endpoint:
        started = time.monotonic()
        done = fresh(f"""
            configure_tracing(TracingConfig(
                enabled=True, otlp_endpoint="http://{endpoint}", flush_timeout_s=0.5
            ))
            with traced_run("p1"):
                pass
        """)
        took = time.monotonic() - started

    assert done.returncode == 0
    assert done.stderr.startswith("1 of 1 spans were lost")
    assert took < 0.5 + GRACE_S + START_S


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


def test_a_forked_child_does_not_send_its_parents_spans_again():
    with receiver() as server:
        done = fresh(f"""
            import os
            configure_tracing(TracingConfig(enabled=True, otlp_endpoint="http://{server.endpoint}"))
            with traced_run("parent"):
                pass
            child = os.fork()
            if not child:
                print(shutdown_tracing())
                raise SystemExit
            os.waitpid(child, 0)
        """)

        assert done.stdout.strip() == "True", done.stderr
        assert len(server.spans) == 1


def test_a_childs_spans_hang_under_the_span_that_it_was_forked_in():
    with receiver() as server:
        done = fresh(f"""
            import os
            configure_tracing(TracingConfig(enabled=True, otlp_endpoint="http://{server.endpoint}"))
            with traced_run("p1"):
                child = os.fork()
                if not child:
                    with traced_task("t1", "writing"), traced_llm_call("m", "generate"):
                        pass
                    os._exit(0 if shutdown_tracing() else 1)
                print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            print(shutdown_tracing())
        """)

        assert done.stdout.split() == ["0", "True"], done.stderr
        assert server.names == ["llm_call:generate", "run_project", "task:t1"]
        by_name = {span.name: span for span in server.spans}
        assert by_name["task:t1"].parent_span_id == by_name["run_project"].span_id
        assert by_name["llm_call:generate"].parent_span_id == by_name["task:t1"].span_id


def test_a_child_of_a_process_that_has_delivered_delivers_too():
    with receiver() as server:
        done = fresh(f"""
            import os
            from opentelemetry import trace
            configure_tracing(TracingConfig(enabled=True, otlp_endpoint="http://{server.endpoint}"))
            with traced_run("p1"):
                with traced_task("t1", "writing"):
                    pass
                trace.get_tracer_provider().force_flush()
                child = os.fork()
                with traced_task("t2" if child else "t3", "writing"):
                    pass
                if not child:
                    os._exit(0 if shutdown_tracing() else 1)
                print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            print(shutdown_tracing())
        """)

        assert done.stdout.split() == ["0", "True"], done.stderr
        assert server.names == ["run_project", "task:t1", "task:t2", "task:t3"]
        assert len({span.span_id for span in server.spans}) == 4


def test_a_thread_pool_keeps_the_tree_when_it_is_handed_the_context():
    with receiver() as server:
        done = fresh(f"""
            from concurrent.futures import ThreadPoolExecutor
            from contextvars import copy_context
            configure_tracing(TracingConfig(enabled=True, otlp_endpoint="http://{server.endpoint}"))

            def work(number):
                with traced_task(f"t{{number}}", "writing"), traced_llm_call("m", "generate"):
                    pass

            with ThreadPoolExecutor(4) as pool, traced_run("p1"):
                tasks = [pool.submit(copy_context().run, work, number) for number in range(100)]
                for task in tasks:
                    task.result()
        """)

        assert done.returncode == 0, done.stderr
        (root,) = [span for span in server.spans if span.name == "run_project"]
        tasks = {span.span_id: span for span in server.spans if span.name.startswith("task:")}
        calls = [span for span in server.spans if span.name.startswith("llm_call:")]
        assert {span.parent_span_id for span in tasks.values()} == {root.span_id}
        assert sorted(span.parent_span_id for span in calls) == sorted(tasks)
        assert len(tasks) == len(calls) == 100


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
    bound = 20 if returns else 1
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


def test_http_protobuf_delivers_with_headers_and_compression():
    with http_receiver() as server:
        done = fresh(
            """
            configure_tracing(TracingConfig(enabled=True))
            with traced_run("p1"), traced_task("t1", "writing"):
                pass
            print(shutdown_tracing())
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


@pytest.fixture
def private_ca(tmp_path: Path) -> tuple[Path, grpc.ServerCredentials]:
    """A certificate for 127.0.0.1 that no public authority has signed, and its server side."""
    openssl = shutil.which("openssl")
    if openssl is None:
        missing = "openssl, which makes the certificate, is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    pair = (key.read_bytes(), certificate.read_bytes())
    return certificate, grpc.ssl_server_credentials([pair])


RUN_OVER_TLS = """
    configure_tracing(TracingConfig(
        enabled=True, otlp_endpoint="https://{endpoint}", flush_timeout_s={bound}
    ))
    with traced_run("p1"):
        pass
    print(shutdown_tracing())
"""


def test_a_private_certificate_authority_is_trusted_where_the_environment_names_it(private_ca):
    certificate, credentials = private_ca
    with receiver(tls=credentials) as server:
        done = fresh(
            RUN_OVER_TLS.format(endpoint=server.endpoint, bound=10),
            OTEL_EXPORTER_OTLP_CERTIFICATE=str(certificate),
        )

        assert (done.stdout.strip(), done.stderr) == ("True", "")
        assert server.names == ["run_project"]


def test_a_private_certificate_authority_that_nobody_named_is_not_trusted(private_ca):
    _, credentials = private_ca
    with receiver(tls=credentials) as server:
        done = fresh(RUN_OVER_TLS.format(endpoint=server.endpoint, bound=1))

        assert done.stdout.strip() == "False"
        assert server.spans == []
        (warning,) = done.stderr.splitlines()
        assert warning.startswith("1 of 1 spans were lost")


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
            _, stderr = process.communicate(timeout=30)

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
