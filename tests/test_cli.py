"""The command line: exit codes, the two streams, bad input, interruption.

Most of it enters by the front door within this process; processes of their own are for what a
process adds: signals, pipes, terminals, an environment.
"""

import importlib
import json
import logging
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from orchestrator.cli.streams import saying_what_is_logged
from tests.command_line import Run

PROJECT: Final = ("--project", "Build a rate limiter library")
OFFLINE_MODELS: Final = """\
models:
  - {{id: writer, provider: one, api: offline, {facts}}}
  - {{id: critic, provider: two, api: offline, {facts}}}
"""
SLOW: Final = "latency_ms: 60000"
PRICED: Final = "price: {input: 1, output: 2}"
DEAR: Final = "price: {input: 1, output: 100}"
SMALL_PIPE: Final = 4096
"""Bytes that a process can write ahead of its reader: with --verbose, less than any whole run."""


@pytest.fixture(autouse=True)
def _no_sandbox(nothing_set: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bubblewrap is not found: whether a run runs its tests is not the point, and takes time."""
    monkeypatch.setenv("PATH", os.devnull)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(command_line: Run) -> Run:
    return command_line


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "orchestrator", *args]


def spawn(*args: str) -> "subprocess.Popen[str]":
    """Begin a run in a process that cannot get far ahead of who reads its standard error."""
    return subprocess.Popen(
        command(*PROJECT, "--verbose", *args),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        pipesize=SMALL_PIPE,
    )


def wait_until_it_asks(process: "subprocess.Popen[str]") -> None:
    assert process.stderr is not None
    assert any("asking" in line for line in process.stderr)


def models_file(folder: Path, facts: str) -> str:
    path = folder / "models.yaml"
    path.write_text(OFFLINE_MODELS.format(facts=facts))
    return str(path)


# What is said where


def test_a_stranger_without_a_key_gets_results_and_is_told_who_wrote_them() -> None:
    done = subprocess.run(
        command(*PROJECT, "--criteria", "token bucket, thread safe, tested"),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0
    assert done.stdout.startswith("# Build a rate limiter library\n\n## t1: ")
    assert "**SUCCESS**" in done.stdout
    assert "| task " in done.stdout
    assert done.stderr.startswith(
        "orchestrator: No key was found (OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY, "
        "DEEPSEEK_API_KEY, MOONSHOT_API_KEY): using the embedded offline models, whose text comes "
        "from templates.\nrun "
    )
    assert "\x1b" not in done.stderr


def test_the_console_script_is_the_module(run: Run) -> None:
    script = subprocess.run(
        [str(Path(sys.executable).with_name("orchestrator")), "--version"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert script.stdout == run("--version").out


def test_json_is_one_document_and_nothing_else(run: Run) -> None:
    done = run(*PROJECT, "--json", "--project-id", "my-run")

    document = json.loads(done.out)
    assert document["project_id"] == "my-run"
    assert document["status"] == "SUCCESS"
    assert all(task["output"] for task in document["tasks"])


def test_quiet_says_nothing_of_a_run_that_goes_well(run: Run) -> None:
    assert run(*PROJECT, "--quiet").err == ""


def test_verbose_names_every_call(run: Run) -> None:
    assert "plan decompose: asking offline-" in run(*PROJECT, "--verbose").err


def test_an_output_directory_gets_a_file_for_each_task_a_summary_and_a_readme(
    run: Run, here: Path
) -> None:
    done = run(*PROJECT, "--output-dir", "out", "--json")

    names = {path.name for path in (here / "out").iterdir()}
    tasks = json.loads(done.out)["tasks"]
    assert names == {f"{task['id']}.md" for task in tasks} | {"README.md", "summary.json"}
    assert (here / "out" / "summary.json").read_text() == done.out
    assert [path.name for path in here.iterdir()] == ["out"]


def test_a_directory_that_another_run_has_filled_is_left_as_it_is(here: Path) -> None:
    with spawn("--output-dir", "out") as process:
        wait_until_it_asks(process)
        (here / "out").mkdir()
        (here / "out" / "t1.md").write_text("another run's")
        out, said = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "**SUCCESS**" in out
    assert "'out' is not empty; name a new one" in said
    assert "The results are on the standard output alone." in said
    assert [path.read_text() for path in (here / "out").iterdir()] == ["another run's"]
    assert [path.name for path in here.iterdir()] == ["out"]


def test_a_flag_beats_the_run_file_and_its_paths_are_relative_to_it(run: Run, here: Path) -> None:
    (here / "job").mkdir()
    models_file(here / "job", PRICED)
    (here / "job" / "run.yaml").write_text(
        "project: Write a haiku\ncriteria: short\nmodels: models.yaml\nmax_tasks: 1\n"
    )

    done = run("--file", "job/run.yaml", "--criteria", "seventeen syllables", "--json")

    document = json.loads(done.out)
    assert (document["project"], document["criteria"]) == ("Write a haiku", "seventeen syllables")
    [task] = document["tasks"]
    assert {task["model"], task["reviewer"]} == {"writer", "critic"}


@pytest.mark.parametrize(
    ("routing", "reason"),
    [("greedy", "its quality is the highest"), ("weighted", "its weighted sum is the highest")],
)
def test_the_routing_that_was_asked_for_chooses(run: Run, routing: str, reason: str) -> None:
    done = run("--project", "Write a haiku", "--max-tasks", "1", "--routing", routing, "--verbose")

    assert reason in done.err


# Plans


def test_plan_only_shows_the_tasks_their_price_and_what_planning_took(run: Run, here: Path) -> None:
    done = run(*PROJECT, "--plan-only", "--json", "--models", models_file(here, PRICED))

    assert done.code == 0
    assert "started" not in done.err
    plan = json.loads(done.out)
    assert plan["tasks"][0]["id"] == "t1"
    assert plan["at_most_usd"] == pytest.approx(sum(task["at_most_usd"] for task in plan["tasks"]))
    assert plan["at_most_usd"] > 0
    tokens = plan["usage"]
    assert plan["total_cost_usd"] == pytest.approx(
        (tokens["input_tokens"] + 2 * tokens["output_tokens"]) / 1e6
    )
    assert (plan["calls"], plan["status"]) == (1, "SUCCESS")


def test_plan_only_is_a_table_for_people(run: Run, here: Path) -> None:
    done = run(*PROJECT, "--plan-only", "--models", models_file(here, PRICED))

    assert done.out.startswith("# Plan: Build a rate limiter library\n\n| task")
    assert re.search(r"Planning took 1 call, \$0\.00[0-9]+ and 0\.\d s\.", done.out)


def test_a_plan_that_the_budget_does_not_allow_is_exit_3_and_a_document(
    run: Run, here: Path
) -> None:
    models = models_file(here, DEAR)

    done = run(*PROJECT, "--plan-only", "--models", models, "--budget", "0.01", "--json")

    assert done.code == 3
    document = json.loads(done.out)
    assert document["failure"]["error_type"] == "budget_exceeded"
    assert (document["tasks"], document["at_most_usd"], document["calls"]) == ([], None, 0)
    assert "orchestrator: BUDGET_EXHAUSTED: The next call could cost" in done.err


def test_policies_that_nobody_satisfies_are_exit_2_before_the_run(run: Run, here: Path) -> None:
    (here / "policies.yaml").write_text(
        "job: [{name: nobody, rules: {blocked_providers: [offline_author, offline_reviewer]}}]"
    )

    done = run(*PROJECT, "--plan-only", "--policies", "policies.yaml")

    assert done.code == 2
    assert done.out == ""
    assert len(done.err.splitlines()) == 1
    assert "'offline-author' breaks blocked_providers of policy 'nobody'" in done.err


@pytest.mark.parametrize("threshold", ["0.8", "1"])
def test_what_a_plan_costs_at_most_covers_what_its_run_costs(
    run: Run, here: Path, threshold: str
) -> None:
    args = (*PROJECT, "--models", models_file(here, PRICED), "--threshold", threshold, "--json")

    plan = json.loads(run(*args, "--plan-only").out)
    done = run(*args)

    most = {task["id"]: task["at_most_usd"] for task in plan["tasks"]}
    tasks = json.loads(done.out)["tasks"]
    assert tasks
    assert all(0 < task["cost_usd"] < most[task["id"]] for task in tasks)
    # Out of reach, the threshold has another author make the iteration that is left.
    assert ("after low_score: fallback_model" in done.err) is (threshold == "1")


# How a run ends


def test_a_threshold_out_of_reach_degrades_the_run_after_the_iterations_there_are(
    run: Run,
) -> None:
    done = run(*PROJECT, "--threshold", "1", "--max-iterations", "1", "--json")

    assert done.code == 1
    document = json.loads(done.out)
    assert document["status"] == "COMPLETED_DEGRADED"
    degraded = [task for task in document["tasks"] if task["status"] == "degraded"]
    assert degraded
    assert {task["iterations"] for task in document["tasks"]} == {1}
    assert all(task["score"] < 1 for task in degraded)


def test_an_exhausted_budget_is_exit_3_and_is_never_exceeded(run: Run, here: Path) -> None:
    models = models_file(here, DEAR)

    done = run(*PROJECT, "--models", models, "--budget", "0.45", "--json")

    assert done.code == 3
    document = json.loads(done.out)
    assert document["status"] == "BUDGET_EXHAUSTED"
    assert 0 < document["total_cost_usd"] <= 0.45
    assert document["estimated_cost_usd"] == 0
    assert "orchestrator: BUDGET_EXHAUSTED: The next call could cost" in done.err


def test_an_exhausted_time_is_exit_3_and_what_was_lost_is_an_estimate(run: Run, here: Path) -> None:
    models = models_file(here, f"{SLOW}, {PRICED}")

    done = run(*PROJECT, "--models", models, "--time", "0.2", "--json")

    assert done.code == 3
    document = json.loads(done.out)
    assert document["status"] == "TIMEOUT"
    assert 0 < document["estimated_cost_usd"] == document["total_cost_usd"]
    assert "0.2 s has passed" in done.err
    assert "TIMEOUT: 1 call, ≈ $0.0" in done.err


def test_a_server_that_is_not_there_fails_the_run_is_named_and_costs_nothing(
    run: Run, here: Path
) -> None:
    importlib.import_module("openai")  # which takes longer than what is timed
    (here / "models.yaml").write_text(
        'models: [{id: m, provider: p, api: openai, base_url: "http://127.0.0.1:9/v1", '
        "price: {input: 1, output: 1}}]"
    )

    done = run(*PROJECT, "--models", "models.yaml", "--time", "5", "--json", "--quiet")

    assert done.code == 1
    document = json.loads(done.out)
    assert document["status"] == "FAILED"
    assert document["total_cost_usd"] == document["estimated_cost_usd"] == 0
    [sentence] = done.err.splitlines()
    assert sentence.startswith("orchestrator: FAILED: Cannot connect to 127.0.0.1:9, which serves")


# Tracing


def test_tracing_shows_the_tree_on_stderr_and_changes_no_result(run: Run) -> None:
    traced = subprocess.run(
        command(*PROJECT, "--tracing", "--quiet"), capture_output=True, text=True, check=False
    )

    assert traced.returncode == 0
    assert _without_duration(traced.stdout) == _without_duration(run(*PROJECT).out)
    tree, _, ranking = traced.stderr.partition("Slowest calls\n")
    depths = {
        line.lstrip("│├└ ").partition(" ")[0]: len(line) - len(line.lstrip("│├└ "))
        for line in tree.splitlines()
    }
    assert [depths[name] for name in ("run_project", "decompose", "llm_call:decompose")] == [
        0,
        2,
        4,
    ]
    assert [depths[name] for name in ("task:t1", "llm_call:generate")] == [2, 4]
    slowest = ranking.strip().splitlines()
    assert len(slowest) == 5
    times = [float(line.split()[1]) for line in slowest]
    assert times == sorted(times, reverse=True)
    assert re.search(r" ms +\d+ %  \S+ / llm_call:\w+ .*offline-(author|reviewer)$", slowest[0])


def _without_duration(text: str) -> str:
    return text.rpartition(",")[0]


def test_json_spans_are_all_that_stands_on_the_standard_error() -> None:
    done = subprocess.run(
        command(*PROJECT, "--tracing", "--trace-format", "json", "--sample-rate", "1"),
        capture_output=True,
        text=True,
        check=True,
    )

    names = [json.loads(line)["name"] for line in done.stderr.splitlines()]
    assert names[-1] == "run_project"
    assert "**SUCCESS**" in done.stdout


def test_a_run_that_may_not_be_recorded_is_told_so(run: Run) -> None:
    pytest.importorskip("opentelemetry.sdk")

    assert (
        "orchestrator: --sample-rate records 0 % of runs; the others have no spans."
        in run(*PROJECT, "--tracing", "--sample-rate", "0").err.splitlines()
    )


def test_what_the_package_logs_is_told_in_the_voice_of_the_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with saying_what_is_logged():
        logging.getLogger("orchestrator.tracing").warning("%d spans were lost", 3)

    assert capsys.readouterr().err == "orchestrator: 3 spans were lost\n"


def test_what_opentelemetry_says_of_every_span_is_told_once_and_without_keys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = logging.getLogger("opentelemetry.attributes")
    with saying_what_is_logged():
        for _ in range(3):
            log.warning("The attribute %s is dropped.", "sk-proj-0123456789abcdef")
            log.info("Nobody needs to know.")

    assert capsys.readouterr().err == (
        "orchestrator: OpenTelemetry: The attribute [redacted] is dropped.\n"
    )


def test_tracing_without_the_extra_is_one_sentence(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "opentelemetry").mkdir()
    (here / "opentelemetry" / "__init__.py").write_text(
        "raise ModuleNotFoundError('No module named opentelemetry', name='opentelemetry')"
    )
    monkeypatch.setenv("PYTHONPATH", f"{here}:{':'.join(sys.path)}")

    done = subprocess.run(
        command(*PROJECT, "--tracing"), capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "pip install 'multi-llm-orchestrator[tracing]'" in done.stderr


# Streams and signals


def test_a_reader_who_leaves_early_is_no_failure() -> None:
    with subprocess.Popen(
        command(*PROJECT, "--quiet"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        said = process.stderr.read()

    assert (process.returncode, said) == (0, "")


def test_closed_streams_are_no_failure(here: Path) -> None:
    line = f"exec {sys.executable} -m orchestrator --project x --output-dir out >&- 2>&-"

    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=False)

    assert (done.stdout, done.stderr) == (b"", b"")
    status = json.loads((here / "out" / "summary.json").read_text())["status"]
    assert done.returncode == (status != "SUCCESS")


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


@pytest.mark.parametrize(
    ("number", "facts"),
    [(signal.SIGTERM, SLOW), (signal.SIGINT, None)],
    ids=["a slow model", "the shipped models"],
)
def test_an_interrupted_run_prints_what_there_is(
    here: Path, number: signal.Signals, facts: str | None
) -> None:
    models = ("--models", models_file(here, facts)) if facts else ()
    with spawn(*models, "--output-dir", "out") as process:
        wait_until_it_asks(process)
        process.send_signal(number)
        out, said = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "**CANCELLED**" in out
    assert "Stopping; once more to leave at once." in said
    assert "Go on with it: orchestrator --resume " in said
    assert "Traceback" not in said
    assert json.loads((here / "out" / "summary.json").read_text())["status"] == "CANCELLED"


def test_a_second_signal_leaves_at_once() -> None:
    stubborn = """
import asyncio
from orchestrator.cli.interruption import cancelling_on_signals
from tests.command_line import Run

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


def test_an_interruption_while_modules_are_imported_is_no_traceback(here: Path) -> None:
    """The first module that the front door imports stands still until the signal is there."""
    (here / "argparse.py").write_text(
        "import sys, time\nprint('importing', flush=True)\ntime.sleep(60)\n"
    )
    environ = {**os.environ, "PYTHONPATH": f"{here}:{':'.join(sys.path)}"}
    with subprocess.Popen(
        command(*PROJECT),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)

    assert (process.returncode, said) == (130, "")


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
    "a command behind": (("--quiet", "show", "x"), "'show' is a command, which comes before all"),
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
    "lines among spans": (
        (*PROJECT, "--tracing", "--trace-format", "json", "--verbose"),
        "--verbose would write among the spans of --trace-format json",
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
        "'unknown.yaml' is wrong: there is no key 'budjet'; did you mean 'budget'?",
    ),
    "a key that stands twice": (("--file", "twice.yaml"), "the key 'budget' stands twice"),
    "a wrong entry": (("--file", "wrong.yaml"), "'wrong.yaml' is wrong: budget cannot be 'much'"),
    "a budget that is a boolean": (("--file", "bool.yaml"), "budget cannot be True"),
    "a routing that nobody knows": ((*PROJECT, "--routing", "best"), "'best'"),
    "weights that nobody uses": (
        ("--file", "greedy.yaml"),
        "weights: they are those of `routing: weighted`, and routing is 'greedy'",
    ),
    "a weight below nothing": (
        ("--file", "weights.yaml", "--routing", "weighted"),
        "weights.usd cannot be -1",
    ),
    "a key that is none": (
        (*PROJECT, "--models", "newline.yaml"),
        "ORCHESTRATOR_TEST_KEY, the key of model 'm', is empty or holds characters",
    ),
    "a base URL that is none": (
        (*PROJECT, "--models", "homeless.yaml"),
        "The base URL of model 'm' is 'gw.example.com' (base_url in the catalogue): give one such",
    ),
    "an SDK that is not installed": (
        (*PROJECT, "--models", "sdkless.yaml"),
        "which is not installed. Install it with `pip install 'multi-llm-orchestrator[google]'`",
    ),
    "an API that nobody speaks": (
        (*PROJECT, "--models", "telepathy.yaml"),
        "models.0.api cannot be 'telepathy'",
    ),
    "a model that stands twice": (
        (*PROJECT, "--models", "double.yaml"),
        "model 'm' stands in the catalogue twice",
    ),
    "an unknown key of a model": (
        (*PROJECT, "--models", "misspelt.yaml"),
        "there is no key 'models.0.qualty'; did you mean 'quality'?",
    ),
    "a remote model without a price": (
        (*PROJECT, "--models", "unpriced.yaml"),
        "Nobody knows the price of model 'm' of provider 'a'",
    ),
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


M: Final = "id: m, provider: a, price: {input: 1, output: 1}"
MODELS: Final = {
    "newline": f"{{{M}, api: openai, key_env: ORCHESTRATOR_TEST_KEY}}",
    "homeless": f"{{{M}, api: anthropic, base_url: gw.example.com}}",
    "sdkless": f"{{{M}, api: google}}",
    "telepathy": f"{{{M}, api: telepathy}}",
    "double": f"{{{M}, api: openai}}, {{{M}, api: anthropic}}",
    "misspelt": f"{{{M}, api: openai, qualty: 1}}",
    "unpriced": "{id: m, provider: a, api: openai}",
}
"""Catalogues, each with one thing wrong, by the names of their files."""


@pytest.mark.parametrize(("args", "sentence"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_is_one_sentence_and_leaves_nothing_behind(
    run: Run,
    args: tuple[str, ...],
    sentence: str,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_TEST_KEY", "sk-\n-x")
    monkeypatch.setitem(sys.modules, "google.genai", None)
    for name, facts in MODELS.items():
        (here / f"{name}.yaml").write_text(f"models: [{facts}]")
    (here / "broken.yaml").write_text("project: [")
    (here / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    (here / "list.yaml").write_text("[project]")
    (here / "unknown.yaml").write_text("budjet: 1")
    (here / "twice.yaml").write_text("project: Build it\nbudget: 1\nbudget: 2")
    (here / "wrong.yaml").write_text("project: Build it\nbudget: much")
    (here / "bool.yaml").write_text("project: Build it\nbudget: yes")
    (here / "greedy.yaml").write_text("project: Build it\nrouting: greedy\nweights: {usd: 1}")
    (here / "weights.yaml").write_text("project: Build it\nweights: {usd: -1}")
    before = sorted(here.iterdir())

    done = run(*args)

    assert (done.code, done.out) == (2, "")
    [line] = done.err.splitlines()
    assert line.startswith("orchestrator: ")
    assert sentence in line
    assert sorted(here.iterdir()) == before
