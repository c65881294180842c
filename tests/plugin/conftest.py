"""A pytest run of its own, for what crosses the border to pytest."""

import os
import sys
import time
from collections.abc import Callable, Iterable
from itertools import count
from typing import Final

import pytest

from tests.nursery import forked

APP: Final = """
    from opentelemetry import trace

    tracer = trace.get_tracer("app")

    def open_span(name):
        tracer.start_span(name).end()
"""
PLUGIN_THAT_TRACES = """
    import pytest
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    trace.set_tracer_provider(TracerProvider())
    tracer = trace.get_tracer("a plugin")

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(item):
        with tracer.start_as_current_span("test"):
            yield

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_setup(item):
        with tracer.start_as_current_span("setup"):
            yield

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(fixturedef):
        with tracer.start_as_current_span("fixture"):
            yield

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(item):
        with tracer.start_as_current_span("call"):
            yield

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_teardown(item):
        with tracer.start_as_current_span("teardown"):
            yield

    def pytest_fixture_post_finalizer(fixturedef):
        tracer.start_span("finalizer").end()
"""
_IMPORTS: Final = """
import asyncio, gc, pytest
import pytest_otel_spans.plugin, pytest_otel_spans.capturing.scene, pytest_otel_spans.receiving.otlp
import pytest_otel_spans.snapshots.extension
gc.freeze()
"""
_PLAY: Final = """
import sys, pytest
sys.path.insert(0, {folder!r})
sys.argv = ["pytest", *{arguments!r}]
raise SystemExit(pytest.console_main())
"""


@pytest.fixture
def run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., pytest.RunResult]:
    """Run pytest in a process of its own, with few plugins, and every warning an error.

    It is forked from an interpreter that has imported pytest and us; what is said of imports needs
    `start`.
    """
    numbers = count()

    def run_pytest(*arguments: str, plugins: Iterable[str] = ()) -> pytest.RunResult:
        base = f"--basetemp={pytester.path / f'base-{next(numbers)}'}"
        imported = ("-W", "ignore::pytest.PytestAssertRewriteWarning")  # syrupy is, with us
        words = (base, *_options("otel_spans", *plugins), *imported, *arguments)
        begun = time.monotonic()
        done = forked(
            _PLAY.format(folder=str(pytester.path), arguments=words),
            os.environ | {"PYTHONPATH": str(pytester.path)},
            imports=_IMPORTS,
        )
        took = time.monotonic() - begun
        sys.stdout.write(done.stdout + done.stderr)  # as pytester does: shown with a failure
        said, complained = done.stdout.splitlines(), done.stderr.splitlines()
        return pytest.RunResult(done.returncode, said, complained, took)

    _prepare(pytester, monkeypatch)
    return run_pytest


@pytest.fixture
def start(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., pytest.RunResult]:
    """Run pytest in an interpreter that starts with it."""

    def start_pytest(*arguments: str) -> pytest.RunResult:
        return pytester.runpytest_subprocess(*_options("otel_spans"), *arguments, timeout=100)

    _prepare(pytester, monkeypatch)
    return start_pytest


def _options(*plugins: str) -> tuple[str, ...]:
    loaded = (word for name in plugins for word in ("-p", name))
    return ("-W", "error", "-p", "no:cacheprovider", *loaded)


def _prepare(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(app=APP)


@pytest.fixture
def plugin_that_traces(pytester: pytest.Pytester) -> None:
    """Keep spans of a plugin open around whatever pytest runs."""
    pytester.makeconftest(PLUGIN_THAT_TRACES)
