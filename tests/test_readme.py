"""The README and the examples do what they say."""

import os
import re
import runpy
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml

from orchestrator.catalogue import load_catalogue, shipped_catalogue
from orchestrator.cli import arguments, main
from orchestrator.cli.commands import COMMANDS
from orchestrator.cli.run_file import describe
from orchestrator.models import RunStatus
from orchestrator.policies import load_policies
from orchestrator.prices import refuse_unpriced
from tests.fakes import RefusingSandbox, in_virtual_time

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
INSTALL_AND_RUN = (
    'pip install -e ".[tracing]" && python -m orchestrator --project '
    '"Build a rate limiter library" --criteria "token bucket, thread safe, tested" --tracing'
)
INSTALL_AND_TEST = 'pip install -e ".[dev]" && pytest'


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def run(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *args],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        timeout=60,
        # The plugins that this suite is made with take longer to import than the test to run.
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def test_exactly_the_two_commands_begin_with_an_editable_install() -> None:
    commands = [line for line in README.splitlines() if line.startswith("pip install -e")]

    assert commands == [INSTALL_AND_RUN, INSTALL_AND_TEST]


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!https?://|#)([^)#]+)", README))))
def test_every_link_leads_to_a_file(link: str) -> None:
    assert (ROOT / link).is_file()


@pytest.mark.usefixtures("tracing_off")
def test_the_picture_of_a_run_can_be_made_again() -> None:
    script = runpy.run_path(str(ROOT / "docs" / "waterfall.py"))

    state = in_virtual_time(script["run"](RefusingSandbox()))

    assert state.status is RunStatus.SUCCESS
    assert script["PICTURE"].is_file()


def test_every_command_is_one_the_command_line_takes() -> None:
    commands = [
        shlex.split(line, comments=True)
        for block in blocks("bash")
        for line in re.split(r"\n|&&", block)
        if re.match(r"\s*(orchestrator|python -m orchestrator) ", line)
    ]

    assert len(commands) > 5
    for command in commands:
        words = command[command.index("orchestrator") + 1 :]
        shell = words.index(">") if ">" in words else len(words)
        assert words[0] in COMMANDS or arguments.parse(words[:shell])


def test_every_flag_is_in_the_readme(capsys: pytest.CaptureFixture[str]) -> None:
    flags = {flag for flag in re.findall(r"--[a-z-]+", _help(capsys)) if flag != "--"}

    assert {flag for flag in flags if flag not in README} == set()


def _help(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit):
        main(["--help"])
    return capsys.readouterr().out


def test_the_policies_are_ones_a_run_takes(tmp_path: Path) -> None:
    [block] = [block for block in blocks("yaml") if block.startswith("org:")]
    (tmp_path / "policies.yaml").write_text(block)

    assert [p.name for p in load_policies(tmp_path / "policies.yaml")] == [
        "no-training-on-our-data",
        "cheap",
    ]


def test_the_recovery_plans_are_ones_a_run_takes(tmp_path: Path) -> None:
    [block] = [block for block in blocks("yaml") if block.startswith("remediation:")]
    (tmp_path / "run.yaml").write_text(f"project: x\n{block}")

    rules = describe({}, tmp_path / "run.yaml").settings

    assert rules.remediation["timeout"] == ("fallback_model", "abort_task")
    assert rules.skippable == ("ruff",)


def test_the_program_runs(tmp_path: Path) -> None:
    [program] = [block for block in blocks("python") if "asyncio.run" in block]

    done = run("-c", program, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "completed" in done.stdout
    assert "run_project" in done.stderr


def test_the_test_of_spans_says_what_the_readme_shows(tmp_path: Path) -> None:
    [test] = [block for block in blocks("python") if "def test_" in block]
    [said] = [block for block in blocks("text") if "SpanTreeMismatch" in block]
    [command] = [line for line in README.splitlines() if line.startswith("pytest ")]
    name = command.removeprefix("pytest ")
    assert test.startswith(f"# {name}\n")
    (tmp_path / name).write_text(test)

    done = run("-m", "pytest", name, "-p", "pytest_otel_spans.plugin", cwd=tmp_path)

    assert textwrap.indent(said, "E       ") in done.stdout
    assert "1 failed" in done.stdout


def test_the_library_example_runs(tmp_path: Path) -> None:
    done = run(str(ROOT / "examples" / "library.py"), cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "ProjectStarted"
    assert done.stdout.splitlines()[-1] == "SUCCESS, $0"


def test_the_example_files_are_ones_a_run_takes() -> None:
    examples = ROOT / "examples"

    assert describe({}, examples / "run.yaml").policies == str(examples / "policies.yaml")
    assert load_policies(examples / "policies.yaml")
    assert load_catalogue(examples / "models.yaml").models
    assert set(yaml.safe_load((examples / "run.yaml").read_text())) <= set(
        describe({"project": "x"}, None).model_dump()
    )


def test_every_shipped_model_and_what_makes_it_ready_is_on_the_page() -> None:
    for entry in shipped_catalogue().entries():
        for name in filter(None, (entry.key_env, entry.base_url_env)):
            assert f"`{name}`" in README
        assert entry.api == "offline" or f"`{entry.id}`" in README


def test_the_example_catalogue_is_priced_wherever_a_key_is_set() -> None:
    refuse_unpriced(load_catalogue(ROOT / "examples" / "models.yaml").entries())
