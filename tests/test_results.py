"""A settled run as Markdown, as one JSON document and as files."""

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from orchestrator.cli import results
from orchestrator.cli.output_folder import OutputFolder
from orchestrator.errors import InputError
from orchestrator.models import (
    Attempt,
    Brief,
    Critique,
    Failure,
    ProjectState,
    RunStatus,
    Task,
    TaskResult,
    TaskStatus,
    Usage,
    Validation,
)

BEST = Attempt(
    iteration=2,
    output="class Bucket: ...",
    author="author-1",
    reviewer="reviewer-1",
    critique=Critique(points=("say what is thread safe",), reviewer="reviewer-1"),
    crosses=True,
    score=0.875,
)


def task_result(task_id: str = "t1", **changes: object) -> TaskResult:
    task = Task(id=task_id, title="Write the core", instructions="…", type="code_generation")
    result = TaskResult(
        task=task, status=TaskStatus.COMPLETED, best=BEST, iterations=2, model="author-1"
    )
    return replace(result, **changes)  # type: ignore[arg-type]  # the callers know the fields


def project_state(*tasks: TaskResult, **changes: object) -> ProjectState:
    state = ProjectState(
        project_id="p-1",
        brief=Brief(project="Build a rate limiter", criteria="tested"),
        status=RunStatus.SUCCESS,
        results=tasks,
        total_cost_usd=Decimal("0.0425"),
        task_costs={"t1": Decimal("0.04")},
        usage=Usage(input_tokens=10, output_tokens=20),
        calls=5,
        duration_s=1.25,
    )
    return replace(state, **changes)  # type: ignore[arg-type]  # the callers know the fields


def test_markdown_holds_every_text_and_ends_with_the_table_and_the_status() -> None:
    text = results.markdown(project_state(task_result()))

    assert (
        text
        == """\
# Build a rate limiter

## t1: Write the core

class Bucket: ...

## Summary

| task                     | status    | score | model    | reviewer   | iterations | cost    |
|--------------------------|-----------|-------|----------|------------|------------|---------|
| t1 Write the core        | completed | 0.88  | author-1 | reviewer-1 | 2          | $0.0400 |
| total, planning included | SUCCESS   |       |          |            | 2          | $0.0425 |

**SUCCESS**: every task is done (1 of 1 task reached the threshold, 5 calls, $0.0425, 1.2 s).
"""
    )


def test_a_title_cannot_break_the_table_or_command_the_terminal() -> None:
    evil = Task(id="t1", title="a|b\n## \x1b[31mred \u202eback", instructions="…", type="writing")

    table = results.table(project_state(task_result(task=evil)))

    assert "\x1b" not in table
    assert "\u202e" not in table
    assert "a\\|b ## �[31mred �back" in table
    assert len(table.splitlines()) == 4


def test_an_output_keeps_its_lines_and_loses_its_escape_sequences() -> None:
    best = replace(BEST, output="one\n\ttwo \x1b]0;title\x07\x9b2J")

    text = results.markdown(project_state(task_result(best=best)))

    assert "one\n\ttwo �]0;title��2J" in text


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (
            task_result(
                status=TaskStatus.FAILED,
                best=None,
                failure=Failure(error_type="timeout", sentence="No answer\nin 60 s."),
            ),
            "- t1: Write the core: No answer in 60 s.",
        ),
        (
            task_result(
                status=TaskStatus.SKIPPED,
                best=None,
                failure=Failure(error_type="skipped", sentence="t0 has no result."),
            ),
            "- t1: Write the core: t0 has no result.",
        ),
        (
            task_result(status=TaskStatus.DEGRADED),
            "- t1: Write the core: its best attempt scores 0.88, below the threshold.",
        ),
    ],
)
def test_a_task_that_is_not_completed_says_why(result: TaskResult, why: str) -> None:
    assert why in results.summary(project_state(result))


def test_a_run_without_a_plan_says_why_and_shows_no_table() -> None:
    failure = Failure(error_type="authentication", sentence="OPENAI_API_KEY was refused.")

    text = results.summary(project_state(status=RunStatus.FAILED, failure=failure))

    assert text.startswith("**FAILED**: the run failed (there is no plan, 5 calls, ")
    assert text.endswith("OPENAI_API_KEY was refused.")
    assert "|" not in text


def test_an_unverified_validation_is_counted_and_never_called_passed() -> None:
    check = Validation(validator="pytest", outcome="unverified")
    best = replace(BEST, validations=(check,))

    said = results.sentence(project_state(task_result(best=best)))

    assert said.endswith("1 validation could not be made (unverified).")


def test_the_document_is_json_with_exact_costs_and_words_as_they_were() -> None:
    best = replace(BEST, output="\x1b[31m \ud800 é")

    document = json.loads(results.dumps(results.document(project_state(task_result(best=best)))))

    assert document["total_cost_usd"] == 0.0425
    assert document["usage"] == {"input_tokens": 10, "output_tokens": 20}
    assert document["status"] == "SUCCESS"
    [task] = document["tasks"]
    assert task["output"] == "\x1b[31m \ud800 é"
    assert task["critique_of_draft"] == ["say what is thread safe"]
    assert (task["model"], task["reviewer"]) == ("author-1", "reviewer-1")


def test_what_is_estimated_is_said_wherever_the_cost_is() -> None:
    state = project_state(task_result(), estimated_cost_usd=Decimal("0.0213"))

    assert results.table(state).splitlines()[-1].rstrip("| ").endswith("≈ $0.0425")
    assert "5 calls, ≈ $0.0425, 1.2 s)" in results.sentence(state)
    assert results.sentence(state).endswith(
        " Of the cost, $0.0213 is estimated: replies that were lost count as the most they may "
        "have cost."
    )
    assert results.document(state)["estimated_cost_usd"] == 0.0213
    assert "≈" not in results.summary(project_state(task_result()))


def test_every_key_of_the_document_is_explained() -> None:
    page = (Path(__file__).parents[1] / "docs" / "results.md").read_text(encoding="utf-8")
    failure = Failure(error_type="timeout", sentence="No answer.")
    checked = replace(BEST, validations=(Validation(validator="length", outcome="passed"),))
    document = results.document(project_state(task_result(best=checked), failure=failure))

    assert {key for key in _keys(document) if f"`{key}`" not in page} == set()


def _keys(value: object) -> Iterator[str]:
    yield from value if isinstance(value, dict) else ()
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in parts:
        yield from _keys(part)


def test_files_are_named_after_the_engines_ids_and_never_after_titles() -> None:
    evil = Task(id="t2", title="../../etc/passwd", instructions="…", type="writing")

    files = results.files(project_state(task_result(), task_result("t2", task=evil)))

    assert list(files) == ["t1.md", "t2.md", "README.md", "summary.json"]
    assert files["t1.md"] == "class Bucket: ...\n"
    assert "[t2.md](t2.md)" in files["README.md"]


def test_a_task_without_a_text_has_no_file() -> None:
    assert list(results.files(project_state(task_result(best=None)))) == [
        "README.md",
        "summary.json",
    ]


def test_an_output_folder_appears_with_all_its_files(tmp_path: Path) -> None:
    target = tmp_path / "new" / "out"

    with OutputFolder(target) as folder:
        assert not target.exists()
        folder.write({"a.md": "é\ud800", "b.json": "{}"})

    assert sorted(path.name for path in target.iterdir()) == ["a.md", "b.json"]
    assert (target / "a.md").read_text(encoding="utf-8") == "é\\ud800"
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_an_output_folder_that_was_never_filled_leaves_nothing_behind(tmp_path: Path) -> None:
    with OutputFolder(tmp_path / "out"):
        pass

    assert list(tmp_path.iterdir()) == []


def test_an_output_folder_may_exist_if_it_is_empty(tmp_path: Path) -> None:
    with OutputFolder(tmp_path) as folder:
        folder.write({"a.md": "text"})

    assert [path.name for path in tmp_path.iterdir()] == ["a.md"]


def test_an_output_folder_with_anything_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")

    with pytest.raises(InputError, match="is not empty; name a new one"):
        OutputFolder(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_of_two_runs_into_one_new_folder_the_later_one_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "out"

    with OutputFolder(target) as one, OutputFolder(target) as other:
        one.write({"a.md": "one"})
        with pytest.raises(InputError, match="is not empty; name a new one"):
            other.write({"a.md": "other", "b.md": "other"})

    assert {path.name: path.read_text() for path in target.iterdir()} == {"a.md": "one"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_of_two_runs_into_one_empty_folder_the_later_one_does_not_begin(tmp_path: Path) -> None:
    with OutputFolder(tmp_path) as one:
        with pytest.raises(InputError, match="is not empty; name a new one"):
            OutputFolder(tmp_path)
        one.write({"a.md": "one"})

    assert [path.name for path in tmp_path.iterdir()] == ["a.md"]


def test_an_existing_folder_that_somebody_fills_during_the_run_is_left_as_it_is(
    tmp_path: Path,
) -> None:
    with OutputFolder(tmp_path) as folder:
        (tmp_path / "a.md").write_text("theirs")
        with pytest.raises(InputError, match="is not empty"):
            folder.write({"a.md": "ours"})

    assert [path.read_text() for path in tmp_path.iterdir()] == ["theirs"]


def test_a_new_folder_is_readable_by_whoever_the_umask_allows(tmp_path: Path) -> None:
    with OutputFolder(tmp_path / "out") as folder:
        folder.write({})
    (tmp_path / "plain").mkdir()

    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_an_output_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(InputError, match="is no directory; name another one"):
        OutputFolder(tmp_path / "file" / "out")


def test_an_output_folder_is_checked_by_writing() -> None:
    with pytest.raises(InputError, match="Cannot write into the output directory '/proc/out'"):
        OutputFolder(Path("/proc/out"))
