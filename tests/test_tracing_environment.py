"""The environment's own words: OTEL_* and TRACEPARENT, each with what it changes."""

import json
from typing import Any

import pytest

from tests.processes import fresh
from tests.receivers import http_receiver, receiver

RUN = """
configure_tracing(TracingConfig(enabled=True, trace_format="json"{settings}))
with traced_run("p1") as run:
    for number in range(3):
        with traced_task(f"t{{number}}", "writing", (), (run.get_span_context(),) * 3) as task:
            task.add_event("one", {{"a": "long", "b": "long"}})
            task.add_event("two")
"""


def told(settings: str = "", **environ: str) -> list[dict[str, Any]]:
    """The spans of a run in this environment, as the console's JSON tells them."""
    done = fresh(RUN.format(settings=settings), **environ)
    assert done.returncode == 0, done.stderr
    # The SDK says of each attribute that it cuts or drops; that stands between the spans.
    return [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]


@pytest.mark.parametrize("name", ["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"])
def test_a_limit_on_attributes_takes_the_founding_ones_last(name):
    *tasks, run = told(**{name: "3"})

    assert set(run["attributes"]) == {"project_id", "status", "total_cost_usd"}
    assert [len(task["attributes"]) for task in tasks] == [3, 3, 3]
    assert {"task_type", "iteration"} <= set(tasks[0]["attributes"])


@pytest.mark.parametrize(
    "name", ["OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"]
)
def test_a_limit_on_values_cuts_them(name):
    task, *_ = told(**{name: "2"})

    assert task["attributes"]["task_type"] == "wr"


@pytest.mark.parametrize(
    ("name", "where", "left"),
    [
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "events", 1),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "links", 1),
    ],
)
def test_a_limit_on_events_and_links_keeps_the_last(name, where, left):
    task, *_ = told(**{name: "1"})

    assert len(task[where]) == left


def test_a_limit_on_the_attributes_of_events_is_kept():
    task, *_ = told(OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT="1")

    assert task["events"][0]["attributes"] == {"b": "long"}


def test_attributes_of_the_resource_are_the_environments():
    task, *_ = told(OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test")

    assert task["resource"]["attributes"]["deployment.environment.name"] == "test"
    assert task["resource"]["attributes"]["service.name"] == "multi-llm-orchestrator"


@pytest.mark.parametrize(
    ("settings", "environ", "spans"),
    [
        ("", {"OTEL_TRACES_SAMPLER": "always_off"}, 0),
        ("", {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}, 0),
        (
            "",
            {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1"},
            4,
        ),
        (", sample_rate=0.0", {"OTEL_TRACES_SAMPLER": "always_on"}, 0),
    ],
)
def test_the_environments_sampler_counts_unless_a_rate_is_given(settings, environ, spans):
    assert len(told(settings, **environ)) == spans


PARENT = f"00-{'ab' * 16}-{'cd' * 8}"


@pytest.mark.parametrize(
    ("flags", "rate", "spans"),
    [("01", "0.0", 4), ("01", "1.0", 4), ("00", "1.0", 0), ("00", "0.5", 0)],
)
def test_whether_a_run_is_sampled_is_its_callers_to_say(flags, rate, spans):
    assert len(told(f", sample_rate={rate}", TRACEPARENT=f"{PARENT}-{flags}")) == spans


def test_a_run_is_part_of_its_callers_trace():
    *tasks, run = told(TRACEPARENT=f"{PARENT}-01", TRACESTATE="vendor=x")

    assert (run["context"]["trace_id"], run["parent_id"]) == (f"0x{'ab' * 16}", f"0x{'cd' * 8}")
    assert {task["context"]["trace_id"] for task in tasks} == {f"0x{'ab' * 16}"}
    assert "vendor" in tasks[0]["context"]["trace_state"]


@pytest.mark.parametrize(("flags", "said"), [("00", 1), ("01", 0)])
def test_a_caller_whose_trace_is_not_sampled_is_named_as_the_cause(flags, said):
    done = fresh(RUN.format(settings=""), TRACEPARENT=f"{PARENT}-{flags}")

    assert done.stderr.count("The caller's TRACEPARENT is not sampled") == said


@pytest.mark.parametrize("parent", ["nonsense", "00-0-0-01", f"00-{'0' * 32}-{'0' * 16}-01"])
def test_a_caller_that_says_nonsense_is_no_parent(parent):
    warning, *spans = fresh(RUN.format(settings=""), TRACEPARENT=parent).stderr.splitlines()

    assert warning == "TRACEPARENT names no span, so this run is a trace of its own."
    assert json.loads(spans[-1])["parent_id"] is None


def test_about_half_of_the_runs_are_sampled_at_a_half():
    done = fresh("""
        configure_tracing(TracingConfig(enabled=True, sample_rate=0.5, trace_format="json"))
        for number in range(400):
            with traced_run("p1"), traced_task("t1", "writing"):
                pass
    """)

    runs = [json.loads(line)["name"] for line in done.stderr.splitlines()]
    assert runs.count("task:t1") == runs.count("run_project")
    assert 100 < runs.count("run_project") < 300  # ten standard deviations


SENT = """
configure_tracing(TracingConfig(enabled=True))
with traced_run("p1"):
    pass
print(shutdown_tracing(60))
"""


@pytest.mark.parametrize("signal", ["", "TRACES_"])
def test_what_the_environment_says_of_grpc_is_done(signal):
    prefix = f"OTEL_EXPORTER_OTLP_{signal}"
    with receiver() as server:
        done = fresh(
            SENT,
            **{
                f"{prefix}ENDPOINT": server.endpoint,
                f"{prefix}INSECURE": "true",
                f"{prefix}PROTOCOL": "grpc",
                f"{prefix}HEADERS": "X-Api-Key=abc,broken,x-tenant=t%201",
                f"{prefix}COMPRESSION": "gzip",
                f"{prefix}TIMEOUT": "5",
            },
        )

        assert done.stdout.strip() == "True", done.stderr
        assert server.names == ["run_project"]
        assert server.metadata["x-api-key"] == "abc"
        assert server.metadata["x-tenant"] == "t 1"


def test_what_the_environment_says_of_http_is_done_to_the_letter():
    with http_receiver() as server:
        done = fresh(
            SENT,
            OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"http://{server.endpoint}/exactly/here",
            OTEL_EXPORTER_OTLP_TRACES_PROTOCOL="http/protobuf",
            OTEL_EXPORTER_OTLP_TRACES_HEADERS="x-tenant=t",
        )

        assert done.stdout.strip() == "True", done.stderr
        assert server.metadata["path"] == "/exactly/here"
        assert server.metadata["x-tenant"] == "t"


def test_the_queue_is_as_long_as_the_environment_says():
    with receiver(hangs=True) as server:
        done = fresh(
            """
            configure_tracing(TracingConfig(enabled=True, flush_timeout_s=0.2))
            for number in range(50):
                with traced_run("p1"):
                    pass
            """,
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{server.endpoint}",
            OTEL_BSP_MAX_QUEUE_SIZE="20",
            OTEL_BSP_MAX_EXPORT_BATCH_SIZE="10",
        )

    (warning,) = done.stderr.splitlines()
    assert warning.startswith("50 of 50 spans were lost")


@pytest.mark.parametrize("named", ["otlp_endpoint", "environment"])
def test_whoever_names_an_endpoint_gets_no_drawing_when_it_cannot_be_used(named):
    endpoint = "http://127.0.0.1:4317"
    given = f', otlp_endpoint="{endpoint}"' if named == "otlp_endpoint" else ""
    done = fresh(
        f"""
        configure_tracing(TracingConfig(enabled=True{given}))
        with traced_run("p1"):
            pass
        print(shutdown_tracing())
        """,
        OTEL_EXPORTER_OTLP_COMPRESSION="zstd",
        **({} if given else {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}),
    )

    assert (done.returncode, done.stdout.strip()) == (0, "True")
    (warning,) = done.stderr.splitlines()
    assert warning.startswith("No span is exported: OpenTelemetry's exporter refuses a setting")
    assert "zstd" in warning


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"OTEL_TRACES_SAMPLER": "sometimes"}, "OpenTelemetry: Couldn't recognize sampler"),
        ({"OTEL_BSP_SCHEDULE_DELAY": "soon"}, "OpenTelemetry: Unable to parse value for OTEL_BSP"),
        ({"OTEL_SDK_DISABLED": "true"}, "Tracing stays off, for OTEL_SDK_DISABLED is true."),
    ],
)
def test_what_opentelemetry_says_of_a_setting_is_one_sentence_of_ours(environ, said):
    done = fresh(
        """
        import logging
        logging.basicConfig(format="%(name)s|%(message)s", force=True)
        configure_tracing(TracingConfig(enabled=True, flush_timeout_s=0.1))
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        **environ,
    )

    (line,) = done.stderr.splitlines()
    assert line.startswith(f"orchestrator.tracing|{said}")
