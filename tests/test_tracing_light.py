"""The light span is the SDK's span: processors and exporters cannot tell one from the other."""

import json
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from opentelemetry.context import attach, detach
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from orchestrator.tracing.light import LightSpan, starter

OTHER = SpanContext(1, 2, is_remote=False)
NOBODY = SpanContext(0, 0, is_remote=False)


class Numbered(IdGenerator):
    """Ids in order, so that two trees can be equal."""

    def __init__(self) -> None:
        self._next = count(1)

    def generate_span_id(self) -> int:
        return next(self._next)

    def generate_trace_id(self) -> int:
        return next(self._next)


class Diary(SpanProcessor):
    """Notes what it is shown, when it is shown."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, Any]] = []
        self.ended: list[ReadableSpan] = []

    def on_start(self, span, parent_context=None):
        self.entries.append(("start", _facts(span)))
        span.set_attribute("set.at.start", True)

    def _on_ending(self, span):
        self.entries.append(("ending", _facts(span)))

    def on_end(self, span):
        self.entries.append(("end", _facts(span)))
        self.ended.append(span)


def _facts(span: ReadableSpan) -> dict[str, Any]:
    """Everything that a reader of a span can see, but when it was."""
    told = json.loads(span.to_json())
    for event in told["events"]:
        del event["timestamp"]
    del told["end_time"], told["start_time"]
    return {
        **told,
        "order": list(span.attributes or ()),
        "dropped": (span.dropped_attributes, span.dropped_events, span.dropped_links),
        "scope": span.instrumentation_scope,
        "flags": span.context.trace_flags,
        "remote": span.context.is_remote,
        "ended": span.end_time is not None,
    }


def quiet(span: Span) -> None:
    del span


def attributes(span: Span) -> None:
    span.set_attribute("late", 1)
    span.set_attributes({"name": "again", "more": 2.5, "yes": True, "names": ("a", "b")})


def odd_values(span: Span) -> None:
    odd: Any = {"list": ["a"], "ints": (1, 2), "none": None, "mixed": ("a", 1), "": "no key"}
    span.set_attributes(odd)


def a_flood(span: Span) -> None:
    span.set_attributes({f"flood.{number}": number for number in range(200)})
    span.set_attribute("name", "kept")
    for number in range(130):
        span.add_event(f"e{number}", {"k": "long" * 9})
        span.add_link(OTHER, {"k": number})
    flood = {f"k{each}": each for each in range(130)}
    span.add_event("flood", flood)
    span.add_link(OTHER, flood)


def events(span: Span) -> None:
    span.add_event("bare")
    span.add_event("full", {"a": 1, "b": ["x"]}, 5)


def a_trickle(span: Span) -> None:
    for number in range(150):
        span.set_attribute(f"drop.{number}", number)
    span.set_attribute("drop.140", "again")


def exception(span: Span) -> None:
    span.record_exception(ValueError("broken"), {"more": 1})
    span.set_status(Status(StatusCode.ERROR, "it broke"))


def statuses(span: Span) -> None:
    span.set_status(StatusCode.ERROR, "first")
    span.set_status(StatusCode.UNSET)
    span.set_status(StatusCode.OK)
    span.set_status(StatusCode.ERROR, "too late")


def renaming(span: Span) -> None:
    span.update_name("better")


def links(span: Span) -> None:
    span.add_link(OTHER, {"kind": "x"})
    span.add_link(NOBODY)
    span.add_link(NOBODY, {"kind": "x"})


def after_the_end(span: Span) -> None:
    span.end(7)
    span.set_attribute("late", 1)
    span.set_attributes({"late": 1})
    span.add_event("late")
    span.add_link(OTHER)
    span.update_name("late")
    span.set_status(StatusCode.ERROR)
    span.end()


STORIES = [
    quiet,
    attributes,
    odd_values,
    a_flood,
    a_trickle,
    events,
    exception,
    statuses,
    renaming,
    links,
    after_the_end,
]


def told(story: Callable[[Span], None], *, light: bool) -> Diary:
    """What a processor sees of a root, its child that lives the story, and a foreign grandchild."""
    diary = Diary()
    provider = TracerProvider(
        resource=Resource({"service.name": "s"}),
        id_generator=Numbered(),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(diary)
    tracer = provider.get_tracer("scope", "1", "https://schema", {"of": "scope"})
    start = starter(tracer) if light else tracer.start_span
    with tracer.start_as_current_span("root"):
        facts: dict[str, Any] = {"name": "n", "number": 1, "depends": ("a",)}
        span = start("child", None, SpanKind.CLIENT, facts, [Link(OTHER, {"k": "v"}), Link(NOBODY)])
        assert isinstance(span, LightSpan) is light
        assert isinstance(span, ReadableSpan)
        token = attach(set_span_in_context(span))
        with tracer.start_as_current_span("foreign"):
            pass
        detach(token)
        story(span)
        if span.is_recording():
            span.end()
    return diary


@pytest.mark.parametrize("story", STORIES)
def test_processors_see_what_they_see_of_the_sdks_span(story):
    light, sdk = told(story, light=True), told(story, light=False)

    assert light.entries == sdk.entries


@pytest.mark.parametrize("story", STORIES)
def test_what_is_sent_is_the_same_message(story):
    light, sdk = (
        encode_spans(told(story, light=each).ended).resource_spans[0].scope_spans[0].spans
        for each in (True, False)
    )

    for one, other in zip(light, sdk, strict=True):
        for span in (one, other):
            for timed in (span, *span.events):
                for field in ("start_time_unix_nano", "end_time_unix_nano", "time_unix_nano"):
                    if hasattr(timed, field):
                        setattr(timed, field, 0)
        assert one == other


def test_what_was_exported_does_not_change_any_more():
    provider = TracerProvider(shutdown_on_exit=False)
    diary = Diary()
    provider.add_span_processor(diary)
    tracer = provider.get_tracer("scope")

    with tracer.start_as_current_span("root"):
        span = starter(tracer)("child", None, SpanKind.INTERNAL, {}, ())
        span.end()
        span.set_attributes({"late": 1})
        span.update_name("late")

    assert (diary.ended[0].name, dict(diary.ended[0].attributes or {})) == (
        "child",
        {"set.at.start": True},
    )


def test_what_is_done_to_a_span_that_has_ended_is_said(caplog):
    told(after_the_end, light=True)

    assert "end was called on the span 'child', which has ended." in caplog.messages


class Picky(Sampler):
    """A sampler that has a say in every span."""

    def should_sample(self, parent_context, trace_id, name, *args, **kwargs):
        decision = Decision.DROP if name == "child" else Decision.RECORD_AND_SAMPLE
        return SamplingResult(decision)

    def get_description(self):
        return "localParentSampled:AlwaysOnSampler,"


@pytest.mark.parametrize(
    ("sampler", "is_light"),
    [
        (None, True),
        (ALWAYS_ON, True),
        (ParentBased(TraceIdRatioBased(1.0)), True),
        (ParentBased(ALWAYS_ON, local_parent_sampled=TraceIdRatioBased(1.0)), False),
        (TraceIdRatioBased(1.0), False),
        (Picky(), False),
    ],
)
def test_a_sampler_that_has_a_say_is_asked(sampler, is_light):
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    tracer = provider.get_tracer("scope")

    with tracer.start_as_current_span("root"):
        span = starter(tracer)("child", None, SpanKind.INTERNAL, {}, ())

    assert isinstance(span, LightSpan) is is_light
    assert span.is_recording() is not isinstance(sampler, Picky)


@pytest.mark.parametrize(
    ("flags", "is_remote"),
    [(TraceFlags.SAMPLED, True), (TraceFlags.DEFAULT, False)],
    ids=["remote", "not sampled"],
)
def test_the_child_of_another_kind_of_parent_is_the_sdks(flags, is_remote):
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("scope")
    parent = NonRecordingSpan(SpanContext(1, 2, is_remote, TraceFlags(flags)))

    span = starter(tracer)("child", set_span_in_context(parent), SpanKind.INTERNAL, {}, ())

    assert not isinstance(span, LightSpan)


def test_a_root_and_a_child_of_one_that_was_not_sampled_are_the_sdks():
    on, off = (
        starter(TracerProvider(sampler=sampler, shutdown_on_exit=False).get_tracer("scope"))
        for sampler in (ALWAYS_ON, ALWAYS_OFF)
    )

    assert not isinstance(on("root", None, SpanKind.INTERNAL, {}, ()), LightSpan)
    assert not off("root", None, SpanKind.INTERNAL, {}, ()).is_recording()


def test_the_trace_state_of_the_parent_is_handed_on():
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("scope")
    state = TraceState([("vendor", "x")])
    parent = NonRecordingSpan(SpanContext(1, 2, False, TraceFlags(1), state))

    span = starter(tracer)("child", set_span_in_context(parent), SpanKind.INTERNAL, {}, ())

    assert isinstance(span, LightSpan)
    assert span.get_span_context().trace_state == state


@pytest.mark.parametrize(
    "limit",
    ["max_attributes", "max_events", "max_links", "max_attribute_length", "max_event_attributes"],
)
def test_limits_that_somebody_set_are_left_to_the_sdk(limit):
    limits = SpanLimits(**{limit: 5})
    tracer = TracerProvider(span_limits=limits, shutdown_on_exit=False).get_tracer("scope")

    with tracer.start_as_current_span("root"):
        span = starter(tracer)("child", None, SpanKind.INTERNAL, {}, ())

    assert not isinstance(span, LightSpan)


def test_the_sdks_metrics_of_itself_are_left_to_the_sdk(monkeypatch):
    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("scope")

    with tracer.start_as_current_span("root"):
        span = starter(tracer)("child", None, SpanKind.INTERNAL, {}, ())

    assert not isinstance(span, LightSpan)
