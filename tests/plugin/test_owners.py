"""Whose span it is, tried with two tests that run one after the other in this process."""

import contextvars
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from pytest_otel_spans.capturing.capture import SpanCapture
from pytest_otel_spans.capturing.hub import hub
from pytest_otel_spans.capturing.owners import no_current_span
from pytest_otel_spans.capturing.scene import scene
from pytest_otel_spans.capturing.stage import Stage

TRACER = trace.get_tracer("tests.owners")


@pytest.fixture(autouse=True)
def provider() -> None:
    """Let a provider of the SDK stand before the first span."""
    hub().tune_in()


@contextmanager
def running(test: str) -> Iterator[SpanCapture]:
    """Run what stands in the block as the body of a test."""
    stage = Stage()
    with scene(test, stage) as ours, stage.suite(), ours.body():
        yield ours.capture


def names(capture: SpanCapture) -> list[str]:
    return [node.name for node in capture.forest.nodes]


def in_a_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def open_span(name: str) -> None:
    TRACER.start_span(name).end()


def test_a_span_that_ends_during_the_next_test_belongs_to_its_own() -> None:
    with running("a") as a:
        late = TRACER.start_span("late")
    with running("b") as b:
        in_a_thread(late.end)
        open_span("b's own")

    assert names(a) == ["late"]
    assert not a.unfinished
    assert names(b) == ["b's own"]


def test_a_child_that_starts_during_the_next_test_belongs_to_its_parents_test() -> None:
    with running("a") as a:
        parent = TRACER.start_span("parent")
    below = trace.set_span_in_context(parent)
    with running("b") as b:
        in_a_thread(lambda: TRACER.start_span("child", context=below).end())

    assert names(a) == ["parent", "child"]
    assert names(b) == []


def test_children_find_their_parents_test_among_many_spans() -> None:
    with running("a") as a:
        parents = [TRACER.start_span(f"parent {number}") for number in range(20)]
    with running("b") as b:
        for parent in parents:
            TRACER.start_span("child", context=trace.set_span_in_context(parent)).end()

    assert [[child.name for child in root.children] for root in a.roots] == [["child"]] * 20
    assert names(b) == []


def test_a_grandchild_under_a_remote_parent_stays_with_its_parents_test() -> None:
    header = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    remote = TraceContextTextMapPropagator().extract(header)
    with running("a") as a:
        served = TRACER.start_span("GET /", context=remote)
    with running("b") as b:
        TRACER.start_span("GET /", context=remote).end()
        TRACER.start_span("db", context=trace.set_span_in_context(served)).end()

    assert names(a) == ["GET /", "db"]
    assert names(b) == ["GET /"]


def test_a_thread_that_copied_the_context_stays_with_its_test() -> None:
    with running("a") as a:
        copied = contextvars.copy_context()
    with running("b") as b:
        in_a_thread(lambda: copied.run(open_span, "late root"))

    assert names(a) == ["late root"]
    assert names(b) == []


def test_what_a_thread_of_one_test_starts_during_the_next_belongs_to_the_first() -> None:
    go_on = threading.Event()

    def work() -> None:
        go_on.wait(30)
        open_span("bg")

    with running("a") as a:
        thread = threading.Thread(target=work)
        thread.start()
    with running("b") as b:
        go_on.set()
        thread.join()

    assert names(a) == ["bg"]
    assert names(b) == []
    told = "1 span went to a, which started its thread"
    assert b.why_empty() == f"No span was captured: {told}."
    assert b.notes == (told,)
    assert b.text() == b.why_empty()  # nothing is said twice


@pytest.mark.parametrize("first", ["before", "a"], ids=["older than both", "started by the first"])
def test_an_idle_thread_of_a_pool_serves_the_test_that_runs(first: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        if first == "before":
            pool.submit(int).result()
        with running("a") as a:
            pool.submit(open_span, "a's").result()
        with running("b") as b:
            pool.submit(open_span, "b's").result()

    assert names(a) == ["a's"]
    assert names(b) == ["b's"]


def test_a_busy_thread_of_a_pool_stays_with_the_test_that_started_it() -> None:
    go_on = threading.Event()

    def work() -> None:
        go_on.wait(30)
        open_span("late")

    with ThreadPoolExecutor(1) as pool:
        with running("a") as a:
            pool.submit(work)
        with running("b") as b:
            go_on.set()
            pool.submit(int).result()

    assert names(a) == ["late"]
    assert names(b) == []


def test_a_worker_task_of_one_test_that_serves_the_next_stays_and_the_next_is_told() -> None:
    with running("a") as a:
        worker = contextvars.copy_context()
    with running("b") as b:
        worker.run(open_span, "job")

    assert names(a) == ["job"]
    assert b.why_empty() == ("No span was captured: 1 span went to a, in whose context it started.")


def test_a_remote_parent_in_a_trace_of_an_earlier_test_does_not_take_the_span(
    seeded_provider: Callable[[], TracerProvider],
) -> None:
    provider = seeded_provider()
    with running("a") as a:
        a.attach(provider)
        provider.get_tracer("t").start_span("root").end()  # trace 1, span 2
    header = {"traceparent": f"00-{1:032x}-{2:016x}-01"}
    remote = TraceContextTextMapPropagator().extract(header)
    with running("b") as b:
        provider.get_tracer("t").start_span("served", context=remote).end()

    assert names(a) == ["root"]
    assert names(b) == ["served"]


def test_a_thread_serves_an_unknown_parent_in_a_trace_of_an_earlier_test(
    seeded_provider: Callable[[], TracerProvider],
) -> None:
    provider = seeded_provider()
    with running("a") as a:
        a.attach(provider)
        provider.get_tracer("t").start_span("root").end()
    header = {"traceparent": f"00-{1:032x}-{77:016x}-01"}
    remote = TraceContextTextMapPropagator().extract(header)
    with running("b") as b:
        in_a_thread(lambda: provider.get_tracer("t").start_span("served", context=remote).end())

    assert names(b) == ["served"]


def test_a_thread_without_context_belongs_to_the_test_that_runs() -> None:
    with running("a") as a:
        in_a_thread(lambda: open_span("pool"))

    assert names(a) == ["pool"]


def test_a_thread_without_context_belongs_to_nobody_when_two_tests_run() -> None:
    with running("a") as a, running("b") as b:
        in_a_thread(lambda: open_span("whose"))

    assert names(a) == names(b) == []
    assert "1 span could be any of several running tests'" in a.why_empty()


def test_what_starts_between_tests_belongs_to_nobody() -> None:
    with running("a") as a:
        pass
    open_span("between")
    with running("b") as b:
        pass

    assert names(a) == names(b) == []


def test_what_pytests_own_thread_starts_outside_of_fixtures_and_bodies_is_a_plugins() -> None:
    stage = Stage()
    with scene("a", stage) as ours:
        plugins_span = TRACER.start_span("test_a::call")
        with stage.suite(), trace.use_span(plugins_span), ours.body():
            open_span("app")
            with stage.pytest_itself():
                in_a_thread(lambda: open_span("worker"))
        plugins_span.end()

    assert [root.name for root in ours.capture.roots] == ["app", "worker"]
    assert ours.capture.orphans == ()


def test_the_children_of_a_span_that_no_test_owns_belong_to_the_test_that_runs() -> None:
    loop_of_a_worker = TRACER.start_span("worker loop")
    with running("a") as a:
        TRACER.start_span("job", context=trace.set_span_in_context(loop_of_a_worker)).end()

    assert [orphan.name for orphan in a.orphans] == ["job"]


def test_two_providers_with_the_same_ids_do_not_take_each_others_spans(
    seeded_provider: Callable[[], TracerProvider],
) -> None:
    with running("a") as a:
        first, second = seeded_provider(), seeded_provider()
        a.attach(first)
        a.attach(second)
        one = first.get_tracer("t").start_span("one")
        two = second.get_tracer("t").start_span("two")
        one.end()
        two.end()

    assert [span.name for span in a.exporter.get_finished_spans()] == ["one", "two"]


def test_a_body_keeps_the_baggage_and_drops_the_span() -> None:
    token = context.attach(baggage.set_baggage("tenant", "t1"))
    with TRACER.start_as_current_span("held by a plugin"), no_current_span():
        seen = baggage.get_baggage("tenant"), trace.get_current_span()
    context.detach(token)

    assert seen == ("t1", trace.INVALID_SPAN)


def test_a_span_that_a_body_left_current_is_not_current_in_the_next() -> None:
    with running("a"):
        context.attach(trace.set_span_in_context(TRACER.start_span("leaked")))
    after = trace.get_current_span()

    assert after is trace.INVALID_SPAN


@pytest.fixture
def seeded_provider() -> Callable[[], TracerProvider]:
    from opentelemetry.sdk.trace.id_generator import IdGenerator

    class Counting(IdGenerator):
        def __init__(self) -> None:
            self.last = 0

        def generate_span_id(self) -> int:
            self.last += 1
            return self.last

        def generate_trace_id(self) -> int:
            return self.generate_span_id()

    return lambda: TracerProvider(id_generator=Counting(), shutdown_on_exit=False)
