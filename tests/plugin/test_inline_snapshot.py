"""Comparing spans with a literal in the test, which inline-snapshot writes there by itself."""

import copy
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider

from pytest_otel_spans import SpanCapture, any_order, span

Run = Callable[..., pytest.RunResult]

HOOK = {"otel_spans": "pytest_otel_spans.snapshots.inline"}
TEST = """
    import os
    from app import tracer
    from inline_snapshot import snapshot

    def work():
        with tracer.start_as_current_span("run*", attributes={"n": 1}):
            call = {"model": os.environ.get("MODEL", "gpt-4o"), "latency_ms": 1.5}
            tracer.start_span("call", attributes=call).end()

    def test_one(spans):
        work()
        assert spans == snapshot()

    def test_other_side(spans):
        work()
        tracer.start_span("second root").end()
        assert snapshot() == spans
"""


@pytest.fixture
def inline(pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest with inline-snapshot, whether or not the environment has our entry point."""
    hook = pytester.mkdir("hook-1.dist-info")
    hook.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: hook\nVersion: 1\n")
    hook.joinpath("entry_points.txt").write_text(
        "[inline_snapshot]\n" + "".join(f"{name} = {module}\n" for name, module in HOOK.items())
    )
    for name in ("CI", "GITHUB_ACTIONS", "PYTEST_XDIST_WORKER"):
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(test_it=TEST)

    def run_inline(*arguments: str) -> pytest.RunResult:
        return run("-p", "inline_snapshot.pytest_plugin", *arguments)

    return run_inline


def test_the_package_says_where_the_hook_is() -> None:
    project = Path(__file__).parents[2] / "pyproject.toml"

    assert tomllib.loads(project.read_text())["project"]["entry-points"]["inline_snapshot"] == HOOK


def test_the_literal_is_written_into_the_test_and_holds_from_either_side(
    pytester: pytest.Pytester, inline: Run
) -> None:
    inline("--inline-snapshot=create")

    source = pytester.path.joinpath("test_it.py").read_text()
    assert "from pytest_otel_spans import span\n" in source
    assert "from pytest_otel_spans import literal\n" in source
    assert (
        'assert spans == snapshot(span(literal("run*"), {"n": 1}, '
        'span("call", {"model": "gpt-4o", "latency_ms": float})))\n'
    ) in source
    assert ', span("second root")]) == spans' in source
    inline().assert_outcomes(passed=2)
    inline("--inline-snapshot=disable").assert_outcomes(passed=2)


def test_a_literal_that_is_wrong_fails_and_is_fixed(
    pytester: pytest.Pytester, inline: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    inline("--inline-snapshot=create")
    monkeypatch.setenv("MODEL", "gpt-4o-mini")

    wrong = inline("--inline-snapshot=disable")
    wrong.assert_outcomes(failed=2)
    wrong.stdout.fnmatch_lines(["*- Span tree -*", "*model *- 'gpt-4o'", "*+ 'gpt-4o-mini'"])
    inline("--inline-snapshot=fix")

    assert pytester.path.joinpath("test_it.py").read_text().count('"model": "gpt-4o-mini"') == 2
    inline("--inline-snapshot=disable").assert_outcomes(passed=2)


def test_a_deep_tree_is_written_in_one_expression(pytester: pytest.Pytester, inline: Run) -> None:
    pytester.makepyfile(
        test_it="""
        from app import tracer
        from contextlib import ExitStack
        from inline_snapshot import snapshot

        def test_deep(spans):
            with ExitStack() as stack:
                for level in range(24):
                    stack.enter_context(tracer.start_as_current_span(f"level {level}"))
            assert spans == snapshot()
        """
    )

    inline("--inline-snapshot=create")

    assert "deep_1" not in pytester.path.joinpath("test_it.py").read_text()
    inline("--inline-snapshot=disable").assert_outcomes(passed=1)


# Plain equality


def test_an_equality_that_fails_is_explained_in_a_section_of_its_own(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makepyfile(
        """
        import pytest
        from app import open_span
        from pytest_otel_spans import span

        def test_wrong(spans):
            open_span("a")
            with pytest.raises(AssertionError):
                assert spans == span("expected")
            assert [span("b")] == spans

        def test_no_comparison(spans):
            with pytest.raises(AssertionError):
                assert spans == span("expected")
            assert spans.text() == "", "no literal"

        def test_unequal(spans):
            open_span("a")
            assert spans != span("a")

        def test_other_things():
            assert span("a") == span("b")
        """
    )

    result = run("-p", "no:randomly")

    result.assert_outcomes(failed=4)
    result.stdout.fnmatch_lines(
        [
            "E*assert spans == literal: 2 differences in 1 trace (1 span)",
            "E*the section 'Span tree' shows where",
            "*- Span tree -*",
            "2 differences in 1 trace (1 span)",
            "*b*missing*",
            "*a*unexpected*",
            "*- Captured spans -*",
        ]
    )
    assert str(result.stdout).count("- Span tree -") == 1


def test_spans_equal_the_literals_that_match_them(spans: SpanCapture) -> None:
    provider = TracerProvider()
    spans.attach(provider)
    for name in ("a", "b"):
        provider.get_tracer("app").start_span(name, attributes={"n": 1}).end()

    assert spans == [span("a", {"n": 1}), span("b", {"n": int})]
    assert (span("a"), span("b")) == spans
    assert spans == any_order(span("b"), span("a"))
    assert spans != span("a")
    assert spans != [span("b"), span("a")]


def test_what_is_no_literal_compares_for_itself(spans: SpanCapture) -> None:
    class Anything:
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]  # as Python sets it beside an __eq__

    assert spans == Anything()
    assert spans.__eq__("a") is NotImplemented
    assert spans.__eq__([]) is NotImplemented
    assert spans == spans  # noqa: PLR0124 - that a capture equals itself is the claim
    assert len({spans, spans}) == 1


def test_no_span_equals_no_literal(spans: SpanCapture) -> None:
    assert spans != span("a")
    assert spans != any_order(span("a").optional())


def test_a_pattern_is_its_own_copy() -> None:
    pattern = span("a", {"n": [1]}, span("b"))

    assert copy.deepcopy(pattern) is pattern
