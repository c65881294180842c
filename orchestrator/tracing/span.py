"""What a traced block is given: the span it writes to, or one that takes nothing."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, cast

if TYPE_CHECKING:
    from decimal import Decimal

    from opentelemetry.trace import SpanContext
    from opentelemetry.util.types import AttributeValue

    Attribute: TypeAlias = AttributeValue | Sequence[str] | Decimal


class Span(Protocol):
    """The part of OpenTelemetry's span that the run uses, with `fail` added.

    While tracing records, the object is a whole `opentelemetry.trace.Span`.
    """

    def is_recording(self) -> bool:
        """Whether anything written here is kept: ask before building what only a trace needs."""
        ...

    def set_attribute(self, key: str, value: "Attribute") -> None:
        """Say one thing about the work."""
        ...

    def set_attributes(self, attributes: "Mapping[str, Attribute]") -> None:
        """Say several things about the work."""
        ...

    def add_event(self, name: str, attributes: "Mapping[str, Attribute] | None" = None) -> None:
        """Say that something happened now."""
        ...

    def get_span_context(self) -> "SpanContext":
        """What another span needs to link here."""
        ...

    def fail(self, error_type: str, sentence: str) -> None:
        """Say that the work failed, where no exception does; the first word stands."""
        ...


TracedBlock: TypeAlias = AbstractContextManager[Span, None]


class _NoContext:
    """The span context of nothing; OpenTelemetry's own would have to be imported."""

    __slots__ = ()
    trace_id = 0
    span_id = 0
    is_remote = False
    is_valid = False


_NO_CONTEXT: Final = _NoContext()


class _Off:
    """A traced block while tracing is off: one object for all, without state.

    Enter and exit are static because a `with` binds methods, which allocates; a static one has
    nothing to bind. `ExitStack` passes the object all the same, hence the last parameters.
    """

    __slots__ = ()

    @staticmethod
    def __enter__(_block: object = None) -> TracedBlock:
        return OFF

    @staticmethod
    def __exit__(_type: object, _error: object, _trace: object, _block: object = None) -> None:
        return None

    def is_recording(self) -> bool:
        return False

    def set_attribute(self, key: str, value: object) -> None:
        pass

    def set_attributes(self, attributes: object) -> None:
        pass

    def add_event(self, name: str, attributes: object = None, timestamp: object = None) -> None:
        pass

    def get_span_context(self) -> _NoContext:
        return _NO_CONTEXT

    def fail(self, error_type: str, sentence: str) -> None:
        pass

    def add_link(self, context: object, attributes: object = None) -> None:
        pass

    def update_name(self, name: str) -> None:
        pass

    def set_status(self, status: object, description: object = None) -> None:
        pass

    def record_exception(self, exception: BaseException, *_: object, **__: object) -> None:
        pass

    def end(self, end_time: object = None) -> None:
        pass


OFF: Final = cast("TracedBlock", _Off())  # mypy reads a static __enter__ as a bound one
