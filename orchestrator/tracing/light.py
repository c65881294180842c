"""Spans equal to the SDK's at a fifth of their price, for the ordinary case.

Ordinary is a child of a sampled span of this process, made by the SDK's own tracer with its usual
limits and a sampler that samples every such child. Everything else, roots among it, is left to the
SDK.
"""

import logging
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from time import time_ns
from typing import Any, Final, Protocol, cast

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Event, ReadableSpan, Tracer
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_ON,
    ParentBased,
    ParentBasedTraceIdRatio,
    Sampler,
)
from opentelemetry.sdk.util import BoundedList
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    get_current_span,
)
from opentelemetry.trace import Tracer as AnyTracer

_log = logging.getLogger("orchestrator.tracing")
_PLAIN: Final = frozenset({str, bool, int, float})
_STRING: Final = frozenset({str})
_SELF_METRICS: Final = "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED"
_MOST: Final = 128
_USUAL_LIMITS: Final = {
    "max_attributes": _MOST,
    "max_span_attributes": _MOST,
    "max_event_attributes": _MOST,
    "max_link_attributes": _MOST,
    "max_events": _MOST,
    "max_links": _MOST,
    "max_attribute_length": None,
    "max_span_attribute_length": None,
}
_UNSET: Final = Status(StatusCode.UNSET)


class Start(Protocol):
    """Starts a span, which its caller ends and makes current."""

    def __call__(
        self,
        name: str,
        context: Context | None,
        kind: SpanKind,
        attributes: dict[str, Any],
        links: Sequence[Link],
    ) -> Span:
        """Start it; the attributes are the span's from now on."""
        ...


def starter(tracer: AnyTracer) -> Start:
    """The quickest way to start spans such as `tracer` makes."""

    def by_the_sdk(
        name: str,
        context: Context | None,
        kind: SpanKind,
        attributes: dict[str, Any],
        links: Sequence[Link],
    ) -> Span:
        return tracer.start_span(
            name,
            context,
            kind,
            attributes,
            links,
            record_exception=False,
            set_status_on_exception=False,
        )

    if type(tracer) is not Tracer or os.environ.get(_SELF_METRICS) or not _keeps(tracer.sampler):
        return by_the_sdk
    if vars(getattr(tracer, "_span_limits", Tracer)) != _USUAL_LIMITS:
        return by_the_sdk
    is_enabled: Callable[[], bool] = getattr(tracer, "_is_enabled", lambda: True)

    def light(
        name: str,
        context: Context | None,
        kind: SpanKind,
        attributes: dict[str, Any],
        links: Sequence[Link],
    ) -> Span:
        parent = get_current_span(context).get_span_context()
        ordinary = parent.is_valid and parent.trace_flags.sampled and not parent.is_remote
        if not ordinary or not is_enabled():
            return by_the_sdk(name, context, kind, attributes, links)
        span = LightSpan(tracer, name, parent, kind, attributes, links)
        tracer.span_processor.on_start(cast("SdkSpan", span), parent_context=context)
        return span

    return light


def _keeps(sampler: object) -> bool:
    """Whether a child of a sampled local span is sampled, and nothing is added to it."""
    if sampler is ALWAYS_ON:
        return True
    if type(sampler) not in (ParentBased, ParentBasedTraceIdRatio):
        return False
    described = str(cast("Sampler", sampler).get_description())
    return "localParentSampled:AlwaysOnSampler," in described


def _are_plain(values: Collection[object]) -> bool:
    """Whether the SDK would carry the values as they are."""
    others = set(map(type, values)) - _PLAIN
    return not others or (
        others == {tuple}
        and all(_STRING.issuperset(map(type, each)) for each in values if isinstance(each, tuple))
    )


class LightSpan(ReadableSpan, Span):
    """A started span: what processors see of it is what they see of the SDK's.

    It saves what the SDK prepares for every span and hardly any needs: a lock, lists of events and
    links, attributes checked one by one. They are made when they are asked for.
    """

    def __init__(  # noqa: PLR0917  (keywords cost, and this is the hot path)
        self,
        tracer: Tracer,
        name: str,
        parent: SpanContext,
        kind: SpanKind,
        attributes: dict[str, Any],
        links: Sequence[Link],
    ) -> None:
        self._tracer = tracer
        self._name = name
        self._context = SpanContext(
            parent.trace_id,
            tracer.id_generator.generate_span_id(),
            is_remote=False,
            trace_flags=parent.trace_flags,
            trace_state=parent.trace_state,
        )
        self._parent = parent
        self._kind = kind
        self._attributes: Any = attributes
        self._resource = tracer.resource
        self._instrumentation_info = tracer.instrumentation_info
        self._instrumentation_scope = tracer._instrumentation_scope  # noqa: SLF001
        self._status = _UNSET
        self._events: Any = ()
        self._links: Any = ()
        self._start_time: int | None = time_ns()
        self._end_time: int | None = None
        for link in links:
            self.add_link(link.context, link.attributes)

    def get_span_context(self) -> SpanContext:
        """What children and links need."""
        return cast("SpanContext", self._context)

    def is_recording(self) -> bool:
        """Whether it has not ended."""
        return self._end_time is None

    def set_attribute(self, key: str, value: Any) -> None:
        """Set one attribute."""
        self.set_attributes({key: value})

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set several; past the limit, those that were set longest ago go."""
        if not self._is_open("set_attributes"):
            return
        mine = self._attributes
        if len(mine) + len(attributes) > _MOST:
            if isinstance(mine, dict):
                mine = self._attributes = BoundedAttributes(_MOST, mine, immutable=False)
        elif not mine.keys().isdisjoint(attributes):
            for key in attributes:
                mine.pop(key, None)
        mine.update(attributes)

    def add_event(
        self, name: str, attributes: Mapping[str, Any] | None = None, timestamp: int | None = None
    ) -> None:
        """Say that something happened."""
        if self._is_open("add_event"):
            if not self._events:
                self._events = BoundedList(_MOST)
            bounded = BoundedAttributes(_MOST, attributes)
            self._events.append(Event(name=name, attributes=bounded, timestamp=timestamp))

    def add_link(self, context: SpanContext, attributes: Mapping[str, Any] | None = None) -> None:
        """Relate it to another span; nothing is related to no span at all."""
        if not context.is_valid and not attributes and not context.trace_state:
            return
        if self._is_open("add_link"):
            if not self._links:
                self._links = BoundedList(_MOST)
            bounded = BoundedAttributes(_MOST, attributes)
            self._links.append(Link(context, bounded))

    def update_name(self, name: str) -> None:
        """Rename it."""
        if self._is_open("update_name"):
            self._name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Set the status; OK is final, and UNSET takes nothing back."""
        code = status.status_code if isinstance(status, Status) else status
        final = self._status.status_code is StatusCode.OK or code is StatusCode.UNSET
        if self._is_open("set_status") and not final:
            self._status = status if isinstance(status, Status) else Status(status, description)

    record_exception = SdkSpan.record_exception
    """The SDK's own, which asks for `add_event` alone."""

    def end(self, end_time: int | None = None) -> None:
        """Hand it to the processors, once."""
        if not self._is_open("end"):
            return
        self._end_time = time_ns() if end_time is None else end_time
        mine = self._attributes
        if isinstance(mine, dict) and ("" in mine or not _are_plain(mine.values())):
            self._attributes = BoundedAttributes(_MOST, mine)
        processor = self._tracer.span_processor
        ending: Callable[[Any], None] | None = getattr(processor, "_on_ending", None)
        if ending is not None:  # not before SDK 1.34
            ending(self)
        processor.on_end(
            ReadableSpan(
                name=self._name,
                context=self._context,
                parent=self._parent,
                resource=self._resource,
                attributes=self._attributes,
                events=self._events,
                links=self._links,
                kind=self._kind,
                instrumentation_info=self._instrumentation_info,
                status=self._status,
                start_time=self._start_time,
                end_time=self._end_time,
                instrumentation_scope=self._instrumentation_scope,
            )
        )

    def _is_open(self, wanted: str) -> bool:
        if self._end_time is None:
            return True
        _log.warning("%s was called on the span %r, which has ended.", wanted, self._name)
        return False
