"""What can go wrong around a run, and what whoever runs it reads then."""

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchestrator.budget import Budget
from orchestrator.errors import InputError, ProviderError
from orchestrator.events import CallCompleted, Event, PlanReady
from orchestrator.journal import Shelf
from orchestrator.models import ProjectState, RunStatus, TaskStatus
from orchestrator.state_dir import ENVIRON
from tests.fakes import ManualClock, Recorder, ScriptedProvider, Step, reply
from tests.killing import Desk
from tests.model_server import ModelServer
from tests.stories import Script, cast, plan, score, stage

THREE = plan(("a", []), ("b", ["a"]), ("c", ["b"]))
DOWN = ProviderError("It is down.", code="server_error", retryable=False, status_code=500)


async def run(models: dict[str, ScriptedProvider], **facts: Any) -> ProjectState:
    return await stage(models, **facts).run_project("Make it", project_id="p1")


def sentence_of(state: ProjectState) -> str:
    return state.failure.sentence if state.failure else ""


def requests(models: dict[str, ScriptedProvider]) -> int:
    return sum(len(each.requests) for each in models.values())


# The disk


async def test_a_place_where_nothing_can_be_written_is_refused_before_the_run(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    models = cast(ann=Script(), bob=Script())

    with pytest.raises(
        InputError, match=r"No journal can be kept in .*: Not a directory\. .*"
    ) as no:
        await run(models, state_dir=tmp_path / "file" / "state")

    assert "--state-dir" in str(no.value)
    assert "--no-journal" in str(no.value)
    assert requests(models) == 0


@pytest.mark.usefixtures("sandbox")
def test_on_a_read_only_disk_journals_are_read_and_none_is_begun(tmp_path: Path) -> None:
    """A real one, which binds root as well."""
    asyncio.run(run(cast(ann=Script(), bob=Script()), state_dir=tmp_path))

    told = on_a_read_only_disk(
        tmp_path,
        ["--list-projects"],
        ["show", "p1"],
        ["replay", "p1", "--quiet"],
        ["--resume", "p1", "--quiet"],
        ["--project", "Make it", "--project-id", "p2", "--quiet"],
    )

    folder = tmp_path / "journals"
    assert "\n".join(told) == (
        f"orchestrator: The journal '{folder}/p1.journal' cannot be opened for writing: unable to "
        "open database file. Mend that and try again.\n"
        f"orchestrator: The journal of the project 'p2' cannot be locked with '{folder}/p2.lock': "
        "nothing can be written in its directory. Mend that, or choose another directory with "
        "--state-dir."
    )


def on_a_read_only_disk(state_dir: Path, *lines: list[str]) -> list[str]:
    """What these command lines say on the standard error, one after the other."""
    code = f"""
from contextlib import suppress
from orchestrator.cli import main
for line in {lines}:
    with suppress(SystemExit):
        main(line)
"""
    done = subprocess.run(
        [*("bwrap", "--ro-bind", "/", "/", "--dev", "/dev"), sys.executable, "-c", code],
        env={"PATH": "/usr/bin:/bin", ENVIRON: str(state_dir)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stderr.splitlines()


class Full:
    """A hook on whose word the disk is full: no more than so many entries reach the journal."""

    def __init__(self, state_dir: Path, entries: int) -> None:
        self._path = state_dir / "journals" / "p1.journal"
        self._entries = entries

    def __call__(self, event: Event, /) -> None:
        if isinstance(event, PlanReady):
            with closing(sqlite3.connect(self._path)) as connection, connection:
                connection.execute(
                    "CREATE TRIGGER full BEFORE INSERT ON entries "
                    f"WHEN NEW.number > {self._entries} "
                    "BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END"
                )

    def make_room(self) -> None:
        with closing(sqlite3.connect(self._path)) as connection, connection:
            connection.execute("DROP TRIGGER full")


@pytest.mark.parametrize("entries", range(6, 30, 3))
async def test_a_disk_that_gets_full_stops_the_run_before_more_is_paid_for(
    tmp_path: Path, entries: int
) -> None:
    models, full = cast(ann=Script(decompose=THREE), bob=Script()), Full(tmp_path, entries)

    state = await run(models, state_dir=tmp_path, hooks=[full])

    assert state.status is RunStatus.FAILED
    assert sentence_of(state) == (
        "The journal cannot be written (database or disk is full), so the run stops before it pays "
        "for what would be lost. Mend that and go on with --resume p1."
    )
    kept = Shelf(tmp_path).read("p1").spending.calls
    assert requests(models) - kept <= 1  # what was under way when it became full
    full.make_room()
    again = cast(ann=Script(decompose=THREE), bob=Script())
    resumed = await stage(again, state_dir=tmp_path).resume_project("p1")
    assert resumed.status is RunStatus.SUCCESS


def test_a_file_system_that_takes_no_more_is_said_in_a_sentence(tmp_path: Path) -> None:
    """A real one, by the system's limit on the size of files."""
    with ModelServer() as server:
        desk = Desk(server, tmp_path)
        done = desk.ended(desk.begin("p1", limit_bytes=150_000))
        asked = len(server.requests)
        again = desk.ended(desk.resume("p1"))

    assert done.code == 1
    assert "The journal cannot be written (" in done.err
    assert "Go on with it: orchestrator --resume p1" in done.err
    assert "Traceback" not in done.err
    assert again.code == 0
    assert len(server.requests) <= 17 + 2
    assert asked < 17


# The clock


class JumpingClock(ManualClock):
    """Time that leaps when it is told to, as it does for a machine that was suspended."""


async def test_a_clock_that_leaps_ends_the_run_in_time_and_it_can_be_gone_on_with(
    tmp_path: Path,
) -> None:
    clock = JumpingClock()

    def leap(event: Event) -> None:
        if isinstance(event, PlanReady):
            clock.advance(1e6)

    models = cast(ann=Script(decompose=THREE), bob=Script())
    state = await run(
        models, clock=clock, hooks=[leap], budget=Budget(max_time_s=60), state_dir=tmp_path
    )
    again = await stage(
        cast(ann=Script(decompose=THREE), bob=Script()), state_dir=tmp_path
    ).resume_project("p1")

    assert state.status is RunStatus.TIMEOUT
    assert "time limit of 60 s has passed" in sentence_of(state)
    assert again.status is RunStatus.SUCCESS


# Providers


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        ("}{ not json at all", "gave no usable answer: "),
        ("", "answered with nothing"),
        ("Bien sûr ! Voici le plan : 1. écrire 2. relire", "gave no usable answer: "),
        ('{"tasks": []}', "the plan has no tasks"),
        ("[" * 100_000, "gave no usable answer: "),
        ("x" * 10_000_000, "has 10,000,000 characters, which no limit of tokens allows"),
        ('{"tasks": "' + "x" * 500_000 + '"}', "it is longer than 200000 characters"),
        ("\ud800" * 50, "gave no usable answer: "),
    ],
    ids=["garbage", "nothing", "another language", "no plan", "nested", "10 MB", "long", "halves"],
)
async def test_a_planner_that_answers_nonsense_ends_the_run_with_a_sentence(
    tmp_path: Path, answer: str, read: str
) -> None:
    models = cast(ann=Script(decompose=answer), bob=Script(decompose=answer))

    state = await run(models, state_dir=tmp_path)

    assert state.status is RunStatus.FAILED
    assert read in sentence_of(state)
    assert len(sentence_of(state)) < 1000
    assert Shelf(tmp_path).read("p1").state().failure == state.failure


@pytest.mark.parametrize("answer", ["", "x" * 10_000_000, "\ud800 half a pair"])
async def test_an_author_that_answers_nonsense_loses_its_task_to_another(
    tmp_path: Path, answer: str
) -> None:
    models = cast(ann=Script(generate=answer), bob=Script(), cyd=Script())

    state = await run(models, state_dir=tmp_path)

    assert state.status is RunStatus.SUCCESS
    assert Shelf(tmp_path).read("p1").state() == state


async def test_a_score_that_is_no_score_is_a_failed_call_and_not_a_half() -> None:
    models = cast(ann=Script(evaluate="Excellent!"), bob=Script(evaluate="0.5 or so"))

    state = await run(models)

    assert state.status is RunStatus.FAILED
    assert "gave no usable answer" in sentence_of(state)
    assert state.results[0].score is None


async def test_when_every_model_is_down_the_run_ends_and_says_so(tmp_path: Path) -> None:
    models = cast(**{name: Script(decompose=DOWN) for name in ("ann", "bob", "cyd")})

    state = await run(models, state_dir=tmp_path)

    assert state.status is RunStatus.FAILED
    assert sentence_of(state) == "It is down."


async def test_when_every_reservation_is_held_calls_wait_and_the_budget_holds(
    tmp_path: Path,
) -> None:
    """The budget has room for one call at a time, and for all of them one after the other."""
    many = plan(*((f"t{number}", list[str]()) for number in range(8)))
    usual = await run(cast(ann=Script(decompose=many), bob=Script()))
    recorder = Recorder()
    budget = Budget(max_usd=usual.total_cost_usd * 3)

    state = await run(
        cast(ann=Script(decompose=many), bob=Script()),
        budget=budget,
        hooks=[recorder],
        state_dir=tmp_path,
    )

    spent = sum((each.cost_usd for each in recorder.of(CallCompleted)), start=0)
    assert spent == state.total_cost_usd
    assert budget.max_usd is not None
    assert state.total_cost_usd <= budget.max_usd
    assert state.status in {RunStatus.SUCCESS, RunStatus.BUDGET_EXHAUSTED}


async def test_a_provider_that_raises_what_it_should_not_ends_the_run_and_keeps_what_is_paid(
    tmp_path: Path,
) -> None:
    """An accident of ours or of a plug-in is a traceback for who programs, and no lost money."""

    def breaks(_: object) -> Step:
        raise RuntimeError("what a stranger says")

    models = cast(ann=Script(decompose=THREE, revise=breaks), bob=Script())
    with pytest.raises(RuntimeError):
        await run(models, state_dir=tmp_path)

    again = cast(ann=Script(decompose=THREE), bob=Script())
    state = await stage(again, state_dir=tmp_path).resume_project("p1")

    assert state.status is RunStatus.SUCCESS
    assert "decompose" not in [each.call_type for each in again["ann"].requests]


async def test_an_output_of_a_million_characters_is_kept_and_told_again(tmp_path: Path) -> None:
    huge = "A long text. " * 80_000
    models = cast(ann=Script(generate=reply(huge), critique='{"points": []}'), bob=Script())
    models["bob"] = cast(bob=Script(critique='{"points": []}', evaluate=score(0.9)))["bob"]

    state = await run(models, state_dir=tmp_path)

    assert state.results[0].status is TaskStatus.COMPLETED
    assert Shelf(tmp_path).read("p1").state() == state


# Isolation


async def test_ten_projects_at_once_in_one_directory_do_not_mix(tmp_path: Path) -> None:
    async def one(number: int) -> tuple[str, ProjectState]:
        word = f"text of {number}"
        models = cast(ann=Script(revise=word), bob=Script(revise=word))
        state = await stage(models, state_dir=tmp_path).run_project(
            f"Make {number}", project_id=f"p{number}"
        )
        return word, state

    for number, (word, state) in enumerate(await asyncio.gather(*map(one, range(10)))):
        kept = Shelf(tmp_path).read(f"p{number}").state()
        assert kept == state
        assert {result.output for result in kept.results} == {word}
