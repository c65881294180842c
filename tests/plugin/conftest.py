"""A pytest run of its own, for what crosses the border to pytest."""

from collections.abc import Callable, Iterable

import pytest

APP = """
    from opentelemetry import trace

    tracer = trace.get_tracer("app")

    def open_span(name):
        tracer.start_span(name).end()
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
