"""Snapshots across the border to pytest and syrupy: every run here is a process of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., pytest.RunResult]

UPDATE = "--snapshot-update"
STORY = """
    import os
    from app import tracer

    MODEL = os.environ.get("MODEL", "gpt-4o")
    RUN = "550e8400-e29b-41d4-a716-44665544000" + os.environ.get("RUN", "0")

    def work(tasks=2, **more):
        with tracer.start_as_current_span("run_project", attributes={"run.id": RUN, **more}):
            for task in range(tasks):
                with tracer.start_as_current_span(f"task:{task}", attributes={"run.id": RUN}):
                    call = {"model": MODEL if task == 0 else "gpt-4o", "latency_ms": 1.5}
                    tracer.start_span("llm_call", attributes=call).end()
"""
TEST = """
    from story import work

    def test_run(spans, span_snapshot):
        work()
        assert spans == span_snapshot
"""
TEXT = """\
# spans v1
run_project
    run.id = <uuid:1>
  task:0
      run.id = <uuid:1>
    llm_call
        latency_ms = <float>
        model = "gpt-4o"
  task:1
      run.id = <uuid:1>
    llm_call
        latency_ms = <float>
        model = "gpt-4o"
"""


@pytest.fixture
def snapshots(pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest with syrupy, which asks the environment whether it is in a worker."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)

    def run_with_syrupy(*arguments: str, plugins: tuple[str, ...] = ()) -> pytest.RunResult:
        return run(*arguments, plugins=("syrupy", *plugins))

    pytester.makepyfile(story=STORY)
    return run_with_syrupy


def file_of(pytester: pytest.Pytester, test: str = "test_run", module: str = "test_it") -> Path:
    return pytester.path / "__snapshots__" / module / f"{test}.spans"


def names(pytester: pytest.Pytester) -> list[str]:
    return sorted(path.name for path in pytester.path.glob("__snapshots__/*/*.spans"))


# Written, compared, updated


def test_a_snapshot_is_missed_written_held_missed_again_and_updated(
    pytester: pytest.Pytester, snapshots: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(test_it=TEST)

    missing = snapshots()
    missing.assert_outcomes(failed=1)
    missing.stdout.fnmatch_lines(
        [
            "E*__snapshots__/test_it/test_run.spans does not exist: pytest --snapshot-update*",
            "*- Captured spans -*",
        ]
    )
    assert names(pytester) == []

    snapshots(UPDATE).assert_outcomes(passed=1)
    assert file_of(pytester).read_text() == TEXT

    monkeypatch.setenv("RUN", "7")
    snapshots().assert_outcomes(passed=1)

    monkeypatch.setenv("MODEL", "gpt-4o-mini")
    wrong = snapshots()
    wrong.assert_outcomes(failed=1)
    wrong.stdout.fnmatch_lines(
        [
            "E*the section 'Span snapshot' shows in what they differ from __snapshots__/*",
            "E*if the spans are right, pytest --snapshot-update brings it up to date",
            "*- Span snapshot -*",
            "__snapshots__/test_it/test_run.spans: 1 difference in 1 trace (5 spans)",
            "  run_project",
            "*llm_call",
            "* model  - 'gpt-4o'",
            "*        + 'gpt-4o-mini'",
        ]
    )
    wrong.stdout.no_fnmatch_line("*- Captured spans -*")  # they were just shown
    assert file_of(pytester).read_text() == TEXT

    snapshots(UPDATE).assert_outcomes(passed=1)
    assert file_of(pytester).read_text() == TEXT.replace("gpt-4o", "gpt-4o-mini", 1)
    snapshots().assert_outcomes(passed=1)


def test_what_a_hand_typed_stands_after_an_update_of_another_line(
    pytester: pytest.Pytester, snapshots: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(test_it=TEST)
    snapshots(UPDATE)
    typed = TEXT.replace("latency_ms = <float>", "latency_ms = <any>", 1)
    typed = typed.replace("# spans v1\n", "# spans v1\n# Two tasks, a call each.\n")
    file_of(pytester).write_text(typed)
    monkeypatch.setenv("MODEL", "gpt-4o-mini")

    snapshots(UPDATE).assert_outcomes(passed=1)

    assert file_of(pytester).read_text() == typed.replace("gpt-4o", "gpt-4o-mini", 1)


@pytest.mark.parametrize("option", ["--verbose", UPDATE])
@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            TEXT.replace("task:1", "<<<<<<< HEAD"),
            "cannot parse line 9 of *: it is the mark of a merge conflict",
        ),
        (
            TEXT.replace("v1", "v2"),
            "cannot parse line 1 of *: it is of format v2, and this version",
        ),
    ],
    ids=["corrupt", "newer"],
)
def test_a_file_that_cannot_be_read_fails_and_stays(
    pytester: pytest.Pytester, snapshots: Run, option: str, text: str, error: str
) -> None:
    pytester.makepyfile(
        test_it=TEST
        + """
    def test_not_equal(spans, span_snapshot):
        work()
        assert spans != span_snapshot(name="run")
    """
    )
    for name in ("test_run", "test_not_equal[run]"):
        file_of(pytester, name).parent.mkdir(parents=True, exist_ok=True)
        file_of(pytester, name).write_text(text)

    result = snapshots(option)

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines([f"E*{error}*"])
    assert file_of(pytester).read_text() == text


def test_bytes_that_are_no_text_are_named_by_their_line(
    pytester: pytest.Pytester, snapshots: Run
) -> None:
    pytester.makepyfile(test_it=TEST)
    file_of(pytester).parent.mkdir(parents=True)
    file_of(pytester).write_bytes(b"# spans v1\r\nrun\xff\n")

    snapshots().stdout.fnmatch_lines(
        ["E*cannot parse line 2 of *: it is no UTF-8. Repair the line, or*"]
    )


def test_every_snapshot_of_a_test_has_a_file_whatever_the_test_is_called(
    pytester: pytest.Pytester, snapshots: Run
) -> None:
    pytester.makepyfile(
        test_it="""
        import pytest
        from story import work

        class TestClass:
            @pytest.mark.parametrize("x", ["a/b", "ab", "a:b", "long" * 99], ids=str)
            def test_it(self, spans, span_snapshot, x):
                work(x=x)
                assert spans == span_snapshot
                assert spans == span_snapshot(mask={"x": str})
                assert spans == span_snapshot(name="by/name")
        """
    )

    snapshots(UPDATE).assert_outcomes(passed=4)

    found = names(pytester)
    assert len(found) == len({name.lower() for name in found}) == 12
    assert {"TestClass.test_it[ab].spans", "TestClass.test_it[ab].1.spans"} < set(found)
    assert not any(set(name) & set('\\/:*?"<>|') or len(name) > 180 for name in found)
    again = snapshots()
    again.assert_outcomes(passed=4)
    again.stdout.fnmatch_lines(["12 snapshots passed."])


def test_the_options_are_those_of_one_comparison(pytester: pytest.Pytester, snapshots: Run) -> None:
    pytester.makepyfile(
        test_it="""
        import uuid
        from app import open_span
        from story import work

        def test_options(spans, span_snapshot):
            work(key=str(uuid.uuid4())[:8])
            assert spans == span_snapshot(mask={"key": str}, unordered=["run_*"])

        def test_mistakes(spans, span_snapshot):
            import pytest
            work(key=1)
            with pytest.raises(TypeError, match="is no list of names: write \\\\['a'\\\\]"):
                span_snapshot(unordered="a")
            with pytest.raises(AssertionError, match="^run_project: key = 1, which mask="):
                assert spans == span_snapshot(mask={"key": str})
        """
    )

    snapshots(UPDATE).assert_outcomes(passed=2)
    snapshots().assert_outcomes(passed=2)


# What is compared with it


def test_it_compares_from_either_side_and_whatever_holds_spans(
    pytester: pytest.Pytester, snapshots: Run
) -> None:
    pytester.makepyfile(
        test_it="""
        import pytest
        from story import work

        def test_sides(spans, span_snapshot):
            work()
            assert span_snapshot(name="x") == spans
            assert spans == span_snapshot(name="x")
            assert spans.exporter == span_snapshot(name="x")
            assert spans.exporter.get_finished_spans() == span_snapshot(name="x")

        def test_foreign(spans, span_snapshot):
            with pytest.raises(TypeError, match="not 5$"):
                assert span_snapshot == 5
            assert spans != 5 and spans != [] and spans != "run_project" and spans == spans

        def test_empty(spans, span_snapshot):
            with pytest.raises(AssertionError, match="No span was captured: none was started"):
                assert spans == span_snapshot
        """
    )

    snapshots(UPDATE).assert_outcomes(passed=3)

    assert names(pytester) == ["test_sides[x].spans"]
    snapshots().assert_outcomes(passed=3)


def test_a_span_that_never_ended_is_locked_as_such(
    pytester: pytest.Pytester, snapshots: Run
) -> None:
    pytester.makepyfile(
        test_it="""
        from app import tracer

        def test_run(spans, span_snapshot):
            tracer.start_span("stream")
            assert spans == span_snapshot
        """
    )

    snapshots(UPDATE).assert_outcomes(passed=1)

    assert file_of(pytester).read_text() == "# spans v1\nstream  (never ended)\n"
    snapshots().assert_outcomes(passed=1)


def test_spans_of_another_process_are_locked_as_our_own(
    pytester: pytest.Pytester, snapshots: Run
) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc")
    pytester.makepyfile(
        elsewhere="""
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor

        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(insecure=True)))
        tracer = provider.get_tracer("app")
        with tracer.start_as_current_span("a", attributes={"x": [1, 2]}):
            tracer.start_span("b").end()
        """,
        test_it="""
        import subprocess
        import sys

        def test_run(otlp_spans, span_snapshot):
            subprocess.run([sys.executable, "elsewhere.py"], env=otlp_spans.env(), check=True)
            otlp_spans.wait_for("a / b")
            assert otlp_spans == span_snapshot
        """,
    )

    snapshots(UPDATE).assert_outcomes(passed=1)

    assert file_of(pytester).read_text() == "# spans v1\na\n    x = [1, 2]\n  b\n"


# The report


def test_a_failure_shows_the_whole_tree_and_pytest_cuts_nothing(
    pytester: pytest.Pytester, snapshots: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    pytester.makepyfile(
        test_it="""
        from app import tracer

        def test_run(spans, span_snapshot, pytestconfig):
            changed = not pytestconfig.getoption("update_snapshots")
            for number in range(40):
                tracer.start_span(f"span:{number}", attributes={"n": number + changed}).end()
            assert spans == span_snapshot
        """
    )
    snapshots(UPDATE)

    result = snapshots()

    result.assert_outcomes(failed=1)
    assert [line for line in result.outlines if line.startswith("  span:")] == [
        f"  span:{number}" for number in range(40)
    ]
    result.stdout.fnmatch_lines(["*: 40 differences in 40 traces (40 spans)"])
    result.stdout.no_fnmatch_line("*runcated*")


def test_without_syrupy_one_sentence_says_what_is_missing(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makepyfile(story=STORY, test_it=TEST)

    result = run()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["the fixture `span_snapshot` needs the pytest plugin syrupy,*"])


def test_unused_it_imports_neither_syrupy_nor_its_own_rooms(
    pytester: pytest.Pytester, start: Run
) -> None:
    pytester.makepyfile("""
        import sys

        def test_nothing_is_imported():
            loaded = [name for name in sys.modules if name.startswith("pytest_otel_spans.snap")]
            assert not loaded and "syrupy" not in sys.modules
    """)

    start().assert_outcomes(passed=1)


# What is not written, and what is not deleted


@pytest.mark.parametrize("phase", ["setup", "before", "after", "teardown", "skip", "expected"])
def test_a_test_that_does_not_pass_changes_no_snapshot_and_loses_none(
    pytester: pytest.Pytester, snapshots: Run, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    pytester.makepyfile(
        test_it="""
        import os
        import pytest
        from story import work

        PHASE = os.environ.get("PHASE")

        @pytest.fixture
        def trouble(request):
            assert PHASE != "setup"
            yield
            assert PHASE != "teardown"

        def test_run(trouble, request, spans, span_snapshot):
            assert PHASE != "before"
            work()
            assert spans == span_snapshot
            assert PHASE != "after"
            if PHASE == "skip":
                pytest.skip("now")
            if PHASE == "expected":
                pytest.xfail("now")

        def test_other(spans, span_snapshot):
            work()
            assert spans == span_snapshot
        """
    )
    snapshots(UPDATE).assert_outcomes(passed=2)
    monkeypatch.setenv("PHASE", phase)
    monkeypatch.setenv("MODEL", "gpt-4o-mini")

    result = snapshots(UPDATE)

    assert file_of(pytester).read_text() == TEXT
    assert "mini" in file_of(pytester, "test_other").read_text()
    if phase in {"after", "teardown"}:
        result.stdout.fnmatch_lines(["*test_run.spans was not written: the test did not pass"])
        result.stdout.fnmatch_lines(["1 snapshot failed. 1 snapshot updated."])


def test_unused_files_are_reported_by_full_runs_and_deleted_by_full_updates(
    pytester: pytest.Pytester, snapshots: Run
) -> None:
    pytester.makepyfile(
        test_it=TEST
        + """
    def test_other(spans, span_snapshot, snapshot):
        work()
        assert spans == span_snapshot
        assert spans == span_snapshot(name="second")
        assert "beside" == snapshot
    """
    )
    snapshots(UPDATE).assert_outcomes(passed=2)
    file_of(pytester, "test_gone").write_text(TEXT)

    for narrow in (("-k", "run"), ("-k", "other"), ("test_it.py::test_run",)):
        result = snapshots(*narrow)
        assert result.ret == 0
        result.stdout.no_fnmatch_line("* unused*")
        assert snapshots(*narrow, UPDATE).ret == 0

    assert len(names(pytester)) == 4
    full = snapshots()
    assert full.ret == 1
    full.stdout.fnmatch_lines(["*1 snapshot unused.*"])
    assert snapshots(UPDATE).ret == 0
    assert names(pytester) == ["test_other.spans", "test_other[second].spans", "test_run.spans"]
    assert snapshots().ret == 0


@pytest.mark.parametrize("workers", [(), ("-n", "2", "-p", "xdist")], ids=["alone", "xdist"])
def test_a_run_that_is_cut_short_deletes_and_reports_nothing(
    pytester: pytest.Pytester,
    snapshots: Run,
    monkeypatch: pytest.MonkeyPatch,
    workers: tuple[str, ...],
) -> None:
    pytester.makepyfile(
        test_it="""
        import os
        import pytest
        from app import open_span

        @pytest.mark.parametrize("n", range(12))
        def test_run(spans, span_snapshot, n):
            assert "PHASE" not in os.environ
            open_span("a")
            assert spans == span_snapshot
        """
    )
    snapshots(UPDATE).assert_outcomes(passed=12)
    monkeypatch.setenv("PHASE", "before")

    update = snapshots(UPDATE, "-x", *workers)

    assert update.ret in {1, 2}
    assert len(names(pytester)) == 12
    snapshots("-x", *workers).stdout.no_fnmatch_line("* unused*")


@pytest.mark.parametrize("workers", [(), ("-n", "2", "-p", "xdist")], ids=["alone", "xdist"])
def test_a_module_that_cannot_be_imported_costs_no_other_its_snapshots(
    pytester: pytest.Pytester, snapshots: Run, workers: tuple[str, ...]
) -> None:
    pytester.makepyfile(
        test_it="""
        from app import open_span

        def test_run(spans, span_snapshot):
            open_span("a")
            assert spans == span_snapshot
        """
    )
    snapshots(UPDATE).assert_outcomes(passed=1)
    pytester.makepyfile(test_broken="import nothing_of_that_name")

    assert snapshots(UPDATE, *workers).ret != 0

    assert names(pytester) == ["test_run.spans"]


def test_a_mere_collection_calls_no_snapshot_unused(
    pytester: pytest.Pytester, snapshots: Run
) -> None:
    pytester.makepyfile(
        test_it="""
        from app import open_span

        def test_run(spans, span_snapshot):
            open_span("a")
            assert spans == span_snapshot
        """
    )
    snapshots(UPDATE).assert_outcomes(passed=1)

    collected = snapshots("--collect-only", UPDATE)

    assert collected.ret == 0
    collected.stdout.no_fnmatch_line("* unused*")
    assert names(pytester) == ["test_run.spans"]


def test_workers_lose_nothing(pytester: pytest.Pytester, snapshots: Run) -> None:
    pytester.makepyfile(
        test_it="""
        import pytest
        from story import work

        @pytest.mark.parametrize("n", range(24))
        def test_run(spans, span_snapshot, n):
            work(n=n)
            assert spans == span_snapshot
        """
    )

    result = snapshots("-n", "2", UPDATE, plugins=("xdist",))

    result.assert_outcomes(passed=24)
    result.stdout.fnmatch_lines(["24 snapshots generated."])
    texts = {path.read_text() for path in pytester.path.glob("__snapshots__/*/*")}
    assert len(texts) == 24
    assert all(f"    n = {number}\n" in "".join(texts) for number in range(24))
    snapshots("-n", "2", plugins=("xdist",)).assert_outcomes(passed=24)
