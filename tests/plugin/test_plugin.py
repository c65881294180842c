"""What crosses the border to pytest: every run here is a process of its own."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

import pytest_otel_spans

Run = Callable[..., pytest.RunResult]

ASYNCIO = ("-o", "asyncio_default_fixture_loop_scope=function")


# Installed and unused


def test_unused_it_imports_no_opentelemetry(pytester: pytest.Pytester, start: Run) -> None:
    pytester.makepyfile("""
        import sys
        import pytest_otel_spans

        def test_nothing_is_imported(request):
            assert request.config.pluginmanager.has_plugin("otel_spans")
            assert not [name for name in sys.modules if name.startswith("opentelemetry")]
    """)

    start().assert_outcomes(passed=1)


def test_unused_it_adds_nothing_to_a_report(pytester: pytest.Pytester, run: Run) -> None:
    def report(*options: str) -> list[str]:
        lines = run(*options, "-v", "--durations=0").outlines
        return [line for line in lines if not line.startswith("plugins: ") and "s " not in line]

    pytester.makeconftest("""
        import pytest

        @pytest.fixture
        def broken():
            assert False

        @pytest.fixture
        def breaks():
            yield
            assert False
    """)
    pytester.makepyfile("""
        def test_passes(tmp_path): pass
        def test_fails(): assert False
        def test_fails_before(broken): pass
        def test_fails_after(breaks): pass
    """)

    assert report() == report("-p", "no:otel_spans")


def test_the_public_names_are_imported_when_they_are_asked_for() -> None:
    program = """if True:
        import sys, pytest_otel_spans
        assert set(pytest_otel_spans.__all__) <= set(dir(pytest_otel_spans))
        assert not [name for name in sys.modules if name.startswith("opentelemetry")]
        for name in pytest_otel_spans.__all__:
            assert getattr(pytest_otel_spans, name) is not None
        assert not hasattr(pytest_otel_spans, "spam")
    """

    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


NO_OPENTELEMETRY = """
    import sys

    class Missing:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == "opentelemetry":
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    sys.meta_path.insert(0, Missing())
"""


def test_every_public_name_has_an_example_that_is_type_checked() -> None:
    examples = Path(__file__).parent.parent.joinpath("typing_examples").glob("*.py")
    used = set(re.findall(r"\w+", "".join(one.read_text(encoding="utf-8") for one in examples)))

    assert set(pytest_otel_spans.__all__) <= used


def test_without_the_sdk_only_the_test_that_asks_for_spans_fails(
    pytester: pytest.Pytester, start: Run
) -> None:
    pytester.makeconftest(NO_OPENTELEMETRY)
    pytester.makepyfile("""
        def test_other(): pass
        def test_spans(spans): pass
    """)

    result = start()

    result.assert_outcomes(passed=1, errors=1)
    needs = "the fixture `spans` needs the OpenTelemetry SDK, which cannot be imported"
    why = "(No module named 'opentelemetry*')"
    command = "pip install 'multi-llm-orchestrator[[]testing]'"
    result.stdout.fnmatch_lines([f"{needs} {why}: {command}"])
    result.stdout.no_fnmatch_line("*Traceback*")


# The section of a failed test


FAILING = """
    from app import open_span

    def test_passes(spans):
        open_span("quiet")

    def test_fails(spans):
        open_span("a span to see")
        assert spans.none("nothing") and False

    def test_fails_on_nothing(spans):
        assert False

    def test_other():
        assert False
"""


@pytest.mark.parametrize("workers", [("-n", "0"), ("-n", "2")], ids=["no workers", "two workers"])
def test_a_failed_test_shows_its_spans(
    pytester: pytest.Pytester, run: Run, workers: tuple[str, str]
) -> None:
    pytester.makepyfile(FAILING)

    result = run(*workers, "--color=yes", plugins=["xdist"])

    result.assert_outcomes(passed=1, failed=3)
    shown = result.stdout.str()
    assert shown.count("Captured spans") == 2
    assert "\na span to see\n" in shown
    assert "\nNo span was captured: none was started on the global provider" in shown
    assert "quiet" not in shown


def test_show_capture_no_hides_them(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(FAILING)

    result = run("--show-capture=no")

    result.stdout.no_fnmatch_line("*Captured spans*")


@pytest.mark.parametrize("workers", [("-n", "0"), ("-n", "2")], ids=["no workers", "two workers"])
def test_a_junit_file_has_them_in_the_failure(
    pytester: pytest.Pytester, run: Run, workers: tuple[str, str]
) -> None:
    pytester.makepyfile(FAILING)

    result = run(*workers, "--junitxml=junit.xml", plugins=["xdist"])

    failures = {
        case.get("name"): case.findtext("failure", "")
        for case in ET.parse(pytester.path / "junit.xml").iter("testcase")
    }
    assert "a span to see" in failures["test_fails"].partition("Captured spans")[2]
    assert "Captured spans" not in failures["test_other"]
    assert failures["test_passes"] == ""
    assert result.stdout.str().count("Captured spans") == 2


def test_spans_of_a_test_whose_setup_or_teardown_failed_are_shown(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makepyfile("""
        import pytest
        from app import open_span

        @pytest.fixture
        def before(spans):
            open_span("opened before")
            assert False

        @pytest.fixture
        def after(spans):
            yield
            open_span("opened after")
            assert spans.one("opened after")
            assert False

        def test_one(before): pass
        def test_two(after): pass
    """)

    result = run()

    result.assert_outcomes(errors=2, passed=1)
    result.stdout.fnmatch_lines(["*Captured spans*", "opened before"])
    result.stdout.fnmatch_lines(["*Captured spans*", "opened after"])


def test_an_expected_failure_has_no_section(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeconftest("""
        def pytest_runtest_logreport(report):
            assert not report.sections
    """)
    pytester.makepyfile("""
        import pytest

        @pytest.mark.xfail(strict=True)
        def test_one(spans):
            assert False
    """)

    run().assert_outcomes(xfailed=1)


# Every test, any order, several processes


MANY = """
    import asyncio, threading, pytest
    from app import open_span, tracer

    @pytest.mark.parametrize("n", range(10))
    def test_sync(spans, n):
        open_span(f"sync:{n}")
        assert [root.name for root in spans.roots] == [f"sync:{n}"]

    @pytest.mark.asyncio
    @pytest.mark.parametrize("n", range(10))
    async def test_async(spans, n):
        async def work(i):
            with tracer.start_as_current_span(f"work:{n}:{i}"):
                await asyncio.sleep(0)
                open_span("inner")
        with tracer.start_as_current_span("gather"):
            await asyncio.gather(*map(work, range(5)))
        assert spans.all(f"gather / work:{n}:* / inner").count == 5
        assert len(spans) == 11

    @pytest.mark.parametrize("n", range(10))
    def test_thread(spans, n):
        thread = threading.Thread(target=open_span, args=[f"thread:{n}"])
        thread.start()
        thread.join()
        assert [root.name for root in spans.roots] == [f"thread:{n}"]

    def test_unused():
        open_span("nobody's")
"""


@pytest.mark.parametrize(
    ("plugin", "options"),
    [("xdist", ["-n", "4"]), ("randomly", ["--randomly-seed=7"])],
    ids=["four workers", "random order"],
)
def test_every_test_has_its_own_spans(
    pytester: pytest.Pytester, run: Run, plugin: str, options: list[str]
) -> None:
    pytester.makepyfile(MANY)

    result = run(*options, *ASYNCIO, plugins=["asyncio", plugin])

    result.assert_outcomes(passed=31)


def test_a_provider_installed_in_the_middle_of_a_run_is_captured_from_there_on(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makepyfile("""
        from app import open_span
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider

        installed = TracerProvider()

        def test_before(spans):
            open_span("before")
            assert len(spans) == 1

        def test_install(spans):
            trace.set_tracer_provider(installed)
            installed.get_tracer("t").start_span("installed").end()
            open_span("module's")
            assert [root.name for root in spans.roots] == ["installed", "module's"]

        def test_after(spans):
            installed.get_tracer("t").start_span("later").end()
            open_span("module's")
            assert [root.name for root in spans.roots] == ["later", "module's"]
    """)

    run().assert_outcomes(passed=3)


def test_a_provider_that_the_application_set_first_stays_and_is_captured(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makeconftest("""
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        theirs = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(theirs))
        trace.set_tracer_provider(provider)
    """)
    pytester.makepyfile("""
        from app import open_span
        from conftest import provider, theirs
        from opentelemetry import trace

        def test_captured(spans):
            open_span("a")
            assert len(spans) == 1

        def test_it_works_on_without_us():
            open_span("b")
            assert trace.get_tracer_provider() is provider
            assert [span.name for span in theirs.get_finished_spans()] == ["a", "b"]
    """)

    run().assert_outcomes(passed=2)


def test_where_no_provider_is_set_one_of_the_sdk_stands_and_stays(
    pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    pytester.makepyfile("""
        from app import open_span
        from opentelemetry import trace

        seen = []

        def test_one(spans):
            seen.append(trace.get_tracer_provider())
            open_span("a")
            assert hasattr(seen[0], "add_span_processor") and len(spans) == 1

        def test_two(spans):
            assert trace.get_tracer_provider() is seen[0]
    """)

    run().assert_outcomes(passed=2)


def test_the_setter_of_the_global_provider_is_all_that_is_patched(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makeconftest("""
        import opentelemetry.context, opentelemetry.trace, opentelemetry.sdk.trace
        import opentelemetry.sdk.trace.export, opentelemetry.sdk.trace.sampling
        import opentelemetry.sdk.trace.export.in_memory_span_exporter
        import sys

        def all_there_is():
            for name, module in [*sys.modules.items()]:
                for key, value in vars(module).items() if name.startswith("opentelemetry") else ():
                    yield (name, key), value
                    for inner, one in vars(value).items() if isinstance(value, type) else ():
                        yield (name, key, inner), one

        BEFORE = dict(all_there_is())
    """)
    pytester.makepyfile("""
        from app import open_span
        from conftest import BEFORE, all_there_is

        def test_one(spans):
            open_span("a")
            now = dict(all_there_is())
            changed = [key for key, one in BEFORE.items() if callable(one) and now[key] is not one]
            assert changed == [("opentelemetry.trace", "_set_tracer_provider")]
            assert len(spans) == 1
    """)

    run().assert_outcomes(passed=1)


def test_a_provider_shut_down_by_one_test_serves_the_next_which_is_told(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makepyfile("""
        from app import open_span
        from opentelemetry import trace

        def test_one(spans):
            trace.get_tracer_provider().shutdown()

        def test_two(spans):
            assert "which was shut down in test_a_provider" in spans.why_empty()
            open_span("a")
            assert len(spans) == 1
    """)

    run().assert_outcomes(passed=2)


def test_a_provider_that_is_none_of_the_sdk_is_named(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("""
        import pytest
        from opentelemetry import trace

        trace.set_tracer_provider(trace.NoOpTracerProvider())

        def test_one(spans):
            with pytest.raises(AssertionError, match="NoOpTracerProvider takes no span processor"):
                spans.assert_empty()
    """)

    run().assert_outcomes(passed=1)


def test_a_span_that_a_thread_of_one_test_ends_during_the_next_is_not_the_nexts(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makepyfile("""
        import threading
        from app import open_span, tracer

        go_on = threading.Event()
        threads, captures = [], []

        def work():
            with tracer.start_as_current_span("late"):
                go_on.wait(30)
                open_span("later still")

        def test_one(spans):
            captures.append(spans)
            threads.append(threading.Thread(target=work))
            threads[0].start()
            assert spans.wait_until(lambda: len(spans) == 1, 30)

        def test_two(spans):
            go_on.set()
            threads[0].join()
            spans.assert_empty()
            assert captures[0].one("late / later still").ended
    """)

    run().assert_outcomes(passed=2)


def test_a_span_of_the_setup_before_the_fixture_is_told(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makepyfile("""
        import pytest
        from app import open_span

        @pytest.fixture
        def application():
            open_span("startup")
            yield
            open_span("shutdown")

        def test_listens(spans): pass

        def test_one(application, spans):
            assert '1 span started before this fixture ("startup"): request `spans` first' in (
                spans.why_empty()
            )

        def test_without(application): pass

        def test_two(spans):
            assert "started before" not in spans.why_empty()
    """)

    run().assert_outcomes(passed=4)


def test_what_a_fixture_set_going_stays_with_its_test(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("""
        import contextvars, pytest
        from app import open_span

        contexts, captures = [], []

        @pytest.fixture
        def worker(spans):
            contexts.append(contextvars.copy_context())

        def test_one(spans, worker):
            captures.append(spans)

        def test_two(spans):
            contexts[0].run(open_span, "late root")
            spans.assert_empty()
            assert captures[0].one("late root")
    """)

    run().assert_outcomes(passed=2)


def test_a_span_that_one_fixture_holds_open_is_current_in_the_next_and_not_in_the_body(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makepyfile("""
        import pytest
        from app import open_span, tracer

        @pytest.fixture
        def holds(spans):
            with tracer.start_as_current_span("held"):
                yield

        @pytest.fixture
        def next_one(holds):
            open_span("below")

        def test_one(spans, next_one):
            open_span("body")
            assert spans.one("held / below")
            assert [root.name for root in spans.roots] == ["held", "body"]
    """)

    run().assert_outcomes(passed=1)


# Other plugins


@pytest.mark.usefixtures("plugin_that_traces")
def test_a_plugin_that_keeps_a_span_open_around_the_test_stays_outside(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makepyfile("""
        import pytest
        from app import open_span
        from opentelemetry import trace

        @pytest.fixture
        def resource():
            yield

        @pytest.fixture
        def later(spans):
            open_span("opened")
            yield spans
            open_span("closed")
            assert [node.name for node in spans.forest.nodes] == ["opened", "body", "closed"]

        def check(spans):
            assert not trace.get_current_span().is_recording()
            open_span("body")
            assert spans.roots[-1].name == "body"
            assert spans.orphans == ()

        def test_sync(spans, later, resource):
            check(spans)

        @pytest.mark.asyncio
        async def test_asyncio(spans, resource):
            check(spans)

        def test_dynamic(request, resource):
            spans = request.getfixturevalue("spans")
            open_span("body")
            assert [node.name for node in spans.forest.nodes] == ["body"]

        def test_without():
            assert trace.get_current_span().name == "call"
    """)

    run(*ASYNCIO, plugins=["asyncio"]).assert_outcomes(passed=4)


def test_a_suite_that_has_a_fixture_of_its_own_named_spans_keeps_it(
    pytester: pytest.Pytester, start: Run
) -> None:
    pytester.makepyfile("""
        import pytest, sys

        @pytest.fixture
        def spans():
            return ["theirs"]

        def test_one(spans):
            assert spans == ["theirs"]
            assert "opentelemetry" not in sys.modules
    """)

    start().assert_outcomes(passed=1)


def test_unittest_cases_are_captured(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("""
        import unittest, pytest
        from app import open_span

        class Base:
            @pytest.fixture(autouse=True)
            def keep(self, spans):
                self.spans = spans

        class TestSync(Base, unittest.TestCase):
            def test_one(self):
                open_span("a")
                assert len(self.spans) == 1

        class TestAsync(Base, unittest.IsolatedAsyncioTestCase):
            async def test_one(self):
                open_span("a")
                assert len(self.spans) == 1
    """)

    run().assert_outcomes(passed=2)


def test_a_forked_child_does_not_disturb_its_parents_capture(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makepyfile("""
        import os
        from app import open_span

        def test_one(spans):
            open_span("before")
            child = os.fork()
            if child == 0:
                open_span("in the child")
                os._exit(0 if len(spans) == 2 else 1)
            assert os.waitpid(child, 0)[1] == 0
            assert [node.name for node in spans.forest.nodes] == ["before"]
    """)

    run().assert_outcomes(passed=1)
