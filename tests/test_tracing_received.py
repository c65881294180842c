"""What the command sends is what receivers read that nobody here wrote."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.foreign_receivers import DatadogAgent, ReceiverMissing, Rotel, Span, running
from tests.processes import ENVIRON

COMMAND = """
import sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from orchestrator.cli import main

# A host's provider: it keeps what is sent, beside the endpoint that the command line names.
kept = open(sys.argv.pop(1), "w", encoding="utf-8")
provider = TracerProvider()
provider.add_span_processor(
    SimpleSpanProcessor(
        ConsoleSpanExporter(out=kept, formatter=lambda span: span.to_json(indent=None) + chr(10))
    )
)
trace.set_tracer_provider(provider)
main()
"""


def run_command(kept: Path, endpoint: str, protocol: str) -> list[Span]:
    """Run the whole command; what it sent."""
    done = subprocess.run(
        [
            *(sys.executable, "-c", COMMAND, str(kept), "--quiet", "--tracing"),
            *("--project", "Build a rate limiter library", "--otlp-endpoint", endpoint),
        ],
        env=ENVIRON | {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "lost" not in done.stderr
    return [_sent(json.loads(line)) for line in kept.read_text(encoding="utf-8").splitlines()]


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
def test_a_receiver_reads_the_tree_that_the_command_sent(kind, protocol, tmp_path):
    try:
        with running(kind, tmp_path) as receiver:
            port = receiver.grpc if protocol == "grpc" else receiver.http
            sent = run_command(tmp_path / "sent", f"http://127.0.0.1:{port}", protocol)
            received = receiver.spans()
    except ReceiverMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))

    assert len(sent) > 30
    assert all(0 < span.start < span.end for span in received)
    for span in received:
        span.start = span.end = 0
    assert sorted(received, key=lambda span: span.id) == sorted(sent, key=lambda span: span.id)
