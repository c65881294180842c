"""`orchestrator doctor`: what it says of each model of the catalogue."""

import pytest

from orchestrator.cli.commands import COMMANDS, answer, doctor
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.errors import InputError


def test_without_a_key_only_the_offline_models_are_ready(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert answer(["doctor"], {}) is ExitCode.FAILURE

    said = capsys.readouterr().out.splitlines()
    assert "gpt-4.1-mini (openai): not ready: set OPENAI_API_KEY" in said
    assert "offline-author (offline_author): ready" in said


def test_a_key_makes_its_models_ready_and_is_not_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert answer(["doctor"], {"OPENAI_API_KEY": "sk-planted"}) is ExitCode.SUCCESS

    said = capsys.readouterr().out
    assert "gpt-4.1-mini (openai): ready" in said.splitlines()
    assert "offline-author (offline_author): not used: another model is ready" in said
    assert "planted" not in said


def test_an_unknown_option_of_a_command_is_refused_with_its_own_help() -> None:
    with pytest.raises(InputError, match=r"--modles.*`orchestrator doctor --help`"):
        doctor.answer(["--modles", "x"], {})


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    from orchestrator.cli import main

    with pytest.raises(SystemExit) as exit_:
        main(["--help"])

    assert exit_.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert all(f"{name}: {why}" in said for name, why in COMMANDS.items())
