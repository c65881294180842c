"""Where state lives: the flag, the environment, the platform, in this order."""

from pathlib import Path

import pytest

from orchestrator.state_dir import ENVIRON, state_dir


def test_a_given_directory_beats_the_environments(tmp_path: Path) -> None:
    assert state_dir(tmp_path / "given", {ENVIRON: str(tmp_path / "other")}) == tmp_path / "given"


def test_the_environment_beats_the_platform(tmp_path: Path) -> None:
    assert state_dir(None, {ENVIRON: str(tmp_path)}) == tmp_path


def test_an_empty_variable_names_no_directory(tmp_path: Path) -> None:
    assert state_dir(None, {ENVIRON: ""}) == state_dir(None, {})


def test_the_platforms_directory_bears_the_projects_name() -> None:
    assert state_dir(None, {}).name == "multi-llm-orchestrator"


def test_a_relative_directory_stays_where_it_was_when_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert state_dir("here", {}) == tmp_path / "here"


def test_a_tilde_is_the_users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    assert state_dir("~/state", {}) == tmp_path / "state"
