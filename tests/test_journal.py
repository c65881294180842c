"""The journal as a file: what it refuses, what it keeps, what becomes of it."""

import asyncio
import json
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.budget import Budget
from orchestrator.errors import InputError
from orchestrator.journal import Shelf, book
from orchestrator.journal.entries import VERSION, Began, Settled
from orchestrator.journal.shelf import Entitled, Retention
from orchestrator.models import RunStatus, Settings, TaskStatus
from tests.stories import Script, cast, stage


async def kept(state_dir: Path, *project_ids: str) -> None:
    """Finished runs, the newest first."""
    for age, project_id in enumerate(project_ids):
        orchestrator = stage(cast(ann=Script(), bob=Script()), state_dir=state_dir)
        await orchestrator.run_project("Make it", project_id=project_id)
        os.utime(path_of(state_dir, project_id), (1e9 - age, 1e9 - age))


def path_of(state_dir: Path, project_id: str = "p1") -> Path:
    return state_dir / "journals" / f"{project_id}.journal"


def ids(state_dir: Path) -> set[str]:
    return {each.project_id for each in Shelf(state_dir).projects()}


def changed(path: Path, *statements: str) -> None:
    """Do to a journal what nobody should."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def refusal(state_dir: Path) -> str:
    """What whoever wants to read the journal is told; who takes the project up is told the same."""
    with pytest.raises(InputError) as refused:
        Shelf(state_dir).read("p1")
    with pytest.raises(InputError) as again:
        Shelf(state_dir).take_up("p1", lambda: 0.0)
    assert str(again.value) == str(refused.value)
    return str(refused.value)


async def test_what_was_written_is_read_back_whole(tmp_path: Path) -> None:
    await kept(tmp_path, "p1")

    lines = book.read(path_of(tmp_path))

    assert isinstance(lines[0].entry, Began)
    assert lines[0].entry.brief.project == "Make it"
    assert isinstance(lines[-1].entry, Settled)
    assert [line.at_s for line in lines] == sorted(line.at_s for line in lines)


async def test_an_entry_that_was_changed_is_noticed(tmp_path: Path) -> None:
    await kept(tmp_path, "p1")

    changed(
        path_of(tmp_path),
        "UPDATE entries SET body = replace(body, 'first draft', 'first crime') WHERE number = 6",
        "UPDATE entries SET body = replace(body, '0.9', '1.0') WHERE number > 6",
    )

    assert "is damaged at entry" in refusal(tmp_path)


async def test_what_an_entry_says_is_never_quoted_where_it_is_damaged(tmp_path: Path) -> None:
    """Neither is text that is none, of which SQLite's own complaint would quote all."""
    await kept(tmp_path, "p1")
    path = path_of(tmp_path)
    whole = path.read_bytes()
    for place in (found.start() for found in re.finditer(b'"kind":', whole)):
        path.write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
        with pytest.raises(InputError, match="is damaged") as refused:
            Shelf(tmp_path).read("p1")
        assert len(str(refused.value)) < len(str(path)) + 200


async def test_columns_that_are_gone_are_damage(tmp_path: Path) -> None:
    await kept(tmp_path, "p1")
    changed(path_of(tmp_path), "ALTER TABLE entries RENAME COLUMN number TO n")

    assert "is damaged (no such column: number)" in refusal(tmp_path)


async def test_an_entry_that_is_missing_is_noticed(tmp_path: Path) -> None:
    await kept(tmp_path, "p1")

    changed(path_of(tmp_path), "DELETE FROM entries WHERE number = 5")

    assert "is damaged at entry 5. It is left as it is" in refusal(tmp_path)


async def test_an_entry_that_says_what_no_version_says_is_noticed(tmp_path: Path) -> None:
    await kept(tmp_path, "p1")
    with closing(sqlite3.connect(path_of(tmp_path), isolation_level=None)) as connection:
        (chain,) = connection.execute("SELECT chain FROM entries ORDER BY number DESC").fetchone()
        pen = book.Pen(connection, len(book.read(path_of(tmp_path))), chain)
        pen.write([(0.0, '{"kind": "settled", "status": "GREAT"}')])

    assert "is damaged at entry" in refusal(tmp_path)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
async def test_a_file_that_was_cut_is_refused(tmp_path: Path, share: float) -> None:
    await kept(tmp_path, "p1")
    path = path_of(tmp_path)
    os.truncate(path, int(path.stat().st_size * share))

    assert "damaged" in refusal(tmp_path)


async def test_a_file_of_another_kind_is_refused_and_left_alone(tmp_path: Path) -> None:
    await kept(tmp_path, "p1")
    path_of(tmp_path).write_bytes(b"Dear diary, today I was no database.\n" * 99)

    assert "damaged (file is not a database)" in refusal(tmp_path)
    assert path_of(tmp_path).read_bytes().startswith(b"Dear diary")


async def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    await kept(tmp_path, "p1")
    path_of(tmp_path).unlink()
    changed(path_of(tmp_path), "CREATE TABLE notes (text TEXT)")
    before = path_of(tmp_path).read_bytes()

    assert "is no journal; it is left alone" in refusal(tmp_path)
    assert path_of(tmp_path).read_bytes() == before


async def test_a_journal_of_another_version_is_refused(tmp_path: Path) -> None:
    await kept(tmp_path, "p1")
    changed(path_of(tmp_path), f"PRAGMA user_version = {VERSION + 1}")

    assert f"is of version {VERSION + 1}, and this program reads version {VERSION}" in refusal(
        tmp_path
    )


async def test_a_journal_under_another_projects_name_is_refused(tmp_path: Path) -> None:
    await kept(tmp_path, "p2")
    path_of(tmp_path, "p2").rename(path_of(tmp_path))

    with pytest.raises(InputError, match="belongs to the project 'p2'"):
        Shelf(tmp_path).read("p1")


async def test_a_damaged_journal_stands_in_the_list_with_its_fault(tmp_path: Path) -> None:
    await kept(tmp_path, "p1", "p2")
    path_of(tmp_path).write_text("no journal " * 99)

    faults = {each.project_id: each.fault for each in Shelf(tmp_path).projects()}

    assert "damaged" in faults["p1"]
    assert not faults["p2"]


async def test_a_file_whose_run_ended_before_it_began_is_begun_anew(tmp_path: Path) -> None:
    await kept(tmp_path, "p2")
    path_of(tmp_path).touch()
    assert refusal(tmp_path).endswith(
        "is empty: its run ended before it began. Begin it anew with --project-id p1."
    )

    await kept(tmp_path, "p1")

    assert ids(tmp_path) == {"p1", "p2"}


async def test_a_journal_that_cannot_be_made_leaves_no_half_of_it(tmp_path: Path) -> None:
    path = path_of(tmp_path)
    path.with_name("p1.journal-journal").mkdir(parents=True)  # which SQLite wants to be a file

    with pytest.raises(InputError, match=r"cannot be made: .* Mend that, choose another directory"):
        await kept(tmp_path, "p1")

    assert not path.exists()


async def test_a_journal_without_entries_is_begun_anew(tmp_path: Path) -> None:
    """Its process was ended between making the file and writing the first line."""
    path_of(tmp_path).parent.mkdir()
    book.make(path_of(tmp_path)).connection.close()
    with pytest.raises(InputError, match="is empty: its run ended before it began"):
        Shelf(tmp_path).read("p1")

    await kept(tmp_path, "p1")

    assert ids(tmp_path) == {"p1"}


async def test_a_project_whose_process_was_ended_says_so(tmp_path: Path) -> None:
    await kept(tmp_path, "p1")
    lines = book.read(path_of(tmp_path))
    async with Shelf(tmp_path).begin("p2", lambda: 0.0) as journal:
        for line in lines[:8]:
            entry = line.entry
            await journal.record(
                entry.model_copy(update={"project_id": "p2"}) if isinstance(entry, Began) else entry
            )

    state = Shelf(tmp_path).read("p2").state()

    assert state.status is RunStatus.PARTIAL_SUCCESS
    assert [result.status for result in state.results] == [TaskStatus.UNFINISHED]
    assert state.failure is not None
    assert state.failure.sentence == "The run was broken off before it had settled."


async def test_two_runs_at_once_on_one_project_are_refused_within_a_process_too(
    tmp_path: Path,
) -> None:
    orchestrator = stage(cast(ann=Script(), bob=Script()), state_dir=tmp_path)

    ends = await asyncio.gather(
        *(orchestrator.run_project("Make it", project_id="p1") for _ in range(2)),
        return_exceptions=True,
    )

    (refused,) = (end for end in ends if isinstance(end, InputError))
    assert "is being run by another process, or by another run of this one" in str(refused)


async def test_what_cannot_be_locked_is_not_said_to_be_running(tmp_path: Path) -> None:
    await kept(tmp_path, "p1")
    lock = path_of(tmp_path).with_suffix(".lock")
    lock.unlink()
    lock.mkdir()

    with pytest.raises(InputError, match=r"cannot be locked with .*: unable to open database file"):
        Shelf(tmp_path).take_up("p1", lambda: 0.0)
    assert [each.is_running for each in Shelf(tmp_path).projects()] == [False]


async def test_a_running_project_can_be_looked_at(tmp_path: Path) -> None:
    seen: list[Entitled] = []

    def look(event: object) -> None:
        seen.extend(each for each in Shelf(tmp_path).projects() if each.history)

    orchestrator = stage(cast(ann=Script(), bob=Script()), state_dir=tmp_path, hooks=[look])
    await orchestrator.run_project("Make it", project_id="p1")

    assert len(seen) > 5
    assert all(each.is_running for each in seen)


# Retention


async def test_the_oldest_finished_journals_go_first(tmp_path: Path) -> None:
    await kept(tmp_path, "p4", "p3", "p2", "p1")

    Shelf(tmp_path, Retention(journals=2, always=1, max_age_s=1e12)).tidy()

    assert ids(tmp_path) == {"p4", "p3"}
    assert not list(tmp_path.rglob("p1.*"))  # noqa: ASYNC240 - a folder of a test


async def test_old_journals_go_but_for_the_newest(tmp_path: Path) -> None:
    """Whatever the clock says: one that jumps must not empty the shelf."""
    await kept(tmp_path, "p3", "p2", "p1")

    Shelf(tmp_path, Retention(always=2)).tidy()

    assert ids(tmp_path) == {"p3", "p2"}


async def test_the_weight_of_all_finished_journals_is_bounded(tmp_path: Path) -> None:
    await kept(tmp_path, "p3", "p2", "p1")
    weight = path_of(tmp_path).stat().st_size

    Shelf(tmp_path, Retention(always=1, max_age_s=1e12, max_bytes=int(weight * 2.5))).tidy()

    assert ids(tmp_path) == {"p3", "p2"}


async def test_what_can_be_gone_on_with_is_never_thrown_away(tmp_path: Path) -> None:
    poor = stage(
        cast(ann=Script(), bob=Script()), state_dir=tmp_path, budget=Budget(max_usd=0.000001)
    )
    await poor.run_project("Make it", project_id="open")
    await kept(tmp_path, "p2", "p1")

    Shelf(tmp_path, Retention(journals=0, always=0, max_age_s=0)).tidy()

    assert ids(tmp_path) == {"open"}


async def test_settings_come_back_as_they_were(tmp_path: Path) -> None:
    settings = Settings(threshold=0.7, validators={"writing": ("length",)})
    orchestrator = stage(cast(ann=Script(), bob=Script()), state_dir=tmp_path, settings=settings)
    await orchestrator.run_project("Make it", project_id="p1")

    began = Shelf(tmp_path).read("p1").began

    assert began.settings == settings
    assert json.loads(began.model_dump_json())["settings"]["threshold"] == 0.7
