"""What the command line does with journals: list, show, replay, resume, refuse."""

import json
import os
import re
from pathlib import Path
from typing import Final

import pytest

from orchestrator.journal.lock import Lock
from orchestrator.state_dir import ENVIRON
from tests.command_line import Done, Run

PRICED: Final = """\
models:
  - {id: writer, provider: one, api: offline, quality: 0.9, price: {input: 1, output: 2}}
  - {id: critic, provider: two, api: offline, quality: 0.1, price: {input: 1, output: 2}}
"""


@pytest.fixture(autouse=True)
def _no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bubblewrap is not found: whether a run runs its tests is not the point, and takes time."""
    monkeypatch.setenv("PATH", os.devnull)


@pytest.fixture
def run(command_line: Run) -> Run:
    return command_line


def journals() -> Path:
    return Path(os.environ[ENVIRON]) / "journals"


def begun(run: Run, *args: str) -> Done:
    return run("--project", "Build a rate limiter library", "--project-id", "p1", *args)


@pytest.fixture
def models(tmp_path: Path) -> str:
    path = tmp_path / "models.yaml"
    path.write_text(PRICED)
    return str(path)


def test_a_journal_is_for_the_eyes_of_its_owner(run: Run) -> None:
    begun(run, "--quiet")

    assert journals().stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in journals().iterdir()} == {0o600}


def test_without_a_journal_nothing_is_left(run: Run) -> None:
    assert begun(run, "--no-journal", "--quiet").code == 0

    assert not journals().exists()


def test_runs_are_listed_with_what_they_came_to(run: Run) -> None:
    assert run("--list-projects").out == "There are no projects yet.\n"
    begun(run, "--quiet")

    done = run("--list-projects")

    assert done.code == 0
    assert re.search(r"\| p1 +\| SUCCESS +\| 5 of 5 +\|", done.out)
    (project,) = json.loads(run("--list-projects", "--json").out)["projects"]
    assert (project["id"], project["status"], project["tasks_done"]) == ("p1", "SUCCESS", 5)


def test_a_journal_that_cannot_be_read_is_listed_with_where_it_is_said_why(run: Run) -> None:
    begun(run, "--quiet")
    (journals() / "p1.journal").write_bytes(b"no journal " * 99)

    assert (
        "| p1 | UNREADABLE |      |       |      |                  | orchestrator show p1 says"
        in (run("--list-projects").out)
    )
    assert "is damaged (file is not a database)" in run("show", "p1").err


def test_show_prints_what_the_run_has_printed(run: Run) -> None:
    printed = begun(run, "--quiet").out

    assert run("show", "p1").out == printed


def test_a_replay_prints_what_the_run_has_printed_every_time(run: Run) -> None:
    printed = begun(run, "--quiet").out

    replays = [run("replay", "p1", "--quiet") for _ in range(2)]

    assert {(each.code, each.out, each.err) for each in replays} == {(0, printed, "")}


def test_a_run_that_its_budget_ended_says_how_to_go_on_and_goes_on(run: Run, models: str) -> None:
    short = begun(run, "--models", models, "--budget", "0.02")
    assert short.code == 3
    assert short.err.endswith("orchestrator: Go on with it: orchestrator --resume p1\n")
    assert run("show", "p1").out == short.out

    # Neither the project nor the models have to be said again.
    more = run("--resume", "p1", "--budget", "5", "--quiet")

    assert more.code == 0
    whole = run("--project", "Build a rate limiter library", "--models", models, "--quiet")
    assert _without_time(more.out) == _without_time(whole.out)


def _without_time(text: str) -> str:
    return re.sub(r"[0-9.]+ s\)", "", text)


def test_the_way_to_go_on_names_the_state_directory(run: Run, models: str, tmp_path: Path) -> None:
    place = str(tmp_path / "kept")

    short = begun(run, "--models", models, "--budget", "0.02", "--state-dir", place)

    assert f"orchestrator --resume p1 --state-dir {place}\n" in short.err
    assert run("--resume", "p1", "--budget", "5", "--state-dir", place).code == 0


@pytest.mark.parametrize(
    "flags",
    [
        ("--project", "Build something else"),
        ("--criteria", "shorter"),
        ("--project-id", "p2"),
        ("--threshold", "0.1"),
        ("--max-iterations", "1"),
        ("--plan-only",),
        ("--no-journal",),
    ],
)
def test_a_flag_that_contradicts_the_journal_is_refused(run: Run, flags: tuple[str, ...]) -> None:
    done = run("--resume", "p1", *flags)

    assert done.code == 2
    assert f"leave {flags[0]} out" in done.err


@pytest.mark.parametrize("command", [("--resume",), ("show",), ("replay",)])
def test_a_project_that_nobody_has_run_is_not_found(run: Run, command: tuple[str, ...]) -> None:
    done = run(*command, "p9")

    assert done.code == 2
    assert "There is no journal of a project 'p9'" in done.err
    assert "--list-projects" in done.err


@pytest.mark.parametrize("name", ["../p1", "p1/../p1", ".p1", "", "p" * 65, "p1.journal/x"])
def test_an_id_never_leads_out_of_the_directory(run: Run, name: str) -> None:
    done = run("show", name)

    assert done.code == 2
    assert "cannot be called" in done.err


def test_an_id_is_not_given_twice(run: Run) -> None:
    begun(run, "--quiet")

    again = begun(run, "--quiet")

    assert again.code == 2
    assert "There is a project 'p1' already: `orchestrator show p1`" in again.err


def test_an_id_whose_run_is_unfinished_is_pointed_to_its_resume(run: Run, models: str) -> None:
    begun(run, "--models", models, "--budget", "0.02", "--quiet")

    again = begun(run, "--quiet")

    assert again.code == 2
    assert "`orchestrator --resume p1` goes on with it" in again.err


def test_a_finished_run_that_is_taken_up_shows_its_results_again(run: Run) -> None:
    printed = begun(run, "--quiet").out

    again = run("--resume", "p1", "--quiet")

    # Looking at what is done takes its time as well.
    assert (again.code, _without_time(again.out)) == (0, _without_time(printed))


def test_a_project_that_is_being_run_is_shown_as_far_as_it_has_come(run: Run) -> None:
    begun(run, "--quiet")
    with Lock(journals() / "p1.lock", "p1"):
        done = run("show", "p1")
        listed = run("--list-projects")

    assert done.err == "orchestrator: It is being run now; this is how far it has come.\n"
    assert "| p1 | RUNNING |" in listed.out
    assert not run("show", "p1").err
