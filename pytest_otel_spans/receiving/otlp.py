"""The spans that other processes sent to a test."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.sdk.trace import ReadableSpan

from pytest_otel_spans.capturing.capture import SpanCapture
from pytest_otel_spans.capturing.chime import Chime
from pytest_otel_spans.capturing.questions import Capture
from pytest_otel_spans.receiving.environment import environment
from pytest_otel_spans.receiving.inbox import Inbox
from pytest_otel_spans.receiving.receiver import receive, silence
from pytest_otel_spans.text.render import counted
from pytest_otel_spans.tree import Sighting

__all__ = ["OtlpCapture", "receive_spans"]

_SERVICE = "service.name"


@contextmanager
def receive_spans(local: SpanCapture | None = None) -> Iterator[OtlpCapture]:
    """Listen while the block runs.

    Args:
        local: The spans of this process, to be joined with those that arrive.
    """
    inbox = Inbox(Chime() if local is None else local.chime)
    with receive(inbox) as endpoint:
        yield OtlpCapture(endpoint, inbox, local)


class OtlpCapture(Capture):
    """The spans that arrived over OTLP while one test ran.

    In a test that also uses `spans`, the spans of this process that belong to a trace which
    arrived stand among them: one tree from the call to what it called.

    Attributes:
        endpoint: The URL of the receiver: `http://127.0.0.1:PORT`.
    """

    fixture = "otlp_spans"

    def __init__(
        self, endpoint: str, inbox: Inbox, local: SpanCapture | None, service: str | None = None
    ) -> None:
        super().__init__(inbox.chime)
        self.endpoint = endpoint
        self._inbox = inbox
        self._local = local
        self._service = service

    def env(self) -> dict[str, str]:
        """Return a copy of the environment in which a process sends its spans here.

        See `environment` for what it sets and leaves out.
        """
        return environment(self.endpoint, os.environ)

    def service(self, name: str) -> OtlpCapture:
        """Return the same capture, of the spans of one service only."""
        return OtlpCapture(self.endpoint, self._inbox, self._local, name)

    @property
    def services(self) -> tuple[str, ...]:
        """The names of the services whose spans arrived, the first one first."""
        return tuple(dict.fromkeys(map(_service_of, self._inbox.spans())))

    def sightings(self) -> list[Sighting | ReadableSpan]:
        """Every span that arrived so far, after those of this process that belong to them."""
        arrived = self._inbox.spans()
        seen: list[Sighting | ReadableSpan] = []
        if self._local is not None:
            traces = {span.context.trace_id for span in arrived}
            seen += [
                one for one in self._local.sightings() if _bare(one).context.trace_id in traces
            ]
        seen += arrived
        return [one for one in seen if self._service in (None, _service_of(_bare(one)))]

    @property
    def notes(self) -> tuple[str, ...]:
        """Whose spans these are, and what else there is to know about how they came."""
        services = Counter(_service_of(_bare(one)) for one in self.sightings())
        whose = [f"{counted(many, 'span')} of service {name!r}" for name, many in services.items()]
        repeats = self._inbox.repeats
        again = [f"{counted(repeats, 'span')} came again, and counted once"] if repeats else []
        return (*whose, *again, *dict.fromkeys(self._inbox.refusals))

    def why_empty(self) -> str:
        """Say in one sentence why no span arrived."""
        inbox = self._inbox
        since = f" since {self.fixture}.clear()" if inbox.emptied else ""
        if self._service is not None and self.services:
            others = ", ".join(map(repr, self.services))
            return f"No span of service {self._service!r} arrived{since}, but of {others}."
        if inbox.refusals:
            return f"No span arrived{since}: {inbox.refusals[-1]}."
        if inbox.senders:
            requests = counted(inbox.senders.total(), "request")
            return f"No span arrived{since}: {requests} from {', '.join(inbox.senders)} held none."
        return (
            f"No span arrived{since}: no request reached {self.endpoint}. A process sends its "
            f"spans there when it is given env={self.fixture}.env(), exports over OTLP/gRPC, and "
            "flushes before it exits."
        )

    def clear(self) -> None:
        """Forget every span that arrived so far (of this service)."""
        self._inbox.drop(lambda span: self._service in (None, _service_of(span)))

    def _check_live(self) -> None:
        __tracebackhide__ = True
        reason = silence(self.endpoint)
        if reason is not None:
            raise AssertionError(
                f"No span arrived, and none could: {self.endpoint} does not answer ({reason})."
            )


def _bare(seen: Sighting | ReadableSpan) -> ReadableSpan:
    return seen.span if isinstance(seen, Sighting) else seen


def _service_of(span: ReadableSpan) -> str:
    return str(span.resource.attributes.get(_SERVICE, ""))
