"""What a receiver refuses of a batch that it takes: OTLP's partial success, ignored by the SDK."""

from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse


@dataclass(slots=True)
class Refusals:
    """How many spans a receiver has refused so far, and what it last said of them."""

    spans: int = 0
    reason: str = ""

    def note(self, response: Any) -> None:
        """Read the answer to one batch."""
        told = getattr(response, "partial_success", None)
        if told is not None and told.rejected_spans > 0:
            self.spans += told.rejected_spans
            self.reason = told.error_message

    def note_http(self, response: Any, *_: object, **__: object) -> None:
        """Read the answer to one batch over HTTP: a hook of the library that sends it."""
        if not response.ok:
            return
        try:
            self.note(ExportTraceServiceResponse.FromString(response.content))
        except DecodeError:
            return  # an answer in another format: it took the batch, and that is all we know


class ReadStub:
    """A gRPC stub whose answers are read."""

    def __init__(self, stub: Any, refusals: Refusals) -> None:
        self._export = stub.Export
        self._refusals = refusals

    def Export(self, *args: Any, **options: Any) -> Any:  # noqa: N802  (the protocol's name)
        """Send one batch."""
        response = self._export(*args, **options)
        self._refusals.note(response)
        return response
