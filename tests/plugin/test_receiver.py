"""Spans from other processes: what arrives, how it is read, and what a test can ask of it."""

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.trace.v1.trace_pb2 import (
    ResourceSpans,
    ScopeSpans,
    Span,
    SpanFlags,
    Status,
)
from opentelemetry.sdk.trace import TracerProvider

from pytest_otel_spans import SpanCapture, SpanTreeMismatch, assert_span_tree, span
from pytest_otel_spans.receiving.otlp import OtlpCapture, receive_spans
from tests.plugin.otlp_programs import channel, request, run_program, send, wire_span

Run = Callable[..., pytest.RunResult]

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
REMOTE = (
    SpanFlags.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK | SpanFlags.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK
)


def attribute(key: str, **value: Any) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(**value))


def names(capture: OtlpCapture) -> list[str]:
    return [node.name for node in capture.forest.nodes]


def in_background(act: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=act)
    thread.start()
    return thread


# Another process


def test_a_process_sends_its_spans_in_batches(otlp_spans: OtlpCapture) -> None:
    body = """
    with tracer.start_as_current_span("run", attributes={"tasks": 2}):
        for task in ("t1", "t2"):
            with tracer.start_as_current_span(f"task:{task}"):
                tracer.start_span("call", attributes={"cost": 0.1}).end()
    """

    run_program(body, {**otlp_spans.env(), "OTEL_SERVICE_NAME": "worker"})

    assert_span_tree(
        otlp_spans,
        span("run", {"tasks": 2}, span("task:t1", span("call")), span("task:t2", span("call"))),
    )
    assert otlp_spans.all("run // call").sum("cost") == 0.2
    assert otlp_spans.one("run").resource["service.name"] == "worker"
    assert otlp_spans.one("run").scope == ("app", "1.2")


def test_suggest_names_the_fixture(otlp_spans: OtlpCapture) -> None:
    nothing = otlp_spans.suggest()
    send(otlp_spans.endpoint, wire_span("a", 1))

    assert nothing == "otlp_spans.assert_empty()"
    assert "\n\nassert_span_tree(otlp_spans, span(" in otlp_spans.suggest()


def test_services_that_hand_on_their_context_are_one_tree(
    otlp_spans: OtlpCapture, spans: SpanCapture
) -> None:
    body = """
    name = sys.argv[1]
    with tracer.start_as_current_span(f"{name} works", context=above):
        if name == "api":
            handed_on = {}
            w3c.inject(handed_on)
            environ = {name.upper(): value for name, value in handed_on.items()}
            environ = {**os.environ, **environ, "OTEL_SERVICE_NAME": "worker"}
            command = [*sys.orig_argv[:-1], "worker"]
            subprocess.run(command, env=environ, check=True)
    """

    with trace.get_tracer("test").start_as_current_span("the test calls"):
        run_program(body, {**otlp_spans.env(), "OTEL_SERVICE_NAME": "api"}, "api")

    calls = span("the test calls", span("api works", span("worker works")))
    assert_span_tree(otlp_spans, calls)
    assert_span_tree(spans, span("the test calls"))
    assert otlp_spans.services == ("worker", "api")
    assert otlp_spans.one("worker works").resource["service.name"] == "worker"
    assert_span_tree(otlp_spans.service("worker"), span("worker works"))


def test_no_setting_of_a_developers_shell_keeps_the_spans_away(
    otlp_spans: OtlpCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "OTEL_SDK_DISABLED": "true",
        "OTEL_CONFIG_FILE": "nowhere.yaml",
        "OTEL_TRACES_SAMPLER": "always_off",
        "OTEL_TRACES_EXPORTER": "console",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_EXPORTER_OTLP_INSECURE": "false",
        "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "nonsense",
        "TRACEPARENT": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
        "http_proxy": "http://127.0.0.1:9",
        "grpc_proxy": "http://127.0.0.1:9",
        "no_proxy": "example.org",
    }.items():
        monkeypatch.setenv(name, value)

    env = otlp_spans.env()
    run_program("    tracer.start_span('work', context=above).end()", env)

    assert_span_tree(otlp_spans, span("work"))
    assert "OTEL_CONFIG_FILE" not in env  # which not every SDK reads yet


def test_a_burst_arrives_whole(otlp_spans: OtlpCapture) -> None:
    body = """
    with tracer.start_as_current_span("burst"):
        for number in range(19_999):
            tracer.start_span("drop", attributes={"number": number}).end()
    """

    run_program(body, otlp_spans.env())

    assert len(otlp_spans) == 20_000
    assert otlp_spans.all("burst / drop").values("number") == list(range(19_999))


# The environment of another process


def test_the_environment_names_the_receiver(otlp_spans: OtlpCapture) -> None:
    env = otlp_spans.env()

    assert env["OTEL_EXPORTER_OTLP_ENDPOINT"] == otlp_spans.endpoint
    assert env["OTEL_EXPORTER_OTLP_PROTOCOL"] == "grpc"
    assert env["OTEL_TRACES_EXPORTER"] == "otlp"


def test_the_environment_is_a_copy_of_this_one(
    otlp_spans: OtlpCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_SETTING", "kept")

    otlp_spans.env()["SOME_SETTING"] = "changed"

    assert otlp_spans.env()["SOME_SETTING"] == "kept"


def test_the_environment_hands_on_the_current_span(
    otlp_spans: OtlpCapture, spans: SpanCapture
) -> None:
    with trace.get_tracer("test").start_as_current_span("call") as current:
        env = otlp_spans.env()

    context = current.get_span_context()
    ids = f"{context.trace_id:032x}-{context.span_id:016x}"
    assert env["TRACEPARENT"] == f"00-{ids}-{context.trace_flags:02x}"


def test_without_a_current_span_the_environment_has_no_parent(
    otlp_spans: OtlpCapture, spans: SpanCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    monkeypatch.setenv("TRACESTATE", "a=b")

    assert not {"TRACEPARENT", "TRACESTATE"} & otlp_spans.env().keys()


# What is read off the wire


def test_values_have_the_types_of_the_wire(otlp_spans: OtlpCapture) -> None:
    mixed = ArrayValue(values=[AnyValue(string_value="a"), AnyValue(int_value=1), AnyValue()])
    inner = KeyValueList(values=[attribute("b", bool_value=False)])
    given = [
        attribute("int", int_value=-(2**63)),
        attribute("double", double_value=2.0),
        attribute("bool", bool_value=True),
        attribute("string", string_value=""),
        attribute("bytes", bytes_value=b"\x00\xff"),
        attribute("array", array_value=mixed),
        attribute("kvlist", kvlist_value=inner),
        KeyValue(key="nothing"),
    ]

    send(otlp_spans.endpoint, wire_span("a", 1, attributes=given))

    read = {
        "int": -(2**63),
        "double": 2.0,
        "bool": True,
        "string": "",
        "bytes": b"\x00\xff",
        "array": ("a", 1, None),
        "kvlist": {"b": False},
        "nothing": None,
    }
    found = otlp_spans.one("a").attributes
    assert found == read
    assert {key: type(value) for key, value in found.items()} == {
        key: type(value) for key, value in read.items()
    }
    assert_span_tree(otlp_spans, span("a", read, only=True))


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (Span.SPAN_KIND_UNSPECIFIED, "internal"),
        (Span.SPAN_KIND_INTERNAL, "internal"),
        (Span.SPAN_KIND_SERVER, "server"),
        (Span.SPAN_KIND_CLIENT, "client"),
        (Span.SPAN_KIND_PRODUCER, "producer"),
        (Span.SPAN_KIND_CONSUMER, "consumer"),
    ],
)
def test_the_kind_is_read(otlp_spans: OtlpCapture, number: Span.SpanKind, kind: str) -> None:
    send(otlp_spans.endpoint, wire_span("a", 1, kind=number))

    assert otlp_spans.one("a").kind == kind


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (Status(), ("unset", None)),
        (Status(code=Status.STATUS_CODE_OK), ("ok", None)),
        (Status(code=Status.STATUS_CODE_ERROR, message="boom"), ("error", "boom")),
        (Status(code=Status.STATUS_CODE_ERROR), ("error", None)),
    ],
)
def test_the_status_is_read(
    otlp_spans: OtlpCapture, sent: Status, read: tuple[str, str | None]
) -> None:
    send(otlp_spans.endpoint, wire_span("a", 1, status=sent))

    assert otlp_spans.one("a").status == read


def test_events_are_read(otlp_spans: OtlpCapture) -> None:
    event = Span.Event(
        name="retry", attributes=[attribute("attempt", int_value=2)], time_unix_nano=7
    )

    send(otlp_spans.endpoint, wire_span("a", 1, events=[event]))

    assert_span_tree(otlp_spans, span("a").event("retry", {"attempt": 2}))
    assert otlp_spans.one("a").span.events[0].timestamp == 7


def test_links_are_read_and_find_their_target(otlp_spans: OtlpCapture) -> None:
    a = wire_span("a", 1)
    link = Span.Link(
        trace_id=a.trace_id, span_id=a.span_id, attributes=[attribute("why", string_value="x")]
    )

    send(otlp_spans.endpoint, a, wire_span("b", 2, links=[link]))

    assert_span_tree(otlp_spans, span("a"), span("b").link_to("a"))
    assert otlp_spans.one("b").links[0].attributes == {"why": "x"}


def test_scope_resource_and_trace_state_are_read(otlp_spans: OtlpCapture) -> None:
    scoped = ScopeSpans(
        scope=InstrumentationScope(name="lib", version="3"),
        spans=[wire_span("a", 1, trace_state="vendor=x", flags=1)],
    )
    whole = request([])
    whole.resource_spans[0].scope_spans.append(scoped)

    with channel(otlp_spans.endpoint) as opened:
        opened.unary_unary(TRACES, None, None)(whole.SerializeToString())

    node = otlp_spans.one("a")
    assert node.scope == ("lib", "3")
    assert node.resource == {"service.name": "app"}
    context = node.span.context
    assert context is not None
    assert dict(context.trace_state) == {"vendor": "x"}
    assert context.trace_flags.sampled


def test_a_span_without_scope_resource_and_end_is_read(otlp_spans: OtlpCapture) -> None:
    bare = wire_span("a", 1)
    bare.ClearField("end_time_unix_nano")
    bare_request = ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=[bare])])]
    )

    with channel(otlp_spans.endpoint) as opened:
        opened.unary_unary(TRACES, None, None)(bare_request.SerializeToString())

    assert_span_tree(otlp_spans, span("a").unfinished())
    assert otlp_spans.one("a").scope is None
    assert otlp_spans.one("a").resource == {}


def test_a_parent_of_zeros_is_none(otlp_spans: OtlpCapture) -> None:
    root = wire_span("a", 1)
    root.parent_span_id = bytes(8)

    send(otlp_spans.endpoint, root)

    assert_span_tree(otlp_spans, span("a"))
    assert otlp_spans.one("/ a").span.parent is None


# One tree, however it arrives


def test_pieces_that_arrive_in_the_wrong_order_are_one_tree(otlp_spans: OtlpCapture) -> None:
    for piece in (wire_span("c", 3, parent=2), wire_span("b", 2, parent=1), wire_span("a", 1)):
        send(otlp_spans.endpoint, piece)

    assert_span_tree(otlp_spans, span("a", span("b", span("c"))))


def test_siblings_stand_in_the_order_in_which_they_started(otlp_spans: OtlpCapture) -> None:
    late, early = wire_span("late", 2, parent=1, start=9), wire_span("early", 3, parent=1, start=5)

    send(otlp_spans.endpoint, late, early, wire_span("a", 1))

    assert_span_tree(otlp_spans, span("a", span("early"), span("late")))


def test_a_tie_goes_by_parents_then_by_arrival_and_is_told(otlp_spans: OtlpCapture) -> None:
    family = [wire_span(name, number, 9, start=5) for name, number in (("y", 1), ("x", 2))]

    send(otlp_spans.endpoint, *family, wire_span("parent", 9, start=5))

    assert names(otlp_spans) == ["parent", "y", "x"]
    with pytest.raises(SpanTreeMismatch, match="started at the same time"):
        assert_span_tree(otlp_spans, span("parent", span("x"), span("y")))


def test_a_span_that_is_sent_again_counts_once(otlp_spans: OtlpCapture) -> None:
    for _ in range(2):
        send(otlp_spans.endpoint, wire_span("a", 1), wire_span("b", 2))

    assert names(otlp_spans) == ["a", "b"]
    assert "2 spans came again, and counted once" in otlp_spans.notes


@pytest.mark.parametrize(
    ("flags", "remote"),
    [
        (REMOTE, True),
        (SpanFlags.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK, False),
        (SpanFlags.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK, False),
        (0, False),
    ],
)
def test_a_span_without_its_parent_is_an_orphan_unless_the_parent_is_remote(
    otlp_spans: OtlpCapture, flags: int, *, remote: bool
) -> None:
    send(otlp_spans.endpoint, wire_span("a", 2, parent=1, flags=flags))

    root = otlp_spans.one("/ a")
    assert root.remote_parent is remote
    assert otlp_spans.orphans == (() if remote else (root,))


# Beside the spans of this process


def under(current: trace.Span, name: str) -> Span:
    context = current.get_span_context()
    parent = context.span_id.to_bytes(8)
    sent = wire_span(name, 1, start=2**62, flags=REMOTE)
    sent.trace_id, sent.parent_span_id = context.trace_id.to_bytes(16), parent
    return sent


def test_local_spans_of_a_trace_that_arrived_stand_in_its_tree(
    otlp_spans: OtlpCapture, spans: SpanCapture
) -> None:
    tracer = trace.get_tracer("test")
    tracer.start_span("of another trace").end()
    with tracer.start_as_current_span("call") as current:
        send(otlp_spans.endpoint, under(current, "answer"))

    assert_span_tree(otlp_spans, span("call", span("answer")))
    assert_span_tree(spans, span("of another trace"), span("call"))


def test_without_spans_a_local_parent_is_a_remote_one(otlp_spans: OtlpCapture) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    with provider.get_tracer("test").start_as_current_span("call") as current:
        send(otlp_spans.endpoint, under(current, "answer"))

    assert_span_tree(otlp_spans, span("answer"))
    assert otlp_spans.one("answer").remote_parent


def test_waiting_ends_when_the_local_part_of_a_tree_ends(
    otlp_spans: OtlpCapture, spans: SpanCapture
) -> None:
    asked = threading.Event()
    call = trace.get_tracer("test").start_span("call")
    send(otlp_spans.endpoint, under(call, "answer"))

    def end_it() -> None:
        asked.wait(60)
        call.end()

    def has_ended() -> bool:
        asked.set()
        return not otlp_spans.unfinished

    ending = in_background(end_it)
    assert otlp_spans.wait_until(has_ended, 60)
    ending.join()


# Services


def test_a_service_answers_for_its_own_spans_alone(otlp_spans: OtlpCapture) -> None:
    send(otlp_spans.endpoint, wire_span("handle", 1), service="api")
    send(otlp_spans.endpoint, wire_span("work", 2, parent=1, flags=REMOTE), service="worker")

    api, worker = otlp_spans.service("api"), otlp_spans.service("worker")

    assert_span_tree(otlp_spans, span("handle", span("work")))
    assert_span_tree(api, span("handle"))
    assert_span_tree(worker, span("work"))
    assert worker.none("handle")
    assert worker.one("work").remote_parent
    assert len(api) == len(worker) == 1


def test_a_service_is_asked_before_its_spans_arrive(otlp_spans: OtlpCapture) -> None:
    worker = otlp_spans.service("worker")

    send(otlp_spans.endpoint, wire_span("work", 1), service="worker")

    assert_span_tree(worker, span("work"))


def test_a_service_that_sent_nothing_is_told_from_those_that_did(otlp_spans: OtlpCapture) -> None:
    send(otlp_spans.endpoint, wire_span("handle", 1), service="api")

    with pytest.raises(AssertionError, match="No span of service 'billing' arrived, but of 'api'"):
        otlp_spans.service("billing").one("work")


def test_the_text_says_whose_spans_they_are(otlp_spans: OtlpCapture) -> None:
    send(otlp_spans.endpoint, wire_span("handle", 1), service="api")
    send(otlp_spans.endpoint, wire_span("work", 2, parent=1), service="worker")

    assert otlp_spans.text().splitlines() == [
        "handle",
        "└─ work",
        "note: 1 span of service 'api'",
        "note: 1 span of service 'worker'",
    ]


def test_clearing_a_service_leaves_the_others(otlp_spans: OtlpCapture) -> None:
    send(otlp_spans.endpoint, wire_span("handle", 1), service="api")
    send(otlp_spans.endpoint, wire_span("work", 2), service="worker")

    otlp_spans.service("worker").clear()

    assert names(otlp_spans) == ["handle"]


# Waiting


def test_an_assertion_waits_for_what_arrives_late(otlp_spans: OtlpCapture) -> None:
    asked = threading.Event()
    send(otlp_spans.endpoint, wire_span("run", 1, attributes=[attribute("n", int_value=1)]))

    def one(n: object) -> bool:
        asked.set()
        return n == 1

    def arrive() -> None:
        asked.wait(60)
        send(otlp_spans.endpoint, wire_span("work", 2, parent=1))

    arriving = in_background(arrive)
    assert_span_tree(otlp_spans, span("run", {"n": one}, span("work")), wait=60)
    arriving.join()


def test_wait_for_returns_when_the_span_has_arrived(otlp_spans: OtlpCapture) -> None:
    asked = threading.Event()

    def arrive() -> None:
        asked.wait(60)
        send(otlp_spans.endpoint, wire_span("late", 1))

    def has_arrived() -> bool:
        asked.set()
        return len(otlp_spans) == 1

    arriving = in_background(arrive)
    assert otlp_spans.wait_until(has_arrived, 60)
    arriving.join()
    assert otlp_spans.wait_for("late").count == 1


async def test_an_event_loop_goes_on_while_a_thread_waits(otlp_spans: OtlpCapture) -> None:
    waiting = asyncio.create_task(asyncio.to_thread(otlp_spans.wait_for, "late", 60))

    await asyncio.to_thread(send, otlp_spans.endpoint, wire_span("late", 1))

    assert (await waiting).count == 1


def test_a_wait_that_is_over_fails_with_the_outline(otlp_spans: OtlpCapture) -> None:
    send(otlp_spans.endpoint, wire_span("early", 1), service="api")

    with pytest.raises(AssertionError) as failure:
        otlp_spans.wait_for("late", timeout=0.01)

    assert str(failure.value).splitlines() == [
        "No span that ended matched 'late' within 0.01 s.",
        "",
        "early",
        "note: 1 span of service 'api'",
    ]


def test_an_assertion_that_waited_in_vain_says_what_is_there(otlp_spans: OtlpCapture) -> None:
    send(otlp_spans.endpoint, wire_span("early", 1))

    with pytest.raises(SpanTreeMismatch) as failure:
        assert_span_tree(otlp_spans, span("late"), wait=0.01)

    for said in ("early", "late", "waited 0.01 s", "1 span of service 'app'"):
        assert said in str(failure.value)
    assert "sampled out" not in str(failure.value)


# Nothing


def test_no_span_is_no_span_where_the_receiver_answers(otlp_spans: OtlpCapture) -> None:
    otlp_spans.assert_empty()

    assert "no request reached" in otlp_spans.why_empty()


def test_assert_empty_fails_where_a_span_arrived(otlp_spans: OtlpCapture) -> None:
    send(otlp_spans.endpoint, wire_span("a", 1))

    with pytest.raises(AssertionError, match="1 span captured, expected none"):
        otlp_spans.assert_empty()


def test_assert_empty_fails_where_nothing_could_arrive() -> None:
    with receive_spans() as stopped:
        pass

    with pytest.raises(AssertionError, match=f"none could: {stopped.endpoint} does not answer"):
        stopped.assert_empty()


def test_an_assertion_says_that_no_request_arrived(otlp_spans: OtlpCapture) -> None:
    with pytest.raises(SpanTreeMismatch) as failure:
        assert_span_tree(otlp_spans, span("a"))

    assert f"No span arrived: no request reached {otlp_spans.endpoint}." in str(failure.value)
    assert "env=otlp_spans.env()" in str(failure.value)


def test_requests_without_spans_are_told_with_their_sender(otlp_spans: OtlpCapture) -> None:
    for _ in range(2):
        send(otlp_spans.endpoint)

    assert otlp_spans.why_empty() == "No span arrived: 2 requests from some-exporter/1 held none."


def test_what_was_cleared_is_gone_and_why_is_told(otlp_spans: OtlpCapture) -> None:
    send(otlp_spans.endpoint, wire_span("a", 1))

    otlp_spans.clear()

    assert len(otlp_spans) == 0
    assert "arrived since otlp_spans.clear(): no request" in otlp_spans.why_empty()


# What a request may be


def test_a_request_that_is_no_request_is_refused(otlp_spans: OtlpCapture) -> None:
    with channel(otlp_spans.endpoint) as opened, pytest.raises(grpc.RpcError) as refusal:
        opened.unary_unary(TRACES, None, None)(b"not a request", timeout=30)

    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "a request from some-exporter/1 was refused" in otlp_spans.why_empty()
    otlp_spans.clear()
    assert "refused" not in otlp_spans.why_empty()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"trace_id": b"\x01"}, "a trace id in span 'a' is 0x01, not 16 bytes above zero"),
        ({"trace_id": bytes(16)}, f"is 0x{'00' * 16}, not 16 bytes above zero"),
        ({"span_id": b""}, "a span id in span 'a' is missing, not 8 bytes above zero"),
        ({"parent_span_id": b"\x01"}, "a span id in span 'a' is 0x01, not 8 bytes above zero"),
        ({"links": [Span.Link()]}, "a trace id in span 'a' is missing"),
    ],
)
def test_a_span_whose_ids_are_none_is_refused_with_its_request(
    otlp_spans: OtlpCapture, fields: dict[str, Any], reason: str
) -> None:
    broken = wire_span("a", 2)
    broken.MergeFrom(Span(**fields))
    if fields.get("span_id") == b"":
        broken.ClearField("span_id")

    with pytest.raises(grpc.RpcError) as refusal:
        send(otlp_spans.endpoint, wire_span("fine", 1), broken)

    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason in str(refusal.value.details())
    assert len(otlp_spans) == 0
    assert reason in otlp_spans.text()


def test_after_a_refusal_spans_arrive_as_before(otlp_spans: OtlpCapture) -> None:
    with channel(otlp_spans.endpoint) as opened, pytest.raises(grpc.RpcError):
        opened.unary_unary(TRACES, None, None)(b"not a request", timeout=30)

    send(otlp_spans.endpoint, wire_span("a", 1))

    assert_span_tree(otlp_spans, span("a"))


@pytest.mark.parametrize("signal", ["metrics.v1.Metrics", "logs.v1.Logs"])
def test_other_signals_are_taken_and_dropped(otlp_spans: OtlpCapture, signal: str) -> None:
    with channel(otlp_spans.endpoint) as opened:
        export = opened.unary_unary(
            f"/opentelemetry.proto.collector.{signal}Service/Export", None, None
        )
        assert export(b"", timeout=30) == b""

    assert len(otlp_spans) == 0


def test_gzip_is_taken(otlp_spans: OtlpCapture) -> None:
    send(otlp_spans.endpoint, wire_span("a", 1), compression=grpc.Compression.Gzip)

    assert names(otlp_spans) == ["a"]


def test_a_request_may_be_larger_than_grpc_allows_by_itself(otlp_spans: OtlpCapture) -> None:
    text = "x" * 10_000_000

    send(otlp_spans.endpoint, wire_span("a", 1, attributes=[attribute("text", string_value=text)]))

    assert otlp_spans.one("a")["text"] == text


# The receiver


def test_only_this_machine_reaches_it(otlp_spans: OtlpCapture) -> None:
    host, _, port = otlp_spans.endpoint.removeprefix("http://").partition(":")

    assert host == "127.0.0.1"
    with socket.socket() as elsewhere:
        elsewhere.settimeout(5)
        assert elsewhere.connect_ex(("127.0.0.2", int(port))) != 0


def test_it_is_gone_after_the_test() -> None:
    with receive_spans() as stopped:
        send(stopped.endpoint, wire_span("a", 1))

    with pytest.raises(grpc.RpcError) as failure:
        send(stopped.endpoint, wire_span("b", 2))
    assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
    assert names(stopped) == ["a"]


def test_every_receiver_has_a_port_of_its_own() -> None:
    with receive_spans() as one, receive_spans() as other:
        send(one.endpoint, wire_span("a", 1))

        assert one.endpoint != other.endpoint
        assert len(other) == 0


# The border to pytest

SENDING = """
    from tests.plugin.otlp_programs import send, wire_span

    def test_passes(otlp_spans):
        send(otlp_spans.endpoint, wire_span("quiet", 1))

    def test_fails(otlp_spans):
        send(otlp_spans.endpoint, wire_span("a span to see", 1), service="worker")
        assert False

    def test_fails_with_both(spans, otlp_spans):
        assert False
"""


@pytest.mark.parametrize("workers", [("-n", "0"), ("-n", "2")], ids=["no workers", "two workers"])
def test_a_failed_test_shows_what_arrived(
    pytester: pytest.Pytester,
    run: Run,
    pytestconfig: pytest.Config,
    monkeypatch: pytest.MonkeyPatch,
    workers: tuple[str, str],
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(pytestconfig.rootpath))
    pytester.makepyfile(SENDING)

    result = run(*workers, plugins=["xdist"])

    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*- Captured spans (OTLP) -*",
            "a span to see",
            "note: 1 span of service 'worker'",
        ]
    )
    result.stdout.fnmatch_lines(
        [
            "*- Captured spans -*",
            "No span was captured: *",
            "*- Captured spans (OTLP) -*",
            "No span arrived: no request reached *",
        ]
    )
    result.stdout.no_fnmatch_line("quiet*")


def test_without_grpc_one_sentence_says_what_to_install(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makeconftest("import sys; sys.modules['grpc'] = None")
    pytester.makepyfile("""
        def test_spans(spans): pass
        def test_otlp(otlp_spans): pass
    """)

    result = run()

    result.assert_outcomes(passed=1, errors=1)
    needs = "the fixture `otlp_spans` needs grpcio, which cannot be imported (*)"
    command = "pip install 'multi-llm-orchestrator[[]testing]'"
    result.stdout.fnmatch_lines([f"{needs}: {command}"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_spans_alone_import_no_grpc(pytester: pytest.Pytester, start: Run) -> None:
    pytester.makepyfile("""
        import sys

        def test_nothing_is_imported(spans):
            assert not {"grpc", "google.protobuf", "opentelemetry.proto"} & sys.modules.keys()
    """)

    start().assert_outcomes(passed=1)


def test_a_fixture_named_spans_that_is_not_ours_is_left_alone(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.fixture
        def spans():
            return ["theirs"]

        def test_both(otlp_spans, spans):
            assert spans == ["theirs"]
            otlp_spans.assert_empty()
    """)

    run().assert_outcomes(passed=1)
