"""What was measured outlives the process that measured it, whoever else writes beside it."""

import asyncio
import json
import logging
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from textwrap import dedent

import pytest

from orchestrator import telemetry_store
from orchestrator.tallies import HALF_LIFE_S, LATENCY_WINDOW, Counts, Tally
from orchestrator.telemetry import Profile
from orchestrator.telemetry_store import FORGOTTEN_AFTER_S, TelemetryStore
from tests.fakes import catalogue, model
from tests.nursery import forked
from tests.processes import ENVIRON
from tests.stories import Script, cast, score, stage

KNOWN = catalogue(model("a"), model("b", provider="other"))


class Wall:
    """A wall clock that stands still until it is set."""

    def __init__(self) -> None:
        self.time_s = 1_000_000.0

    def __call__(self) -> float:
        return self.time_s


def store(path: Path, now: Wall | None = None, known=KNOWN) -> TelemetryStore:
    return TelemetryStore(path, known, now=now or Wall())


def tally(calls: float = 1, *latencies_ms: float, as_of_s: float = 1_000_000.0) -> Tally:
    return Tally(as_of_s=as_of_s, counts=Counts(calls=calls), latencies_ms=list(latencies_ms))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / telemetry_store.FILE_NAME


def test_what_one_process_keeps_the_next_one_knows(path: Path) -> None:
    store(path).add({"a": tally(2, 10.0, 20.0), "b": tally(1)})
    store(path).add({"a": tally(3, 30.0)})

    known = store(path).read()

    assert known["a"].counts.calls == 5
    assert known["a"].latencies_ms == [10, 20, 30]
    assert known["b"].counts.calls == 1


def test_nothing_is_read_where_nothing_was_kept_and_nothing_is_made(path: Path) -> None:
    assert store(path).read() == {}
    store(path).add({})

    assert not path.parent.exists()


def test_the_file_is_its_owners_alone(path: Path) -> None:
    store(path).add({"a": tally()})

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_the_same_id_of_another_provider_is_another_model(path: Path) -> None:
    store(path).add({"a": tally(7)})

    assert store(path, known=catalogue(model("a", provider="somebody else"))).read() == {}


def test_old_measurements_fade_and_models_that_nobody_uses_are_forgotten(path: Path) -> None:
    wall = Wall()
    store(path, wall).add({"a": tally(8), "b": tally(8)})

    wall.time_s += HALF_LIFE_S
    store(path, wall).add({"a": tally(1, as_of_s=wall.time_s)})
    faded = store(path, wall).read()["a"]
    wall.time_s += FORGOTTEN_AFTER_S - HALF_LIFE_S + 1
    store(path, wall).add({"a": tally(1, as_of_s=wall.time_s)})

    assert faded.counts.calls == pytest.approx(5)
    assert store(path, wall).read().keys() == {"a"}


def test_the_file_stays_small_however_long_it_is_used(path: Path) -> None:
    for _ in range(50):
        store(path).add({"a": tally(100, *[1.0] * 100)})

    assert len(store(path).read()["a"].latencies_ms) == LATENCY_WINDOW
    assert path.stat().st_size < 30_000


def test_ten_processes_at_once_lose_nothing(path: Path) -> None:
    code = f"""
        import os
        from pathlib import Path
        from tests.test_telemetry_store import store, tally

        for _ in range(10):
            if os.fork() == 0:
                for _ in range(10):
                    store(Path({str(path)!r})).add({{"a": tally(1, 5.0)}})
                os._exit(0)
        codes = [os.waitpid(-1, 0)[1] for _ in range(10)]
        print(codes)
    """

    done = forked(dedent(code), ENVIRON, imports="")

    assert done.stdout == f"{[0] * 10}\n"
    assert store(path).read()["a"].counts.calls == 100


# What cannot be read


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING, logger="orchestrator.telemetry_store")
    return caplog


def spoil_a_row(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE tallies SET tally = ?", (json.dumps({"calls": "many"}),))
    connection.close()


DAMAGE = {
    "no database": lambda path: path.write_bytes(b"telemetry" * 1000),
    "cut off": lambda path: os.truncate(path, 5000),
    "a row that is none": spoil_a_row,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_set_aside_whole_and_a_new_one_begun(
    path: Path, said: pytest.LogCaptureFixture, damage
) -> None:
    store(path).add({"a": tally(2, *[1.0] * 250), "b": tally(2, *[1.0] * 250)})
    damage(path)
    damaged = path.read_bytes()

    assert store(path).read() == {}
    store(path).add({"a": tally(3)})

    (aside,) = path.parent.glob("*.damaged-*")
    assert aside.read_bytes() == damaged
    assert store(path).read()["a"].counts.calls == 3
    (record,) = said.records
    assert record.getMessage() == (
        f"The file {str(path)!r}, in which is kept what is known of models, is damaged. It is now "
        f"{aside.name!r}, and models are measured anew."
    )


def test_what_was_measured_when_the_damage_is_found_is_kept_in_the_new_file(path: Path) -> None:
    store(path).add({"a": tally(2)})
    path.write_bytes(b"telemetry" * 1000)

    store(path).add({"a": tally(3)})

    assert store(path).read()["a"].counts.calls == 3


def test_what_sqlite_would_play_back_is_set_aside_with_the_damaged_file(path: Path) -> None:
    store(path).add({"a": tally(2)})
    with closing(sqlite3.connect(path, isolation_level=None)) as writing:
        writing.execute("UPDATE tallies SET tally = 'no tally'")
        writing.execute("BEGIN")
        writing.execute("UPDATE tallies SET as_of_s = 1")

        assert store(path).read() == {}

        left = {each.name.removeprefix(path.name)[:9] for each in path.parent.iterdir()}
        assert left == {".damaged-"}


def test_a_new_file_is_not_set_aside_for_the_damage_of_the_one_before_it(path: Path) -> None:
    store(path).add({"a": tally(2)})
    path.write_bytes(b"telemetry" * 1000)
    slow = store(path)
    damaged = slow._inode()
    store(path).add({"a": tally(3)})

    slow._set_aside(damaged)

    assert store(path).read()["a"].counts.calls == 3


def test_a_file_of_another_version_is_left_alone(
    path: Path, said: pytest.LogCaptureFixture
) -> None:
    store(path).add({"a": tally()})
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()

    assert store(path).read() == {}
    store(path).add({"a": tally()})

    assert path.read_bytes() == before
    assert "another version of this program" in said.text


def test_a_directory_that_cannot_be_made_costs_a_warning(
    tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")

    store(tmp_path / "file" / "telemetry.sqlite").add({"a": tally()})

    (record,) = said.records
    assert record.getMessage().endswith("Choose another directory with --state-dir.")


# A run


async def run(models, tmp_path: Path, **facts) -> str:
    async with stage(models, state_dir=tmp_path, **facts) as orchestrator:
        state = await orchestrator.run_project("Make it", "short")
    return state.results[0].model or ""


async def test_a_run_learns_from_the_runs_before_it(tmp_path: Path) -> None:
    def poor_ann():
        return cast(ann=Script(), bob=Script(evaluate=[score(0.0), score(0.0), score(0.9)]))

    authors = [await run(poor_ann(), tmp_path) for _ in range(2)]
    at_first = await run(cast(ann=Script(), bob=Script()), tmp_path / "elsewhere")

    assert at_first == "ann"
    assert authors[-1] == "bob"


def test_without_a_state_directory_nothing_is_kept() -> None:
    telemetry, hooks = telemetry_store.opened(None, KNOWN)

    assert (telemetry.profile("a"), hooks) == (Profile(), ())


async def test_a_run_that_was_cancelled_keeps_what_it_measured(tmp_path: Path) -> None:
    reviewing = asyncio.Event()

    async def wait(_request):
        reviewing.set()
        await asyncio.Event().wait()

    models = cast(ann=Script(), bob=Script(critique=wait))
    running = asyncio.create_task(run(models, tmp_path))
    await reviewing.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    async with stage(models, state_dir=tmp_path) as orchestrator:
        assert orchestrator.telemetry.profile("ann").calls == 2
        assert orchestrator.telemetry.profile("bob").calls == 0
