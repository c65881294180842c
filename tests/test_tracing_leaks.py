"""Secrets planted wherever a run may pick them up, and looked for in all that leaves it."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import pytest

from orchestrator.cli import main
from tests.processes import fresh
from tests.receivers import EXPORTER_TELLS_WHY, receiver, refusing

PLANTED = {
    "our key": "sk-proj-0123456789abcdefPLANTED",
    "a key of Google": "AIzaSyA1234567890abcdefghijkPLANTED",
    "a bearer": "Bearer abcdef.123456.PLANTED",
    "a key of the receiver": "hcaik_01PLANTED23456789",
    "a password": "hunter2PLANTED",
    "the description": "the merger with Umbrella",
    "the criteria": "nobody may know of it",
    "the error's body": "quota of account umbrella-7 exceeded",
}


@contextmanager
def echoing_model(status: int, *answers: str) -> Iterator[str]:
    """A model server that gives its answers, then refuses and repeats what it was told."""
    left = [*answers]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = self.rfile.read(int(self.headers["content-length"])).decode()
            echo = " ".join([*PLANTED.values(), str(self.headers), asked])
            told: dict[str, Any] = {"error": {"message": echo, "type": echo, "code": echo}}
            if left:
                told = completion(left.pop(0))
            body = json.dumps(told).encode()
            self.send_response(200 if "choices" in told else status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.send_header("retry-after", "0")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Keep the tests' output for the tests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def completion(text: str) -> dict[str, Any]:
    """An answer as a server of the OpenAI protocol gives it."""
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18},
    }


def leaked(text: str) -> list[str]:
    """The names of the secrets in a text."""
    return [name for name, secret in PLANTED.items() if secret in text]


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Everything that leaves a traced run."""

    code: Any
    spans: str
    headers: dict[str, str]
    logged: str
    err: str
    out: dict[str, Any]


@pytest.fixture
def traced_command(monkeypatch, capsys, caplog) -> Callable[..., Left]:
    """Run the command against a model server, its spans received over the wire."""

    def run(status: int, *answers: str) -> Left:
        caplog.set_level(logging.DEBUG, "orchestrator")
        monkeypatch.setenv("OPENAI_API_KEY", PLANTED["our key"])
        headers = f"x-key={PLANTED['a key of the receiver']}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", headers)
        with receiver() as server, echoing_model(status, *answers) as model:
            monkeypatch.setenv("OPENAI_BASE_URL", model)
            with pytest.raises(SystemExit) as ended:
                main(
                    [
                        *("--verbose", "--json", "--time", "60", "--concurrency", "1"),
                        *("--project", PLANTED["the description"]),
                        *("--criteria", f"{PLANTED['the criteria']} {PLANTED['a key of Google']}"),
                        *("--tracing", "--otlp-endpoint", f"http://{server.endpoint}"),
                    ]
                )
            spans = "".join(map(str, server.spans))
            shown = capsys.readouterr()
        return Left(
            code=ended.value.code,
            spans=spans,
            headers=server.metadata,
            logged=caplog.text,
            err=shown.err,
            out=json.loads(shown.out),
        )

    return run


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_nothing_of_a_refused_run_leaves_it(status, traced_command):
    left = traced_command(status)

    assert left.code == 1
    assert "llm_call:decompose" in left.spans
    assert left.headers["x-key"] == PLANTED["a key of the receiver"]
    assert leaked(left.spans) == []
    assert leaked(left.logged) == []
    # The results, and the run's title, are the user's own; a failure's sentence is ours.
    assert leaked(left.err) == ["the description"]
    assert leaked(json.dumps(left.out["failure"])) == []


def test_nothing_of_what_models_said_leaves_a_run_that_fails_later(traced_command):
    planted = " ".join(PLANTED.values())
    task = {
        "id": planted,
        "title": "Write it",
        "instructions": planted,
        "type": "writing",
        "depends_on": [],
    }

    left = traced_command(400, json.dumps({"tasks": [task]}), f"A draft: {planted}.")

    assert left.code == 1
    assert "llm_call:critique" in left.spans
    assert leaked(left.spans) == []
    assert leaked(left.logged) == []
    assert leaked(left.err) == ["the description"]
    assert leaked(json.dumps([task["failure"] for task in left.out["tasks"]])) == []


def test_a_warning_of_lost_spans_holds_no_key():
    with refusing() as endpoint:
        done = fresh(
            f"""
            configure_tracing(TracingConfig(
                enabled=True,
                otlp_endpoint="http://me:{PLANTED["a password"]}@{endpoint}/v1/traces",
                flush_timeout_s=0.3,
            ))
            with traced_run("p1"):
                pass
            """,
            OTEL_EXPORTER_OTLP_HEADERS=f"authorization={PLANTED['a bearer']}",
        )

    assert "1 of 1 spans were lost" in done.stderr
    assert leaked(done.stderr) == []


@pytest.mark.parametrize("written", ["hcaik_01PLANTED23456789", "hcaik%5F01PLANTED23456789"])
def test_a_receiver_that_echoes_its_headers_does_not_have_them_said(written):
    key = PLANTED["a key of the receiver"]
    # A status that nobody has advice on, so that the receiver's own words are quoted.
    with receiver(refuses=grpc.StatusCode.INVALID_ARGUMENT, because=f"who is {key}?") as server:
        done = fresh(
            """
            configure_tracing(TracingConfig(enabled=True))
            with traced_run("p1"):
                pass
            """,
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{server.endpoint}",
            OTEL_EXPORTER_OTLP_HEADERS=f"x-key={written}",
        )

    assert "1 of 1 spans were lost" in done.stderr
    assert ("who is [redacted]?" in done.stderr) is EXPORTER_TELLS_WHY
    assert leaked(done.stderr) == []


@pytest.mark.parametrize("headers", ["{}", "x-key {}", "x-key=ok,{}", "={}"])
def test_a_header_that_is_no_header_is_not_quoted(headers):
    done = fresh(
        """
        configure_tracing(TracingConfig(enabled=True, flush_timeout_s=0.1))
        with traced_run("p1"):
            pass
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_EXPORTER_OTLP_HEADERS=headers.format(PLANTED["a key of the receiver"]),
    )

    assert "Header format invalid" in done.stderr
    assert leaked(done.stderr) == []


@pytest.mark.parametrize("endpoint", ["ftp://me:{}@host", "me:{}@host", "http://me:{}@a host"])
def test_a_sentence_about_an_endpoint_holds_no_password(endpoint):
    done = fresh(f"""
        from orchestrator.errors import InputError
        try:
            configure_tracing(TracingConfig(
                enabled=True,
                otlp_endpoint="{endpoint.format(PLANTED["a password"])}",
                flush_timeout_s=0.2,
            ))
        except InputError as error:
            print(error)
    """)

    assert "endpoint" in done.stdout
    assert leaked(done.stdout + done.stderr) == []
