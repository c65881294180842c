"""Fixtures that several test files share."""

import asyncio
import gc
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from itertools import count
from typing import TYPE_CHECKING, Final

import pytest

from orchestrator.catalogue import shipped_catalogue
from orchestrator.errors import SandboxRefused
from orchestrator.programs import Program
from orchestrator.sandbox import Bubblewrap
from orchestrator.state_dir import ENVIRON
from orchestrator.tracing import TracingConfig, configure_tracing
from tests.aimock import Aimock, Fixture, started
from tests.command_line import Run, carry_out

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from pytest_otel_spans import SpanCapture


_numbers: Final = count()

# Trees of 20,000 spans stand at once: at its usual pace the collector walks them again and again.
gc.set_threshold(50_000, 20, 20)

if find_spec("hypothesis") is not None:
    from hypothesis import settings

    settings.register_profile("thorough", max_examples=1_000)


def pytest_collection_finish() -> None:
    """Let the collector never look again at what was imported."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _host_provider() -> None:
    """A host's tracer provider stands from the start: none of a test becomes the global one.

    What a test configured, such as a sampler that keeps nothing, would outlive it in its worker.
    """
    if find_spec("opentelemetry") is None:
        return
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))


@pytest.fixture(autouse=True)
def _state_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Each test keeps its journals in a directory of its own, made when one is written."""
    # Not `monkeypatch`: a test that undoes its own changes must not undo this one.
    before = os.environ.get(ENVIRON)
    os.environ[ENVIRON] = str(tmp_path_factory.getbasetemp() / f"state-{next(_numbers)}")
    yield
    if before is None:
        os.environ.pop(ENVIRON, None)
    else:
        os.environ[ENVIRON] = before


@pytest.fixture(scope="session", autouse=True)
def _no_vendors() -> Iterator[None]:
    """No test reads, moves or spends what a developer has set up for the shipped models."""
    with pytest.MonkeyPatch.context() as patch:
        for entry in shipped_catalogue().entries():
            for name in filter(None, (entry.key_env, entry.base_url_env)):
                patch.delenv(name, raising=False)
        yield


@pytest.fixture
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, no endpoint, no parent trace and no setting of whoever runs the tests."""
    for name in list(os.environ):
        mine = ("OPENAI_", "OTEL_", "ORCHESTRATOR_", "TRACE")
        if name.endswith("_API_KEY") or (name.startswith(mine) and name != ENVIRON):
            monkeypatch.delenv(name)


@pytest.fixture
def command_line(nothing_set: None, capsys: pytest.CaptureFixture[str]) -> Run:
    """Carry out a command line in this process, where nothing is set."""
    return partial(carry_out, capsys)


@pytest.fixture
def aimock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Aimock]]:
    """Start servers that play the given fixtures; they stop with the test."""
    with ExitStack() as servers:

        def start(*fixtures: Fixture) -> Aimock:
            return servers.enter_context(started(fixtures, tmp_path_factory.mktemp("aimock")))

        yield start


@pytest.fixture
def tracing_off() -> Iterator[None]:
    """Tracing is off when the test begins, and again when it ends."""
    configure_tracing(TracingConfig())
    yield
    configure_tracing(TracingConfig())


@pytest.fixture
def finished(
    exported: "InMemorySpanExporter",
) -> "Callable[[], dict[str, ReadableSpan]]":
    """The finished spans by name, read when asked for."""
    return lambda: {span.name: span for span in exported.get_finished_spans()}


@pytest.fixture(scope="session")
def sandbox() -> Bubblewrap:
    """Bubblewrap, where it works; elsewhere the test is skipped, in CI it fails."""
    sandbox = Bubblewrap()
    try:
        asyncio.run(sandbox.run(Program(module="this")))
    except SandboxRefused as refusal:
        if os.environ.get("CI") in {"true", "1"}:
            pytest.fail(str(refusal))
        pytest.skip(str(refusal))
    return sandbox


@pytest.fixture
def exported() -> "Iterator[InMemorySpanExporter]":
    """Trace into memory for as long as the test runs."""
    # Imported here: most tests run where OpenTelemetry is not installed.
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    configure_tracing(TracingConfig(enabled=True), tracer_provider=provider)
    yield exporter
    configure_tracing(TracingConfig())
    provider.shutdown()


@pytest.fixture
def traced(spans: "SpanCapture") -> "Iterator[SpanCapture]":
    """Trace into `spans` for as long as the test runs."""
    configure_tracing(TracingConfig(enabled=True))
    yield spans
    configure_tracing(TracingConfig())
