"""A pytest run of its own, for what crosses the border to pytest."""

from collections.abc import Callable, Iterable

import pytest

APP = """
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


@pytest.fixture
def run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., pytest.RunResult]:
    """Run pytest in a process of its own, with few plugins, and every warning an error."""

    def run_pytest(*arguments: str, plugins: Iterable[str] = ()) -> pytest.RunResult:
        loaded = [word for name in ("otel_spans", *plugins) for word in ("-p", name)]
        options = ("-W", "error", "-p", "no:cacheprovider", *loaded)
        return pytester.runpytest_subprocess(*options, *arguments, timeout=100)

    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(app=APP)
    return run_pytest


@pytest.fixture
def plugin_that_traces(pytester: pytest.Pytester) -> None:
    """Keep spans of a plugin open around whatever pytest runs."""
    pytester.makeconftest(PLUGIN_THAT_TRACES)
