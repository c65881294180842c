"""What arrives in a capture, and what a capture answers."""

import asyncio
import contextvars
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    Decision,
    ParentBased,
    StaticSampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import set_tracer_provider

from pytest_otel_spans import SpanCapture, assert_span_tree, never, one_of, span

MODULE_TRACER = trace.get_tracer("tests.module")


def open_span(name: str, tracer: trace.Tracer = MODULE_TRACER) -> None:
    tracer.start_span(name).end()


def names(spans: SpanCapture) -> list[str]:
    return [node.name for node in spans.forest.nodes]


def private_provider(**kwargs: object) -> TracerProvider:
    return TracerProvider(shutdown_on_exit=False, **kwargs)  # type: ignore[arg-type]


@pytest.fixture
def tree(spans: SpanCapture) -> SpanCapture:
    """Two tasks with a call each, below a run; the second call is another model's."""
    with MODULE_TRACER.start_as_current_span("run"):
        for task, model, cost in (("task:t1", "a", 0.1), ("task:t2", "b", 0.2)):
            with (
                MODULE_TRACER.start_as_current_span(task),
                MODULE_TRACER.start_as_current_span("call") as call,
            ):
                call.set_attributes({"model": model, "cost_usd": cost})
    return spans


# What arrives


@pytest.mark.parametrize("time", ["first", "second"])
def test_a_module_level_tracer_is_captured_in_every_test(spans: SpanCapture, time: str) -> None:
    open_span(time)

    assert names(spans) == [time]


def test_a_tracer_made_in_the_test_is_captured(spans: SpanCapture) -> None:
    open_span("a", trace.get_tracer("tests.made.in.the.test"))

    assert names(spans) == ["a"]


def test_a_provider_that_opentelemetry_refuses_to_install_is_captured(spans: SpanCapture) -> None:
    before = trace.get_tracer_provider()
    refused = private_provider()

    set_tracer_provider(refused)  # imported by name, before the hook was there
    open_span("a", refused.get_tracer("t"))

    assert trace.get_tracer_provider() is before
    assert names(spans) == ["a"]
    assert "refused" in spans.notes[0]


def test_a_private_provider_is_captured_once_it_is_attached(spans: SpanCapture) -> None:
    provider = private_provider()
    open_span("before", provider.get_tracer("t"))

    spans.attach(provider)
    spans.attach(provider)
    open_span("after", provider.get_tracer("t"))

    assert [one.name for one in spans.exporter.get_finished_spans()] == ["after"]


def test_providers_that_share_their_processors_are_captured_once(spans: SpanCapture) -> None:
    one = private_provider()
    two = private_provider(active_span_processor=one._active_span_processor)

    spans.attach(one)
    spans.attach(two)
    open_span("a", one.get_tracer("t"))

    assert [one.name for one in spans.exporter.get_finished_spans()] == ["a"]


class Front(trace.TracerProvider):
    """A provider that hands on to one of the SDK, as Logfire's does."""

    def __init__(self) -> None:
        self._hidden = private_provider()

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        self._hidden.add_span_processor(span_processor)

    def get_tracer(self, *args: Any, **kwargs: Any) -> trace.Tracer:
        return self._hidden.get_tracer(*args, **kwargs)


class OpenFront(Front):
    @property
    def provider(self) -> TracerProvider:
        return self._hidden

    @provider.setter
    def provider(self, provider: TracerProvider) -> None:
        self._hidden = provider


@pytest.mark.parametrize("front", [Front, OpenFront])
def test_a_provider_that_stands_before_one_of_the_sdk_is_captured_once(
    spans: SpanCapture, front: type[Front]
) -> None:
    provider = front()
    spans.attach(provider)
    spans.attach(provider)
    open_span("a", provider.get_tracer("t"))

    assert [one.name for one in spans.exporter.get_finished_spans()] == ["a"]


def test_a_provider_that_was_exchanged_behind_its_front_is_captured_when_attached_again(
    spans: SpanCapture,
) -> None:
    provider = OpenFront()
    spans.attach(provider)
    provider.provider = private_provider()
    spans.attach(provider)
    open_span("a", provider.get_tracer("t"))

    assert names(spans) == ["a"]


def test_attach_refuses_what_is_no_sdk_provider(spans: SpanCapture) -> None:
    with pytest.raises(TypeError, match=r"attach\(\) takes a TracerProvider .*NoOpTracerProvider"):
        spans.attach(trace.NoOpTracerProvider())


def test_a_span_of_another_process_is_a_remote_parent_and_no_orphan(spans: SpanCapture) -> None:
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    remote = trace.SpanContext(7, 8, is_remote=True, trace_flags=flags)
    above = trace.set_span_in_context(trace.NonRecordingSpan(remote))

    MODULE_TRACER.start_span("served", context=above).end()

    assert spans.roots[0].remote_parent
    assert spans.orphans == ()


def test_a_span_that_never_ended_is_there_with_what_it_has(spans: SpanCapture) -> None:
    with MODULE_TRACER.start_as_current_span("stream", attributes={"n": 1}, end_on_exit=False):
        open_span("chunk")

    assert [node.name for node in spans.unfinished] == ["stream"]
    assert spans.one("stream / chunk")
    assert spans.one("stream")["n"] == 1
    assert [one.name for one in spans.exporter.get_finished_spans()] == ["chunk"]


def test_spans_stand_in_the_order_in_which_they_started_whatever_the_clock_says(
    spans: SpanCapture,
) -> None:
    started = [MODULE_TRACER.start_span(name, start_time=-n) for n, name in enumerate("abc")]
    for one in reversed(started):
        one.end()

    assert names(spans) == ["a", "b", "c"]


def test_a_span_knows_the_thread_that_started_it(spans: SpanCapture) -> None:
    thread = threading.Thread(target=open_span, args=["a"], name="worker-7")
    thread.start()
    thread.join()

    assert spans.one("a").thread == "worker-7"


def test_a_pool_without_context_makes_a_root(spans: SpanCapture) -> None:
    with MODULE_TRACER.start_as_current_span("run"), ThreadPoolExecutor(1) as pool:
        pool.submit(open_span, "task").result()

    assert [root.name for root in spans.roots] == ["run", "task"]


def test_a_pool_that_is_given_the_context_keeps_the_tree(spans: SpanCapture) -> None:
    with MODULE_TRACER.start_as_current_span("run"), ThreadPoolExecutor(1) as pool:
        pool.submit(contextvars.copy_context().run, open_span, "task").result()

    assert_span_tree(spans, span("run", span("task")))


def test_an_exporter_that_another_processor_feeds_as_well_holds_its_spans(
    spans: SpanCapture,
) -> None:
    provider = private_provider()
    provider.add_span_processor(SimpleSpanProcessor(spans.exporter))

    open_span("fed", provider.get_tracer("t"))

    assert names(spans) == ["fed"]


def test_the_exporter_is_a_real_one_and_what_is_cleared_there_is_gone(tree: SpanCapture) -> None:
    assert type(tree.exporter) is InMemorySpanExporter

    tree.exporter.clear()

    assert len(tree) == 0


def test_clear_forgets_also_what_has_not_ended(spans: SpanCapture) -> None:
    before = MODULE_TRACER.start_span("before")
    open_span("a")

    spans.clear()
    before.end()
    open_span("b")

    assert names(spans) == ["b"]
    assert [one.name for one in spans.exporter.get_finished_spans()] == ["b"]


def test_a_processor_of_the_application_gets_its_spans_as_before(spans: SpanCapture) -> None:
    theirs = InMemorySpanExporter()
    provider = private_provider()
    provider.add_span_processor(SimpleSpanProcessor(theirs))
    spans.attach(provider)

    open_span("a", provider.get_tracer("t"))

    assert theirs.get_finished_spans() == spans.exporter.get_finished_spans()


# What nearly arrived


def test_what_a_sampler_drops_is_told_by_its_description(spans: SpanCapture) -> None:
    provider = private_provider(sampler=ParentBased(TraceIdRatioBased(0.0)))
    spans.attach(provider)

    open_span("a", provider.get_tracer("t"))

    assert re.match(
        r"No span was captured: root spans of the tracer provider opentelemetry\.sdk\S* are "
        r"sampled out by `ParentBased\{root:TraceIdRatioBased\{0.0}",
        spans.why_empty(),
    )
    assert spans.notes[0].startswith("root spans may have been sampled out by `ParentBased")
    assert "note:" not in spans.text()  # there is nothing more to say


def test_a_sampler_that_drops_some_is_told(spans: SpanCapture) -> None:
    spans.attach(private_provider(sampler=TraceIdRatioBased(0.5)))

    assert spans.notes == ("root spans may have been sampled out by `TraceIdRatioBased{0.5}`",)


def test_a_span_that_is_recorded_and_not_sampled_is_sampled_out(spans: SpanCapture) -> None:
    provider = private_provider(sampler=StaticSampler(Decision.RECORD_ONLY))
    spans.attach(provider)

    open_span("a", provider.get_tracer("t"))

    assert len(spans) == 0
    (note,) = spans.notes
    assert note.startswith("1 span sampled out by `")
    assert spans.text() == f"No span was captured: {note}."


def test_a_provider_keeps_its_sampler(spans: SpanCapture) -> None:
    sampler = TraceIdRatioBased(0.25)
    provider = private_provider(sampler=sampler)
    spans.attach(provider)

    assert provider.sampler is sampler


def test_a_provider_that_was_shut_down_is_still_captured_and_a_note_says_so(
    spans: SpanCapture,
) -> None:
    provider = private_provider()
    spans.attach(provider)

    provider.shutdown()
    open_span("a", provider.get_tracer("t"))

    assert names(spans) == ["a"]
    note = "the tracer provider opentelemetry.sdk.trace.TracerProvider was shut down; its spans"
    assert [said.partition(" are ")[0] for said in spans.notes] == [note]


# Whether it is empty, and why


def test_an_empty_capture_that_is_live_passes_assert_empty(spans: SpanCapture) -> None:
    spans.assert_empty()

    assert len(spans) == 0


def test_assert_empty_fails_where_there_is_a_span_and_shows_it(tree: SpanCapture) -> None:
    with pytest.raises(AssertionError, match=r"(?s)^5 spans captured, expected none\..*task:t2"):
        tree.assert_empty()


def test_assert_empty_fails_where_spans_were_sampled_out(spans: SpanCapture) -> None:
    provider = private_provider(sampler=StaticSampler(Decision.RECORD_ONLY))
    spans.attach(provider)
    open_span("a", provider.get_tracer("t"))

    with pytest.raises(AssertionError, match=r"1 span sampled out by `"):
        spans.assert_empty()


@pytest.mark.parametrize("sampler", [ALWAYS_OFF, TraceIdRatioBased(0.0), ParentBased(ALWAYS_OFF)])
def test_assert_empty_fails_where_no_span_could_be_captured(
    spans: SpanCapture, sampler: StaticSampler
) -> None:
    spans.attach(private_provider(sampler=sampler))

    with pytest.raises(AssertionError, match=r"none could be: root spans .* sampled out by `"):
        spans.assert_empty()


def test_assert_empty_does_not_depend_on_the_luck_of_a_ratio(spans: SpanCapture) -> None:
    spans.attach(private_provider(sampler=TraceIdRatioBased(1e-6)))

    spans.assert_empty()


def test_assert_empty_fails_where_the_sdk_is_disabled(
    spans: SpanCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    spans.assert_empty()  # the global provider was made before, and makes spans

    spans.attach(private_provider())
    monkeypatch.delenv("OTEL_SDK_DISABLED")

    said = r"none could be: .*\.TracerProvider was made while OTEL_SDK_DISABLED=true was set\."
    with pytest.raises(AssertionError, match=said):
        spans.assert_empty()


def test_assert_empty_starts_no_span(spans: SpanCapture) -> None:
    class Theirs(SpanProcessor):
        def on_start(self, span: Span, parent_context: object = None) -> None:
            started.append(span.name)

    started: list[str] = []
    provider = private_provider()
    provider.add_span_processor(Theirs())
    spans.attach(provider)

    spans.assert_empty()
    spans.text()

    assert started == []


def test_assert_empty_fails_where_the_processors_were_replaced(spans: SpanCapture) -> None:
    provider = private_provider()
    spans.attach(provider)
    provider._active_span_processor._span_processors = ()

    with pytest.raises(AssertionError, match=r"none could be: .* its processors were replaced\."):
        spans.assert_empty()


def test_an_empty_capture_says_that_nothing_was_started(spans: SpanCapture) -> None:
    assert spans.why_empty().startswith("No span was captured: none was started on the global")
    assert spans.text() == spans.why_empty()


def test_a_cleared_capture_says_so(spans: SpanCapture) -> None:
    open_span("a")
    spans.clear()

    assert "none was started since spans.clear()" in spans.why_empty()


# One, all, none


def test_one_returns_the_span(tree: SpanCapture) -> None:
    assert tree.one("task:t1 / call")["model"] == "a"


def test_a_node_equals_that_of_the_same_span_asked_for_again(spans: SpanCapture) -> None:
    live = MODULE_TRACER.start_span("a")
    before = spans.one("a")
    again = spans.one("a")
    live.end()

    assert before == again == spans.one("a")
    assert len({before, again, spans.one("a")}) == 1


def test_nodes_of_two_spans_differ(tree: SpanCapture) -> None:
    assert tree.one("task:t1 / call") != tree.one("task:t2 / call")


def test_one_lists_the_candidates_when_there_are_several(tree: SpanCapture) -> None:
    with pytest.raises(AssertionError) as failed:
        tree.one("call")

    assert (
        str(failed.value)
        == f"""\
2 spans match 'call', expected exactly 1:
  run/task:t1/call
  run/task:t2/call
Name a parent, or use `.all()`.

{tree.text()}"""
    )


def test_one_names_the_closest_when_there_is_none(tree: SpanCapture) -> None:
    with pytest.raises(AssertionError) as failed:
        tree.one("tsk:t1")

    assert (
        str(failed.value)
        == f"""\
0 spans match 'tsk:t1'; the closest name is 'task:t1'.

{tree.text()}"""
    )


def test_one_on_an_empty_capture_says_why_it_is_empty(spans: SpanCapture) -> None:
    with pytest.raises(AssertionError, match=r"^0 spans match 'a'\.\n\nNo span was captured: none"):
        spans.one("a")


def test_none_is_true_when_nothing_matches(tree: SpanCapture) -> None:
    assert tree.none("remediation")


def test_none_is_true_of_no_span_where_one_would_be_captured(spans: SpanCapture) -> None:
    assert spans.none("refund")


def test_no_span_answers_nothing_where_none_could_be_captured(spans: SpanCapture) -> None:
    spans.attach(private_provider(sampler=ALWAYS_OFF))

    with pytest.raises(AssertionError, match="none could be: root spans"):
        spans.none("refund")
    with pytest.raises(AssertionError, match="none could be: root spans"):
        _ = spans != span("refund")


def test_no_span_equals_no_literal(spans: SpanCapture) -> None:
    assert not spans == span("a").optional()  # noqa: SIM201 - `!=` is another question
    assert not spans == [span("a").optional(), ...]  # noqa: SIM201 - see above


@pytest.mark.parametrize(
    "literal",
    [
        span("run", ...),
        [span("run", ...)],
        [span("run", ...), ...],
        one_of("walk", span("run", ...)),
        (never("walk"), span("run", ...)),
    ],
)
def test_a_capture_equals_what_assert_span_tree_takes(tree: SpanCapture, literal: object) -> None:
    assert tree == literal
    assert not tree != literal  # noqa: SIM202 - `==` is another question


@pytest.mark.parametrize(
    "literal", [span("walk", ...), [span("run", ...), span("b")], one_of("walk", "stroll")]
)
def test_a_capture_differs_from_other_trees(tree: SpanCapture, literal: object) -> None:
    assert tree != literal


@pytest.mark.parametrize("habit", [lambda spans: spans[0], list, lambda spans: [*spans]])
def test_a_capture_is_no_list_and_says_what_to_ask(
    tree: SpanCapture, habit: Callable[[SpanCapture], object]
) -> None:
    with pytest.raises(TypeError, match=r"spans\.one\('name'\).*spans\.all\('\*'\).*spans\.roots"):
        habit(tree)


def test_what_an_exporter_has_is_answered_with_where_it_is(tree: SpanCapture) -> None:
    with pytest.raises(AttributeError, match=r"spans is no exporter.*spans\.all\('\*'\)"):
        tree.get_finished_spans()  # type: ignore[attr-defined]  # a habit
    with pytest.raises(AttributeError, match="'SpanCapture' object has no attribute 'on'") as error:
        tree.on("run")  # type: ignore[attr-defined]  # a slip
    assert (error.value.name, error.value.obj) == ("on", tree)


def test_a_name_is_not_simply_in_a_capture(tree: SpanCapture) -> None:
    with pytest.raises(TypeError, match=r"spans\.all\('run'\).*spans\.one.*spans\.none\('run'\)"):
        assert "run" in tree


def test_a_negative_wait_is_refused(tree: SpanCapture) -> None:
    with pytest.raises(ValueError, match=r"^wait=-1 is negative; to look once, leave it out$"):
        assert_span_tree(tree, span("run", ...), wait=-1)
    with pytest.raises(ValueError, match=r"^timeout=-1 is negative; to look once, say timeout=0$"):
        tree.wait_for("run", timeout=-1)


def test_none_names_the_culprits(tree: SpanCapture) -> None:
    with pytest.raises(AssertionError) as failed:
        tree.none("run // call")

    assert str(failed.value).startswith("""\
2 spans match 'run // call', expected none:
  run/task:t1/call
  run/task:t2/call

run
""")


def test_roots_are_the_spans_without_a_parent(tree: SpanCapture) -> None:
    open_span("second")

    assert [root.name for root in tree.roots] == ["run", "second"]


def test_text_is_the_outline_with_the_notes(tree: SpanCapture) -> None:
    provider = private_provider(sampler=ALWAYS_OFF)
    tree.attach(provider)
    open_span("dropped", provider.get_tracer("t"))

    assert tree.text().splitlines()[0] == "run"
    assert tree.text().endswith(
        "\nnote: root spans may have been sampled out by `AlwaysOffSampler`"
    )


def test_suggest_gives_the_literal_that_the_spans_match(tree: SpanCapture) -> None:
    assert "assert_span_tree(" in tree.suggest()
    assert "only=True" not in tree.suggest()
    assert "only=True" in tree.suggest(exact=True)


def test_a_forest_does_not_change_when_more_spans_come(tree: SpanCapture) -> None:
    before = tree.forest
    open_span("more")

    assert len(before.nodes) == 5
    assert len(tree.forest.nodes) == 6


# Waiting


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Let a thread go on; it is let go at the end in any case."""
    event = threading.Event()
    yield event
    event.set()


def test_wait_for_returns_the_spans_of_a_thread_as_soon_as_one_ended(
    spans: SpanCapture, gate: threading.Event
) -> None:
    def work() -> None:
        with MODULE_TRACER.start_as_current_span("job"):
            gate.wait(30)

    thread = threading.Thread(target=work)
    thread.start()
    assert spans.wait_until(lambda: len(spans) == 1, 30)
    gate.set()

    assert spans.wait_for("job", timeout=30).count == 1
    assert spans.one("job").ended
    thread.join()


def test_spans_of_many_threads_all_arrive_while_another_looks(spans: SpanCapture) -> None:
    def work(thread: int) -> None:
        for n in range(100):
            open_span(f"{thread}:{n}")

    threads = [threading.Thread(target=work, args=[n]) for n in range(4)]
    for thread in threads:
        thread.start()

    assert spans.wait_until(lambda: len(spans) == 400 and not spans.unfinished, 30)
    for thread in threads:
        thread.join()
    for n in range(4):
        assert [node.name for node in spans.all(f"{n}:*")] == [f"{n}:{m}" for m in range(100)]


def test_a_span_is_there_at_every_moment_of_its_end(spans: SpanCapture) -> None:
    class Looking(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            seen.append([node.name for node in spans.forest.nodes])

    seen: list[list[str]] = []
    provider = private_provider()
    provider.add_span_processor(Looking())  # hears of it when it has ended, and before we do
    spans.attach(provider)
    provider.add_span_processor(Looking())

    provider.get_tracer("library").start_span("job").end()

    assert seen == [["job"], ["job"]]


def test_a_wait_goes_on_when_the_span_that_came_is_not_the_one(spans: SpanCapture) -> None:
    def is_the_fifth() -> bool:
        open_span("another")
        return len(spans) == 5

    assert spans.wait_until(is_the_fifth, timeout=30)
    assert len(spans) == 5


def test_wait_for_says_what_came_instead(tree: SpanCapture) -> None:
    tree_text = tree.text()
    with pytest.raises(AssertionError) as failed:
        tree.wait_for("run / tusk:t1", timeout=0)

    assert (
        str(failed.value)
        == f"""\
No span that ended matched 'run / tusk:t1' within 0 s; the closest name is 'task:t1'.

{tree_text}"""
    )


def test_wait_for_says_in_what_the_nearest_span_differs(tree: SpanCapture) -> None:
    said = r"within 0 s; by its name it would be:\n  run/task:t1/call\n    model  - 'c'\n +\+ 'a'"
    with pytest.raises(AssertionError, match=said):
        tree.wait_for(span("call", {"model": "c"}), timeout=0)


def test_wait_for_names_the_spans_that_have_not_ended(spans: SpanCapture) -> None:
    MODULE_TRACER.start_span("job")

    with pytest.raises(AssertionError, match=r"within 0 s\.\nNot ended:\n  job\n\njob  \(never"):
        spans.wait_for("job", timeout=0)


def test_wait_for_an_unfinished_span_waits_for_its_start(spans: SpanCapture) -> None:
    MODULE_TRACER.start_span("job")

    assert spans.wait_for(span("job").unfinished(), timeout=0).count == 1


async def test_wait_for_on_an_event_loop_says_how_not_to_block_it(spans: SpanCapture) -> None:
    with pytest.raises(AssertionError, match=r"asyncio\.to_thread\(spans\.wait_for"):
        spans.wait_for("job", timeout=0)


async def test_wait_for_in_a_thread_lets_the_loop_go_on(spans: SpanCapture) -> None:
    async def job() -> None:
        open_span("job")

    waiting = asyncio.create_task(asyncio.to_thread(spans.wait_for, "job", 30))
    await asyncio.sleep(0)
    await job()

    assert (await waiting).count == 1
