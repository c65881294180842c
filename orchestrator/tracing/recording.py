"""A span that records: OpenTelemetry's own, entered and left by us.

Results are collected and handed over in one call when the block is left: on the SDK, setting them
one by one costs more than the span itself. Whatever goes wrong in here is logged, never raised.
"""

import logging
from collections.abc import Mapping, Sequence
from contextvars import Token
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from types import TracebackType
from typing import Any, Final, Self

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    set_span_in_context,
)

from orchestrator import spans
from orchestrator.redaction import redact
from orchestrator.spans.spec import SpanSpec
from orchestrator.tracing.failure import CANCELLED, code_of, event_of, first_seen, sentence_of
from orchestrator.tracing.light import Start

_log = logging.getLogger("orchestrator.tracing")
_PLAIN: Final = frozenset({str, bool, int, tuple})


def exportable(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attributes without what cannot be carried: None, NaN, mappings.

    All is well nearly always, and finding that out must cost nearly nothing.
    """
    for value in attributes.values():
        kind = type(value)
        if kind not in _PLAIN and not (kind is float and isfinite(value)):
            carried = {key: _carried(each) for key, each in attributes.items()}
            return {key: each for key, each in carried.items() if each is not None}
    return attributes


def _carried(value: object) -> Any:
    """The value as every version of OpenTelemetry carries it; None: not at all."""
    if isinstance(value, (float, Decimal)):
        return float(value) if isfinite(value) else None
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (bool, int)):
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        return tuple(str(item) for item in value)
    return None


@dataclass(frozen=True, slots=True)
class Family:
    """What the schema fixes for one kind of span, laid out for the hot path."""

    fixed: dict[str, Any]
    """Attributes with one value only."""
    results: dict[str, Any]
    """What a span says that broke off before anybody knew better."""
    founding: frozenset[str]

    @classmethod
    def of(cls, spec: SpanSpec) -> "Family":
        """Read one row of the schema."""
        return cls(
            fixed={key.name: key.value for key in spec.keys if key.value is not None},
            results={key.name: key.default for key in spec.keys if key.default is not None},
            founding=frozenset(key.name for key in spec.keys if key.founding),
        )


class RecordingSpan(Span):
    """One traced block: the context manager, and the span that it yields."""

    __slots__ = (
        "_facts",
        "_failed",
        "_family",
        "_kind",
        "_limit",
        "_links",
        "_name",
        "_parent",
        "_results",
        "_span",
        "_start",
        "_token",
    )

    def __init__(
        self,
        start: Start,
        name: str,
        family: Family,
        facts: dict[str, Any],
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        links: Sequence[Link] = (),
        parent: Context | None = None,
        limit: int = 128,
    ) -> None:
        self._start = start
        self._name = name
        self._family = family
        self._facts = facts
        self._kind = kind
        self._links = links
        self._parent = parent
        self._limit = limit
        self._results = family.results.copy()
        self._span: Span = INVALID_SPAN
        self._token: Token[Context] | None = None
        self._failed = False

    def __enter__(self) -> Self:
        try:
            self._span = self._start(self._name, self._parent, self._kind, self._facts, self._links)
            self._token = attach(set_span_in_context(self._span, self._parent))
        except Exception:  # noqa: BLE001  (a host's processor may raise; the run must not)
            _log.exception("The span %r could not be started.", self._name)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._token is not None:
            detach(self._token)
        try:
            if error is not None and self.is_recording():
                self._record(error)
        except Exception:  # noqa: BLE001  (as above)
            _log.exception("What failed in %r could not be recorded.", self._name)
        self.end()

    def _record(self, error: BaseException) -> None:
        code = code_of(error)
        # Each task that is cancelled gets an exception of its own: a span that has said so is done.
        told = self._failed and code == CANCELLED
        if self._is_new(error) and not told:
            self._span.add_event(spans.EVENT_EXCEPTION, event_of(error))
        self.fail(code, sentence_of(error))

    def _is_new(self, error: BaseException) -> bool:
        return first_seen(error, getattr(self._span, "start_time", None))

    def _final(self) -> Mapping[str, Any]:
        """The results; past the limit the SDK drops the oldest, so the founding ones go last."""
        results = exportable(self._results)
        if len(results) + len(self._facts) <= self._limit:
            return results
        everything = {**self._facts, **results}
        founding = {key: everything.pop(key) for key in self._family.founding & everything.keys()}
        return {**everything, **founding}

    def fail(self, error_type: str, sentence: str) -> None:
        """Say that the work failed; the first word stands."""
        if self._failed or not self.is_recording():
            return
        self._failed = True
        self._results[spans.ERROR_TYPE] = error_type
        self._span.set_status(Status(StatusCode.ERROR, redact(sentence)))

    def is_recording(self) -> bool:
        """Whether anything written here is kept."""
        return self._span.is_recording()

    def set_attribute(self, key: str, value: Any) -> None:
        """Keep one result for the end."""
        self._results[key] = value

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Keep results for the end."""
        self._results.update(attributes)

    def end(self, end_time: int | None = None) -> None:
        """Hand the results over and end, once."""
        span = self._span
        try:
            if span.is_recording():
                span.set_attributes(self._final())
                span.end(end_time)
            self._ended()
        except Exception:  # noqa: BLE001  (as above)
            _log.exception("The span %r could not be ended.", self._name)

    def _ended(self) -> None:
        """What is still to be done with the facts and the results."""

    def get_span_context(self) -> SpanContext:
        """What links and children need."""
        return self._span.get_span_context()

    def add_event(
        self, name: str, attributes: Mapping[str, Any] | None = None, timestamp: int | None = None
    ) -> None:
        """Say that something happened."""
        self._span.add_event(name, exportable(attributes or {}), timestamp)

    def add_link(self, context: SpanContext, attributes: Mapping[str, Any] | None = None) -> None:
        """Relate the span to another one."""
        self._span.add_link(context, exportable(attributes or {}))

    def update_name(self, name: str) -> None:
        """Rename the span."""
        self._span.update_name(name)

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Set the status by hand; `fail` says the error's type too."""
        self._span.set_status(status, description)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Mapping[str, Any] | None = None,
        timestamp: int | None = None,
        escaped: bool = False,  # noqa: ARG002, FBT001, FBT002  (OpenTelemetry's signature)
    ) -> None:
        """Record an exception that was dealt with, as carefully as one that leaves the block."""
        if self._is_new(exception):
            self.add_event(
                spans.EVENT_EXCEPTION, {**event_of(exception), **(attributes or {})}, timestamp
            )
