"""Configuration: what the user and the environment say about tracing never harms a run."""

import json
import logging

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from orchestrator.errors import InputError
from orchestrator.tracing import (
    TracingConfig,
    configure_tracing,
    get_tracer,
    shutdown_tracing,
    traced_run,
)
from orchestrator.tracing.endpoint import endpoint_of
from tests.processes import fresh
from tests.receivers import receiver

pytestmark = pytest.mark.usefixtures("tracing_off")


@pytest.fixture
def memory():
    """A provider of the host, and what it received."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider, exporter


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"sample_rate": 1.5}, "sample rate 1.5"),
        ({"sample_rate": -0.1}, "sample rate -0.1"),
        ({"sample_rate": float("nan")}, "sample rate nan"),
        ({"flush_timeout_s": -1.0}, "flush timeout -1.0"),
        ({"flush_timeout_s": float("inf")}, "flush timeout inf"),
        ({"service_name": " "}, "service name ' '"),
        ({"otlp_endpoint": ""}, "endpoint ''"),
        ({"otlp_endpoint": "ftp://host"}, "endpoint 'ftp://host'"),
        ({"otlp_endpoint": "http://"}, "endpoint 'http://'"),
        ({"otlp_endpoint": "host:port"}, "endpoint 'host:port'"),
        ({"otlp_endpoint": "host:0"}, "endpoint 'host:0'"),
        ({"otlp_endpoint": "http://a host"}, "endpoint 'http://a host'"),
        ({"trace_format": "xml"}, "trace format 'xml'"),
        ({"capture_content": "ALL"}, "content capture 'ALL'"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_with_its_value(settings, says):
    with pytest.raises(InputError, match=says):
        TracingConfig(**settings)


@pytest.mark.parametrize(
    ("configured", "environ", "url", "protocol"),
    [
        ("http://h:4317", {}, "http://h:4317", "grpc"),
        ("localhost:4317", {}, "http://localhost:4317", "grpc"),
        ("10.1.2.3:4317", {}, "http://10.1.2.3:4317", "grpc"),
        ("[::1]:4317", {}, "http://[::1]:4317", "grpc"),
        ("localhost", {}, "http://localhost:4317", "grpc"),
        ("http://[::1]", {}, "http://[::1]:4317", "grpc"),
        ("https://api.example.com", {}, "https://api.example.com", "grpc"),
        ("otel-collector:4317", {}, "http://otel-collector:4317", "grpc"),
        ("api.example.com:443", {}, "https://api.example.com:443", "grpc"),
        (
            "api.example.com:443",
            {"OTEL_EXPORTER_OTLP_INSECURE": "true"},
            "http://api.example.com:443",
            "grpc",
        ),
        (
            "localhost:4317",
            {"OTEL_EXPORTER_OTLP_INSECURE": "no"},
            "https://localhost:4317",
            "grpc",
        ),
        ("http://h:4318", {}, "http://h:4318/v1/traces", "http/protobuf"),
        ("https://h/v1/traces", {}, "https://h/v1/traces", "http/protobuf"),
        (
            "http://h:4318",
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "http://h:4318",
            "grpc",
        ),
        (
            "https://h/api/otel",
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
            "https://h/api/otel/v1/traces",
            "http/protobuf",
        ),
        (None, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://e:4317"}, "http://e:4317", "grpc"),
        (
            None,
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://e:4317",
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t:4318/exactly",
            },
            "http://t:4318/exactly",
            "http/protobuf",
        ),
    ],
)
def test_an_endpoint_is_read_as_it_was_meant(configured, environ, url, protocol):
    endpoint = endpoint_of(configured, environ)

    assert endpoint is not None
    assert (endpoint.url, endpoint.protocol) == (url, protocol)


def test_without_an_endpoint_there_is_none():
    assert endpoint_of(None, {}) is None


@pytest.mark.parametrize(
    ("configured", "environ", "remark"),
    [
        (
            "h:4317",
            {},
            "The OTLP endpoint 'h:4317' names no scheme; spans go to http://h:4317 (plaintext).",
        ),
        (
            "http://h",
            {},
            "The OTLP endpoint 'http://h' names no port; spans go to http://h:4317 (plaintext).",
        ),
        (
            "h",
            {},
            "The OTLP endpoint 'h' names no scheme and no port; spans go to http://h:4317 (plain…",
        ),
        (
            "http://h:4317",
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
            "The OTLP protocol 'http/json' is neither grpc nor http/protobuf; spans go over http/…",
        ),
    ],
)
def test_what_was_not_written_or_not_understood_is_said(configured, environ, remark):
    endpoint = endpoint_of(configured, environ)

    assert endpoint is not None
    (said,) = endpoint.remarks
    assert said.startswith(remark.removesuffix("…"))


@pytest.mark.parametrize(
    "environ", [{}, {"OTEL_EXPORTER_OTLP_PROTOCOL": "GRPC"}], ids=["unset", "in capitals"]
)
def test_there_is_nothing_to_remark_on_an_endpoint_that_says_it_all(environ):
    endpoint = endpoint_of("http://h:4317", environ)

    assert endpoint is not None
    assert endpoint.remarks == ()


def test_credentials_that_grpc_would_not_send_are_refused_without_quoting_them():
    with pytest.raises(InputError, match=r"'http://\[redacted\]@h:4317' holds a user name"):
        endpoint_of("http://me:hunter2@h:4317", {})


def test_configuring_twice_changes_nothing(memory):
    provider, exporter = memory
    configure_tracing(TracingConfig(enabled=True), tracer_provider=provider)
    tracer = get_tracer()

    configure_tracing(TracingConfig(enabled=True), tracer_provider=provider)
    with traced_run("p1"):
        pass

    assert get_tracer() is tracer
    assert len(exporter.get_finished_spans()) == 1


def test_another_configuration_takes_the_place_of_our_own_provider():
    done = fresh("""
        for name in ("one", "two"):
            cfg = TracingConfig(enabled=True, service_name=name, trace_format="json")
            configure_tracing(cfg)
            with traced_run(name):
                pass
    """)

    services = [
        json.loads(line)["resource"]["attributes"]["service.name"]
        for line in done.stderr.splitlines()
    ]
    assert services == ["one", "two"]


def test_disabling_after_enabling_ends_the_spans_and_leaves_the_host_alone(memory):
    provider, exporter = memory
    configure_tracing(TracingConfig(enabled=True), tracer_provider=provider)
    configure_tracing(TracingConfig(enabled=False))

    with traced_run("p1"), provider.get_tracer("host").start_as_current_span("host"):
        pass

    assert [span.name for span in exporter.get_finished_spans()] == ["host"]


def test_the_process_wide_provider_of_a_host_is_used(spans):
    configure_tracing(TracingConfig(enabled=True))

    with traced_run("p1"):
        pass

    assert shutdown_tracing()
    with trace.get_tracer("host").start_as_current_span("host"):
        pass
    assert [root.name for root in spans.roots] == ["run_project", "host"]


def test_a_hosts_spans_go_to_an_endpoint_that_is_named_until_it_is_not(memory, caplog):
    provider, exporter = memory
    caplog.set_level(logging.INFO, "opentelemetry")
    with receiver() as server:
        cfg = TracingConfig(enabled=True, otlp_endpoint=f"http://{server.endpoint}")
        configure_tracing(cfg, tracer_provider=provider)
        with traced_run("p1"):
            pass
        assert shutdown_tracing(60)
        with provider.get_tracer("host").start_as_current_span("later"):
            pass

        assert [span.name for span in server.spans] == ["run_project"]
    assert [span.name for span in exporter.get_finished_spans()] == ["run_project", "later"]
    assert caplog.records == []


def test_a_receiver_gets_every_span_with_headers_and_service_name():
    with receiver() as server:
        done = fresh(
            f"""
            configure_tracing(TracingConfig(enabled=True, otlp_endpoint="{server.endpoint}"))
            with traced_run("p1"), traced_task("t1", "writing"), traced_llm_call("m", "generate"):
                pass
            """,
            OTEL_EXPORTER_OTLP_HEADERS="Authorization=Basic%20abc",
        )

        assert done.returncode == 0, done.stderr
        assert sorted(span.name for span in server.spans) == [
            "llm_call:generate",
            "run_project",
            "task:t1",
        ]
        assert server.metadata["authorization"] == "Basic abc"
        assert server.service_names == {"multi-llm-orchestrator"}
        assert "names no scheme" in done.stderr


@pytest.mark.parametrize(
    ("cfg", "environ", "name"),
    [
        ("", {"OTEL_SERVICE_NAME": "env"}, "env"),
        ("", {"OTEL_RESOURCE_ATTRIBUTES": "service.name=attr"}, "attr"),
        (", service_name='mine'", {"OTEL_SERVICE_NAME": "env"}, "mine"),
    ],
)
def test_the_service_name_is_the_users_then_the_environments(cfg, environ, name):
    done = fresh(
        f"""
        configure_tracing(TracingConfig(enabled=True{cfg}))
        from opentelemetry import trace
        print(trace.get_tracer_provider().resource.attributes["service.name"])
        """,
        **environ,
    )

    assert done.stdout.strip() == name, done.stderr


def test_the_environment_names_the_endpoint_when_nobody_else_does():
    with receiver() as server:
        done = fresh(
            """
            configure_tracing(TracingConfig(enabled=True))
            with traced_run("p1"):
                pass
            """,
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{server.endpoint}",
        )

        assert [span.name for span in server.spans] == ["run_project"], done.stderr


@pytest.mark.parametrize(("rate", "spans"), [("0.0", 0), ("1.0", 3)])
def test_a_run_is_sampled_whole_or_not_at_all(rate, spans):
    done = fresh(f"""
        configure_tracing(TracingConfig(enabled=True, sample_rate={rate}, trace_format="json"))
        with traced_run("p1"), traced_task("t1", "writing"), traced_llm_call("m", "generate"):
            pass
    """)

    assert len(done.stderr.splitlines()) == spans, done.stderr


def test_the_environments_sampler_counts_at_rate_one():
    done = fresh(
        """
        configure_tracing(TracingConfig(enabled=True))
        with traced_run("p1") as span:
            print(span.is_recording())
        """,
        OTEL_TRACES_SAMPLER="always_off",
    )

    assert done.stdout.strip() == "False", done.stderr


@pytest.mark.parametrize(
    "environ",
    [
        {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "many"},
        {"OTEL_TRACES_SAMPLER": "sometimes"},
        {"OTEL_BSP_MAX_QUEUE_SIZE": "-5", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"},
        {"OTEL_EXPORTER_OTLP_COMPRESSION": "x", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://h:4317"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "not an address"},
        {"OTEL_EXPORTER_OTLP_TIMEOUT": "soon", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://h:4317"},
    ],
    ids="-".join,
)
def test_a_setting_of_the_environment_that_cannot_be_used_does_not_harm_the_run(environ):
    done = fresh(
        """
        configure_tracing(TracingConfig(enabled=True, flush_timeout_s=0.2))
        with traced_run("p1"):
            print("ran")
        """,
        **environ,
    )

    assert (done.returncode, done.stdout) == (0, "ran\n"), done.stderr
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_an_http_endpoint_without_its_exporter_is_refused_with_a_sentence():
    done = fresh("""
        import sys
        sys.modules["opentelemetry.exporter.otlp.proto.http.trace_exporter"] = None
        from orchestrator.errors import InputError
        try:
            configure_tracing(TracingConfig(enabled=True, otlp_endpoint="http://h:4318"))
        except InputError as error:
            print(error)
    """)

    assert "pip install opentelemetry-exporter-otlp-proto-http" in done.stdout, done.stderr
