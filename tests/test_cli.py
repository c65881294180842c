"""The command line: exit codes, the two streams, bad input, interruption."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.cli import main

PROJECT = ("--project", "Build a rate limiter library")
OFFLINE_MODELS = """\
models:
  - {{id: writer, provider: one, api: offline, {facts}}}
  - {{id: critic, provider: two, api: offline, {facts}}}
"""


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, no endpoint and no parent trace of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "OTEL_", "ORCHESTRATOR_", "TRACE")):
            monkeypatch.delenv(name)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "orchestrator", *args]


def run(*args: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*args),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **(env or {})},
    )


def models_file(folder: Path, facts: str) -> str:
    path = folder / "models.yaml"
    path.write_text(OFFLINE_MODELS.format(facts=facts))
    return str(path)


def test_a_stranger_without_a_key_gets_results_and_is_told_who_wrote_them() -> None:
    done = run(*PROJECT, "--criteria", "token bucket, thread safe, tested")

    assert done.returncode == 0
    assert done.stdout.startswith("# Build a rate limiter library\n\n## t1: ")
    assert "**SUCCESS**" in done.stdout
    assert "| task " in done.stdout
    assert done.stderr.startswith(
        "orchestrator: No key was found (OPENAI_API_KEY): using the embedded offline models, "
        "whose text comes from templates.\nrun "
    )
    assert "\x1b" not in done.stderr


def test_the_console_script_is_the_module() -> None:
    script = subprocess.run(
        [str(Path(sys.executable).with_name("orchestrator")), "--version"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert script.stdout == run("--version").stdout


def test_json_is_one_document_and_nothing_else() -> None:
    done = run(*PROJECT, "--json", "--project-id", "my-run")

    document = json.loads(done.stdout)
    assert document["project_id"] == "my-run"
    assert document["status"] == "SUCCESS"
    assert all(task["output"] for task in document["tasks"])


def test_quiet_says_only_that_the_models_are_offline() -> None:
    [note] = run(*PROJECT, "--quiet").stderr.splitlines()

    assert "embedded offline models" in note


def test_verbose_names_every_call() -> None:
    assert "plan decompose: asking offline-" in run(*PROJECT, "--verbose").stderr


def test_plan_only_shows_the_tasks_and_their_price_and_runs_nothing(here: Path) -> None:
    models = models_file(here, "price: {input: 1, output: 2}")

    done = run(*PROJECT, "--plan-only", "--json", "--models", models)

    assert done.returncode == 0
    assert "started" not in done.stderr
    plan = json.loads(done.stdout)
    assert plan["tasks"][0]["id"] == "t1"
    assert plan["at_most_usd"] == pytest.approx(sum(task["at_most_usd"] for task in plan["tasks"]))
    assert plan["at_most_usd"] > 0


def test_plan_only_is_a_table_for_people() -> None:
    done = run(*PROJECT, "--plan-only")

    assert done.stdout.startswith("# Plan: Build a rate limiter library\n\n| task")


def test_a_plan_that_the_budget_does_not_allow_is_exit_3(here: Path) -> None:
    models = models_file(here, "price: {input: 1, output: 100}")

    done = run(*PROJECT, "--plan-only", "--models", models, "--budget", "0.01")

    assert done.returncode == 3
    assert done.stdout == ""
    assert "orchestrator: The next call could cost" in done.stderr


def test_a_plan_that_policies_forbid_is_exit_1(here: Path) -> None:
    (here / "policies.yaml").write_text(
        "job: [{name: nobody, rules: {blocked_providers: [offline_author, offline_reviewer]}}]"
    )

    done = run(*PROJECT, "--plan-only", "--policies", "policies.yaml")

    assert done.returncode == 1
    assert "nobody" in done.stderr.splitlines()[-1]


def test_what_a_plan_costs_at_most_covers_what_its_run_costs(here: Path) -> None:
    priced = ("--models", models_file(here, "price: {input: 1, output: 2}"), "--json")

    plan = json.loads(run(*PROJECT, *priced, "--plan-only").stdout)
    state = json.loads(run(*PROJECT, *priced).stdout)

    most = {task["id"]: task["at_most_usd"] for task in plan["tasks"]}
    assert state["tasks"]
    assert all(0 < task["cost_usd"] < most[task["id"]] for task in state["tasks"])


def test_an_output_directory_gets_a_file_for_each_task_a_summary_and_a_readme(here: Path) -> None:
    done = run(*PROJECT, "--output-dir", "out", "--json")

    names = {path.name for path in (here / "out").iterdir()}
    tasks = json.loads(done.stdout)["tasks"]
    assert names == {f"{task['id']}.md" for task in tasks} | {"README.md", "summary.json"}
    assert (here / "out" / "summary.json").read_text() == done.stdout
    assert [path.name for path in here.iterdir()] == ["out"]


def test_a_flag_beats_the_run_file_and_its_paths_are_relative_to_it(here: Path) -> None:
    (here / "job").mkdir()
    models_file(here / "job", "price: {input: 1, output: 2}")
    (here / "job" / "run.yaml").write_text(
        "project: Write a haiku\ncriteria: short\nmodels: models.yaml\nmax_tasks: 1\n"
    )

    done = run("--file", "job/run.yaml", "--criteria", "seventeen syllables", "--json")

    document = json.loads(done.stdout)
    assert (document["project"], document["criteria"]) == ("Write a haiku", "seventeen syllables")
    [task] = document["tasks"]
    assert {task["model"], task["reviewer"]} == {"writer", "critic"}


def test_a_threshold_out_of_reach_degrades_the_run(here: Path) -> None:
    done = run(*PROJECT, "--threshold", "1", "--max-iterations", "1")

    assert done.returncode == 1
    assert "**COMPLETED_DEGRADED**" in done.stdout
    assert "below the threshold" in done.stdout


def test_an_exhausted_budget_is_exit_3_and_is_never_exceeded(here: Path) -> None:
    models = models_file(here, "price: {input: 1, output: 100}")

    done = run(*PROJECT, "--models", models, "--budget", "0.45", "--json")

    assert done.returncode == 3
    document = json.loads(done.stdout)
    assert document["status"] == "BUDGET_EXHAUSTED"
    assert 0 < document["total_cost_usd"] <= 0.45
    assert "orchestrator: BUDGET_EXHAUSTED: The next call could cost" in done.stderr


def test_an_exhausted_time_is_exit_3(here: Path) -> None:
    done = run(*PROJECT, "--models", models_file(here, "latency_ms: 60000"), "--time", "0.2")

    assert done.returncode == 3
    assert "**TIMEOUT**" in done.stdout
    assert "0.2 s has passed" in done.stderr


def test_a_server_that_is_not_there_fails_the_run_and_is_named(here: Path) -> None:
    (here / "models.yaml").write_text(
        'models: [{id: m, provider: p, api: openai, base_url: "http://127.0.0.1:9/v1"}]'
    )

    done = run(*PROJECT, "--models", "models.yaml")

    assert done.returncode == 1
    assert "**FAILED**" in done.stdout
    assert "127.0.0.1" in done.stderr
    assert "Traceback" not in done.stderr


def test_tracing_shows_the_tree_on_stderr_and_changes_no_result() -> None:
    plain = run(*PROJECT)
    traced = run(*PROJECT, "--tracing")

    assert traced.returncode == 0
    assert _without_duration(traced.stdout) == _without_duration(plain.stdout)
    for name in ("run_project", "decompose", "task:t1", "llm_call:generate"):
        assert name in traced.stderr


def _without_duration(text: str) -> str:
    return text.rpartition(",")[0]


def test_tracing_without_the_extra_is_one_sentence(here: Path) -> None:
    (here / "opentelemetry").mkdir()
    (here / "opentelemetry" / "__init__.py").write_text(
        "raise ModuleNotFoundError('No module named opentelemetry', name='opentelemetry')"
    )

    done = run(*PROJECT, "--tracing", env={"PYTHONPATH": str(here)})

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "pip install 'multi-llm-orchestrator[tracing]'" in done.stderr


def test_a_reader_who_leaves_early_is_no_failure() -> None:
    with subprocess.Popen(
        command(*PROJECT, "--quiet"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        said = process.stderr.read()

    assert process.returncode == 0
    assert said.count("\n") == 1


def test_closed_streams_are_no_failure(here: Path) -> None:
    line = f"exec {sys.executable} -m orchestrator --project x --output-dir out >&- 2>&-"

    done = subprocess.run(["sh", "-c", line], capture_output=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (here / "out" / "summary.json").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_results_that_cannot_be_written_are_a_failure() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command(*PROJECT, "--quiet"),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert done.returncode == 1
    assert "Cannot write the results to the standard output: No space left" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_prints_what_there_is(here: Path, number: signal.Signals) -> None:
    models = models_file(here, "latency_ms: 60000")
    with subprocess.Popen(
        command(*PROJECT, "--models", models, "--verbose", "--output-dir", "out"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert any("asking" in line for line in process.stderr)
        process.send_signal(number)
        out, said = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "**CANCELLED**" in out
    assert "Stopping; once more to leave at once." in said
    assert "Traceback" not in said
    assert json.loads((here / "out" / "summary.json").read_text())["status"] == "CANCELLED"


def test_a_second_signal_leaves_at_once() -> None:
    stubborn = """
import asyncio
from orchestrator.cli.interruption import cancelling_on_signals

async def wait(word):
    print(word, flush=True)
    await asyncio.Event().wait()

async def main():
    with cancelling_on_signals():
        try:
            await wait("ready")
        except asyncio.CancelledError:
            await wait("cancelled")

asyncio.run(main())
"""
    with subprocess.Popen(
        [sys.executable, "-c", stubborn],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        for word in ("ready", "cancelled"):
            assert process.stdout.readline().strip() == word
            process.send_signal(signal.SIGINT)
        process.wait(timeout=30)

    assert process.returncode == 130


def test_a_terminal_gets_a_tree_and_its_cursor_back() -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(*PROJECT),
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"},
    )
    os.close(theirs)

    screen = _everything(ours)

    assert process.wait(timeout=60) == 0
    assert "── t1 " in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen)
    assert screen.rfind("\x1b[?25h") > screen.rfind("\x1b[?25l") >= 0


def _everything(terminal: int) -> str:
    """What was written to a terminal until its last writer left (Linux says so by EIO)."""
    written = b""
    try:
        while chunk := os.read(terminal, 65536):
            written += chunk
    except OSError:
        pass
    os.close(terminal)
    return written.decode()


BAD_INPUT = {
    "no project": ((), "There is no project; say it with --project TEXT"),
    "an empty project": (("--project", " "), "--project cannot be ' ': say in a sentence"),
    "a stray word": ((*PROJECT, "library"), "'library' belongs to no option"),
    "an unknown flag": (
        (*PROJECT, "--budgte", "1"),
        "no option '--budgte'; did you mean --budget?",
    ),
    "a flag without its value": (("--project",), "--project: expected one argument"),
    "a project that is no text": (("--project", "a\udcff"), "no UTF-8 text"),
    "a negative budget": ((*PROJECT, "--budget", "-1"), "-1"),
    "a budget that is no number": ((*PROJECT, "--budget", "much"), "a number, not 'much'"),
    "a NaN budget": ((*PROJECT, "--budget", "nan"), "--budget cannot be nan"),
    "an infinite budget": ((*PROJECT, "--budget", "inf"), "--budget cannot be inf"),
    "no time": ((*PROJECT, "--time", "0"), "The time limit is 0.0"),
    "a NaN time": ((*PROJECT, "--time", "nan"), "--time cannot be nan"),
    "no concurrency": ((*PROJECT, "--concurrency", "0"), "--concurrency cannot be 0"),
    "half a task at once": ((*PROJECT, "--concurrency", "1.5"), "a whole number, not '1.5'"),
    "a threshold above 1": ((*PROJECT, "--threshold", "1.5"), "--threshold cannot be 1.5"),
    "no iterations": ((*PROJECT, "--max-iterations", "0"), "--max-iterations cannot be 0"),
    "no tasks": ((*PROJECT, "--max-tasks", "0"), "--max-tasks cannot be 0"),
    "an id that is a path": ((*PROJECT, "--project-id", "../x"), "--project-id cannot be '../x'"),
    "an id with a newline": ((*PROJECT, "--project-id", "x\n"), "--project-id cannot be 'x\\n'"),
    "an unknown trace format": ((*PROJECT, "--trace-format", "xml"), "'xml'"),
    "an endpoint without tracing": (
        (*PROJECT, "--otlp-endpoint", "http://h:4317"),
        "--otlp-endpoint http://h:4317 does nothing without tracing; add --tracing.",
    ),
    "an endpoint that is no address": (
        (*PROJECT, "--tracing", "--otlp-endpoint", "ftp://h"),
        "'ftp://h' is no address",
    ),
    "a format for an endpoint": (
        (*PROJECT, "--tracing", "--trace-format", "json", "--otlp-endpoint", "http://h:4317"),
        "--trace-format json is about the console",
    ),
    "a sample rate above 1": ((*PROJECT, "--tracing", "--sample-rate", "2"), "2.0 is no share"),
    "a NaN sample rate": ((*PROJECT, "--tracing", "--sample-rate", "nan"), "nan is no share"),
    "quiet and verbose": ((*PROJECT, "--quiet", "--verbose"), "contradict each other"),
    "files of a plan": ((*PROJECT, "--plan-only", "--output-dir", "out"), "leave --output-dir out"),
    "a run file that is not there": (("--file", "no.yaml"), "Cannot read the run file 'no.yaml'"),
    "a run file that is a directory": (("--file", "."), "Cannot read the run file '.'"),
    "a run file that is no YAML": (("--file", "broken.yaml"), "'broken.yaml' cannot be parsed"),
    "a run file that is no text": (("--file", "binary.yaml"), "'binary.yaml' cannot be parsed"),
    "a run file that is a list": (("--file", "list.yaml"), "holds ['project'] instead of entries"),
    "an unknown key": (
        ("--file", "unknown.yaml"),
        "'unknown.yaml' is wrong: there is no key 'projct'; did you mean 'project'?",
    ),
    "a key that stands twice": (("--file", "twice.yaml"), "the key 'budget' stands twice"),
    "a wrong entry": (("--file", "wrong.yaml"), "'wrong.yaml' is wrong: budget cannot be 'much'"),
    "a budget that is a boolean": (("--file", "bool.yaml"), "budget cannot be True"),
    "a catalogue that is not there": ((*PROJECT, "--models", "no.yaml"), "'no.yaml'"),
    "a catalogue that is none": ((*PROJECT, "--models", "list.yaml"), "'list.yaml'"),
    "policies that are not there": ((*PROJECT, "--policies", "no.yaml"), "'no.yaml'"),
    "policies that are none": ((*PROJECT, "--policies", "list.yaml"), "'list.yaml'"),
    "an output directory in use": ((*PROJECT, "--output-dir", "."), "is not empty"),
    "an output directory below a file": (
        (*PROJECT, "--output-dir", "list.yaml/out"),
        "'list.yaml' is no directory",
    ),
}


@pytest.mark.parametrize(("args", "sentence"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_is_one_sentence_and_leaves_nothing_behind(
    args: tuple[str, ...], sentence: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "broken.yaml").write_text("project: [")
    (here / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    (here / "list.yaml").write_text("[project]")
    (here / "unknown.yaml").write_text("projct: Build it")
    (here / "twice.yaml").write_text("project: Build it\nbudget: 1\nbudget: 2")
    (here / "wrong.yaml").write_text("project: Build it\nbudget: much")
    (here / "bool.yaml").write_text("project: Build it\nbudget: yes")
    before = sorted(here.iterdir())

    with pytest.raises(SystemExit) as exit_:
        main(args)

    said = capsys.readouterr()
    assert exit_.value.code == 2
    assert said.out == ""
    [line] = said.err.splitlines()
    assert line.startswith("orchestrator: ")
    assert sentence in line
    assert sorted(here.iterdir()) == before
