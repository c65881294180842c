"""OTLP receivers that nobody here wrote: processes of their own, each with its way to tell."""

import base64
import json
import os
import re
import socket
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc

_READY_S: Final = 60


class ReceiverMissing(Exception):
    """It cannot be run here; says why."""


@dataclass(slots=True, kw_only=True)
class Span:
    """A span as a receiver tells it: ids in hexadecimal, times in nanoseconds."""

    trace_id: str
    id: str
    parent_id: str
    name: str
    kind: str
    status: str
    start: int
    end: int
    attributes: dict[str, Any] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)


def program(variable: str, package: str) -> str:
    """The program that an environment variable names.

    Raises:
        ReceiverMissing: it names none.
    """
    path = os.environ.get(variable, "")
    if not Path(path).is_file():
        raise ReceiverMissing(
            f"{variable} names no file ({path!r}): install {package} in an environment of its own "
            "and set the variable to its program"
        )
    return path


class Rotel:
    """A collector in Rust; it prints every span that it takes."""

    def __init__(self, folder: Path) -> None:
        self.grpc, self.http = _free_ports(2)
        self._output = folder / "output"
        command = [
            *(program("ORCHESTRATOR_ROTEL", "rotel"), "start", "--exporter", "blackhole"),
            *("--otlp-grpc-endpoint", f"127.0.0.1:{self.grpc}"),
            *("--otlp-http-endpoint", f"127.0.0.1:{self.http}"),
            *("--debug-log", "traces", "--debug-log-verbosity", "detailed"),
            *("--pid-file", str(folder / "pid"), "--log-file", str(folder / "log")),
        ]
        with self._output.open("w") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        _wait_for(self.grpc)

    def spans(self) -> list[Span]:
        """The spans that it took; it ends, so that it has printed the last of them."""
        self.stop()
        text = self._output.read_text(encoding="utf-8")
        return [_from_log(part) for part in re.split(r"^Span #\d+\n", text, flags=re.MULTILINE)[1:]]

    def stop(self) -> None:
        """End it."""
        _stop(self._process)


class DatadogAgent:
    """Datadog's agent for tests; it keeps every span as it came, and tells them over HTTP."""

    def __init__(self, folder: Path) -> None:
        api, self.grpc, self.http = _free_ports(3)
        self._process = subprocess.Popen(
            [
                program("ORCHESTRATOR_DDAPM", "ddapm-test-agent"),
                *("--host", "127.0.0.1", "-p", str(api), "--disable-llmobs-data-forwarding"),
                *("--otlp-grpc-port", str(self.grpc), "--otlp-http-port", str(self.http)),
                *("--snapshot-dir", str(folder)),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _wait_for(self.grpc)

    def spans(self) -> list[Span]:
        """The spans that it took."""
        url = f"http://127.0.0.1:{self.http}/test/session/traces"
        with urllib.request.urlopen(url, timeout=30) as answer:  # its own loopback port
            requests = json.load(answer)
        return [
            _from_json(span)
            for request in requests
            for resource in request["resource_spans"]
            for scope in resource["scope_spans"]
            for span in scope["spans"]
        ]

    def stop(self) -> None:
        """End it."""
        _stop(self._process)


@contextmanager
def running(kind: type[Rotel | DatadogAgent], folder: Path) -> Iterator[Rotel | DatadogAgent]:
    """A receiver that takes spans while the block lasts.

    Raises:
        ReceiverMissing: it is not installed.
    """
    receiver = kind(folder)
    try:
        yield receiver
    finally:
        receiver.stop()


def _free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _wait_for(port: int) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        grpc.channel_ready_future(channel).result(timeout=_READY_S)


def _stop(process: "subprocess.Popen[Any]") -> None:
    process.terminate()
    process.wait(timeout=30)


def _from_log(text: str) -> Span:
    """A span of rotel's log: its fields, then its attributes, events and links."""
    fields, _, rest = text.partition("Attributes:\n")
    told = dict(re.findall(r"^ *([A-Z][\w ]*?) *: (.*)$", fields, re.MULTILINE))
    own = re.split(
        r"^(?:Events|Links|ResourceSpans #\d+|ScopeSpans #\d+):?$", rest, flags=re.MULTILINE
    )
    return Span(
        trace_id=told["Trace ID"],
        id=told["ID"],
        parent_id=told["Parent ID"],
        name=told["Name"],
        kind=told["Kind"],
        status=told["Status code"],
        start=int(told["Start time"]),
        end=int(told["End time"]),
        attributes={
            key: _typed(value)
            for key, value in re.findall(r"^ {5}-> (\S+): (.*)$", own[0], re.MULTILINE)
        },
        events=re.findall(r"^ {5}-> Name: (.*)$", rest, re.MULTILINE),
        links=re.findall(r"^ {5}-> ID: (.*)$", rest, re.MULTILINE),
    )


def _typed(told: str) -> Any:
    kind, value = told.removesuffix(")").split("(", 1)
    if kind == "Slice":
        return re.findall(r"Str\(([^)]*)\)", value)
    return _TYPES[kind](value)


_TYPES: Final[Mapping[str, Any]] = {
    "Str": str,
    "Int": int,
    "Double": float,
    "Bool": lambda value: value == "true",
}


def _from_json(span: Mapping[str, Any]) -> Span:
    """A span as protobuf's JSON, whose ids are in base 64 and whose whole numbers are strings."""
    return Span(
        trace_id=_hex(span["trace_id"]),
        id=_hex(span["span_id"]),
        parent_id=_hex(span.get("parent_span_id", "")),
        name=span["name"],
        kind=span["kind"],
        status=span["status"].get("code", "STATUS_CODE_UNSET"),
        start=int(span["start_time_unix_nano"]),
        end=int(span["end_time_unix_nano"]),
        attributes={each["key"]: _value(each["value"]) for each in span.get("attributes", [])},
        events=[event["name"] for event in span.get("events", [])],
        links=[_hex(link["span_id"]) for link in span.get("links", [])],
    )


def _hex(told: str) -> str:
    return base64.b64decode(told).hex()


def _value(told: Mapping[str, Any]) -> Any:
    ((kind, value),) = told.items()
    if kind == "array_value":
        return [_value(each) for each in value.get("values", [])]
    return int(value) if kind == "int_value" else value
