"""What a span is related to: the tasks it needs, the run it takes up, the caller's trace."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from orchestrator import spans as names
from orchestrator.tracing import (
    TracingConfig,
    configure_tracing,
    get_tracer,
    traced_run,
    traced_task,
)

pytestmark = pytest.mark.usefixtures("tracing_off")


def test_a_task_links_to_the_tasks_it_depends_on(finished):
    with traced_task("t1", "writing") as first:
        pass
    with traced_task("t2", "writing", ("t1",), (first.get_span_context(),)):
        pass

    (link,) = finished()["task:t2"].links
    assert link.context.span_id == finished()["task:t1"].context.span_id
    assert link.attributes == {names.LINK_KIND: "depends_on"}


def test_a_resumed_run_links_to_the_root_it_takes_up(exported):
    with traced_run("p1") as earlier:
        pass
    with traced_run("p1", earlier.get_span_context()):
        pass

    first, second = exported.get_finished_spans()
    assert second.links[0].context.span_id == first.context.span_id
    assert second.parent is None


def test_links_to_what_was_opened_while_tracing_was_off_are_left_out(exported):
    configured = exported
    configure_tracing(TracingConfig())
    with traced_task("t1", "writing") as off:
        pass
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(configured))
    configure_tracing(TracingConfig(enabled=True), tracer_provider=provider)

    with traced_task("t2", "writing", ("t1",), (off.get_span_context(),)):
        pass

    assert configured.get_finished_spans()[0].links == ()


def test_the_callers_traceparent_is_the_parent_of_the_run(finished, monkeypatch):
    monkeypatch.setenv("TRACEPARENT", f"00-{'ab' * 16}-{'cd' * 8}-01")

    with traced_run("p1"), traced_task("t1", "writing"):
        pass

    root = finished()["run_project"]
    assert root.parent.span_id == int("cd" * 8, 16)
    assert finished()["task:t1"].context.trace_id == int("ab" * 16, 16)


def test_a_current_span_is_a_nearer_parent_than_traceparent(finished, monkeypatch):
    monkeypatch.setenv("TRACEPARENT", f"00-{'ab' * 16}-{'cd' * 8}-01")

    with get_tracer().start_as_current_span("host"), traced_run("p1"):
        pass

    assert finished()["run_project"].parent.span_id == finished()["host"].context.span_id
