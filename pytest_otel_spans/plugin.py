"""The pytest plugin: hooks and fixtures, and nothing imported before they are used but pytest."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from pytest_otel_spans.capturing.stage import Stage
from pytest_otel_spans.reports import Equalities, add_section

if TYPE_CHECKING:
    from pytest_otel_spans.capturing.capture import SpanCapture
    from pytest_otel_spans.capturing.scene import Scene
    from pytest_otel_spans.receiving.otlp import OtlpCapture
    from pytest_otel_spans.snapshots.extension import SpanSnapshot

_STAGE = pytest.StashKey[Stage]()
_SCENE = pytest.StashKey["Scene"]()
_ARRIVED = pytest.StashKey["OtlpCapture"]()
_SNAPSHOT = pytest.StashKey["SpanSnapshot"]()
_LOCKED = pytest.StashKey[bool]()
_SECTION = "Captured spans"
_ARRIVED_SECTION = "Captured spans (OTLP)"
_SDK = ("the OpenTelemetry SDK", "opentelemetry.sdk.trace")
_GRPC = ("grpcio", "grpc")
_PROTO = ("opentelemetry-proto", "opentelemetry.proto.collector.trace.v1.trace_service_pb2")
_SYRUPY = ("syrupy", "syrupy")
_MISSING = (
    "the fixture `{}` needs {}, which cannot be imported ({}): "
    "pip install 'multi-llm-orchestrator[testing]'"
)


@pytest.fixture
def spans(request: pytest.FixtureRequest) -> Iterator[SpanCapture]:
    """Capture the OpenTelemetry spans of this test."""
    _require("spans", _SDK)
    from pytest_otel_spans.capturing.scene import scene

    with scene(request.node.nodeid, request.config.stash[_STAGE]) as ours:
        request.node.stash[_SCENE] = ours
        yield ours.capture


@pytest.fixture
def otlp_spans(request: pytest.FixtureRequest) -> Iterator[OtlpCapture]:
    """Receive the OpenTelemetry spans that other processes export while this test runs."""
    _require("otlp_spans", _SDK, _GRPC, _PROTO)
    from pytest_otel_spans.receiving.otlp import receive_spans

    if "spans" in request.fixturenames:  # set up first: what arrives is joined with them
        request.getfixturevalue("spans")
    ours = request.node.stash.get(_SCENE, None)
    with receive_spans(None if ours is None else ours.capture) as arriving:
        request.node.stash[_ARRIVED] = arriving
        yield arriving


@pytest.fixture
def span_snapshot(request: pytest.FixtureRequest) -> SpanSnapshot:
    """Compare spans with those that a file in `__snapshots__` tells of."""
    _require("span_snapshot", _SDK, _SYRUPY)
    return _snapshot(request.node)


def pytest_configure(config: pytest.Config) -> None:
    """Build the stage of this session; colour failures where a terminal shows them."""
    config.stash[_STAGE] = Stage()
    config.pluginmanager.register(Equalities())
    if not hasattr(config, "workerinput"):  # a worker's reports are shown by another process
        config.pluginmanager.register(_Painter())


class _Painter:
    """Colours the accounts of failed span assertions; whether it shows is the terminal's choice."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            from pytest_otel_spans.text.colour import coloured

            report.longrepr = coloured(report.longrepr)


# Innermost of all wrappers: what a plugin opens around a fixture or a test is not the suite's.
@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_fixture_setup(request: pytest.FixtureRequest) -> Generator[None, object, object]:
    """Give a fixture the stage."""
    __tracebackhide__ = True
    with request.config.stash[_STAGE].suite():
        ours = request.node.stash.get(_SCENE, None)
        if ours is None:
            return (yield)
        with ours.fixture():
            return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Count the test."""
    item.config.stash[_STAGE].tests += 1


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Give the test body the stage, and no current span where it uses `spans`."""
    __tracebackhide__ = True
    with item.config.stash[_STAGE].suite():
        ours = item.stash.get(_SCENE, None)
        if ours is None:
            return (yield)
        with ours.body(), _async_body(item, ours):
            return (yield)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Give the fixtures the stage once more."""
    __tracebackhide__ = True
    with item.config.stash[_STAGE].suite():
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_fixture_post_finalizer(
    request: pytest.FixtureRequest,
) -> Generator[None, object, object]:
    """Take the stage back between two fixtures that are torn down."""
    __tracebackhide__ = True
    with request.config.stash[_STAGE].pytest_itself():
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the spans of a test that failed."""
    report = yield
    ours, arrived = item.stash.get(_SCENE, None), item.stash.get(_ARRIVED, None)
    told = _settle_snapshot(item, report)
    untold = report.failed and not told
    if untold and ours is not None:
        add_section(report, _SECTION, ours.capture.text(), item.config)
    if untold and arrived is not None:
        add_section(report, _ARRIVED_SECTION, arrived.text(), item.config)
    if report.when == "teardown":  # items live as long as the session; their spans need not
        if ours is not None:
            del item.stash[_SCENE]
        if arrived is not None:
            del item.stash[_ARRIVED]
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear from a worker of pytest-xdist whether it has compared snapshots."""
    if getattr(node, "workeroutput", {}).get("span_snapshot"):
        node.config.stash[_LOCKED] = True


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> Generator[None, None, None]:
    """Call no snapshot unused after a run that did not come to every test that was collected."""
    cut = exitstatus == pytest.ExitCode.INTERRUPTED or any(
        (session.shouldfail, session.shouldstop, session.config.option.collectonly)
    )
    if cut and (session.config.stash.get(_LOCKED, False) or _would_compare(session)):
        session.config.option.disable_unused_snapshots = True
    yield


def _would_compare(session: pytest.Session) -> bool:
    """Whether a test that was collected, though never begun, compares snapshots of spans."""
    items = getattr(session, "items", ())
    return any("span_snapshot" in getattr(item, "fixturenames", ()) for item in items)


def _require(fixture: str, *packages: tuple[str, str]) -> None:
    """Fail the test with one sentence where a package cannot be imported."""
    for package, module in packages:
        try:
            importlib.import_module(module)
        except ImportError as missing:
            pytest.fail(_MISSING.format(fixture, package, missing), pytrace=False)


def _snapshot(item: pytest.Item) -> SpanSnapshot:
    """Return the snapshot of a test, the same one each time."""
    from pytest_otel_spans.snapshots.extension import snapshot_of

    if _SNAPSHOT not in item.stash:
        item.stash[_SNAPSHOT] = snapshot_of(item)
        item.config.stash[_LOCKED] = True
        getattr(item.config, "workeroutput", {})["span_snapshot"] = True
    return item.stash[_SNAPSHOT]


def _settle_snapshot(item: pytest.Item, report: pytest.TestReport) -> bool:
    """Write the snapshot of a test that passed; of one that did not, show it and keep it.

    Returns:
        Whether the report shows the spans as they differ from their snapshot: no need to show
        them once more.
    """
    asked = "span_snapshot" in getattr(item, "fixturenames", ()) and hasattr(item.config, "_syrupy")
    if _SNAPSHOT not in item.stash and not (asked and report.failed):
        return False
    snapshot = _snapshot(item)
    for section in snapshot.witness(report):
        add_section(report, "Span snapshot", section, item.config)
    if report.when == "teardown":
        del item.stash[_SNAPSHOT]
    return snapshot.tells


@contextmanager
def _async_body(item: pytest.Item, ours: Scene) -> Iterator[None]:
    """Start a coroutine test anew in its own task, whose context may be older than the test.

    anyio runs tests and async fixtures in one task, made when the first of them needs it.
    """
    test = getattr(item, "obj", None)
    if not isinstance(item, pytest.Function) or not inspect.iscoroutinefunction(test):
        yield
        return

    @functools.wraps(test)
    async def in_its_own_context(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        with ours.body():
            return await test(*args, **kwargs)

    item.obj = in_its_own_context
    try:
        yield
    finally:
        item.obj = test
