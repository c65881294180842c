"""What the command sends is what receivers read that nobody here wrote."""

import json
import os
from typing import Any

import pytest

from orchestrator.cli import main
from tests.foreign_receivers import DatadogAgent, ReceiverMissing, Rotel, Span, running


def run_command(endpoint: str) -> None:
    """Run the whole command, with the spans going there."""
    with pytest.raises(SystemExit) as ended:
        main(
            [
                *("--project", "Build a rate limiter library", "--quiet"),
                *("--tracing", "--otlp-endpoint", endpoint),
            ]
        )
    assert ended.value.code == 0


def _sent(span: dict[str, Any]) -> Span:
    """A span in the SDK's own JSON."""
    return Span(
        trace_id=span["context"]["trace_id"].removeprefix("0x"),
        id=span["context"]["span_id"].removeprefix("0x"),
        parent_id=(span["parent_id"] or "").removeprefix("0x"),
        name=span["name"],
        kind=span["kind"].replace("SpanKind.", "SPAN_KIND_"),
        status=f"STATUS_CODE_{span['status']['status_code']}",
        start=0,
        end=0,
        attributes=span["attributes"],
        events=[event["name"] for event in span["events"]],
        links=[link["context"]["span_id"].removeprefix("0x") for link in span["links"]],
    )


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize("kind", [Rotel, DatadogAgent])
def test_a_receiver_reads_the_tree_that_the_command_sent(
    kind, protocol, spans, tmp_path, monkeypatch
):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    try:
        with running(kind, tmp_path) as receiver:
            port = receiver.grpc if protocol == "grpc" else receiver.http
            run_command(f"http://127.0.0.1:{port}")
            received = receiver.spans()
    except ReceiverMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))

    sent = [_sent(json.loads(span.to_json())) for span in spans.exporter.get_finished_spans()]
    assert len(sent) > 30
    assert all(0 < span.start < span.end for span in received)
    for span in received:
        span.start = span.end = 0
    assert sorted(received, key=lambda span: span.id) == sorted(sent, key=lambda span: span.id)
