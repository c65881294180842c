"""`orchestrator doctor`: what it says of each model of the catalogue, and whom it asks."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.cli.commands import COMMANDS, answer, doctor
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.errors import InputError
from tests.aimock import KEY, Aimock, started
from tests.protocols import GOOGLE, PROTOCOLS, WireProtocol

SECRET = "sk-planted-0123456789"
HELLO = {"content": "ready", "usage": {"input_tokens": 1000, "output_tokens": 100}}

each_protocol = pytest.mark.parametrize("wire", PROTOCOLS, ids=str)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aimock]:
    with started([{"match": {}, "response": HELLO}], tmp_path_factory.mktemp("aimock")) as server:
        yield server


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """Run the doctor on a catalogue of these entries; its exit code and its lines."""

    def run(*flags: str, entries: list[dict[str, Any]], environ: Mapping[str, str]):
        path = tmp_path / "models.yaml"
        path.write_text(yaml.safe_dump({"models": entries}), encoding="utf-8")
        code = answer(["doctor", "--models", str(path), *flags], environ)
        return code, capsys.readouterr().out

    return run


def entry(wire: WireProtocol, base_url: str, **facts: Any) -> dict[str, Any]:
    price = {"input": 1.5, "output": 6}
    described = wire.entry(base_url, **facts).model_dump(mode="json", exclude_none=True)
    return described | {"price": price}


@pytest.fixture(autouse=True)
def _nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bubblewrap is not found: where it is, the doctor runs a test, which takes time."""
    monkeypatch.setenv("PATH", os.devnull)


def test_it_is_said_which_validators_would_be_unverified(said: Any) -> None:
    entries = [{"id": "offline", "provider": "offline", "api": "offline"}]

    _, text = said(entries=entries, environ={})
    _, document = said("--json", entries=entries, environ={})

    why = "bwrap is not installed; install bubblewrap 0.8 or later"
    assert text.splitlines()[1:] == [
        f"validator pytest: would be unverified: {why}",
        "validator ruff: ready",
        "validator json_schema: ready",
    ]
    assert json.loads(document)["validators"] == {"pytest": why, "ruff": None, "json_schema": None}


def test_a_sandbox_that_works_has_run_a_test(
    said: Any, monkeypatch: pytest.MonkeyPatch, sandbox: object
) -> None:
    monkeypatch.setenv("PATH", os.defpath)

    _, text = said(entries=[{"id": "o", "provider": "o", "api": "offline"}], environ={})

    assert "validator pytest: ready" in text.splitlines()


def test_without_a_key_only_the_offline_models_are_ready(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert answer(["doctor"], {}) is ExitCode.FAILURE

    said = capsys.readouterr().out.splitlines()
    assert "gpt-4.1-mini (openai): not ready: set OPENAI_API_KEY" in said
    assert "claude-opus-5-5 (anthropic): not ready: set ANTHROPIC_API_KEY" in said
    assert "kimi-k3.1-pro (moonshot_ai): not ready: set MOONSHOT_API_KEY" in said
    assert "offline-author (offline_author): ready" in said


@each_protocol
def test_a_ready_model_is_asked_for_at_its_server_for_nothing(
    said: Any, server: Aimock, wire: WireProtocol
) -> None:
    before = len(server.journal())
    entries = [entry(wire, server.origin + wire.version)]
    entries.append({"id": "offline", "provider": "offline", "api": "offline"})

    code, text = said(entries=entries, environ={wire.key_env: KEY})

    host = server.origin.removeprefix("http://")
    unlisted = "" if wire is GOOGLE else ", but does not list the model"
    assert code is ExitCode.SUCCESS
    assert text.splitlines()[:2] == [
        f"{wire.model} ({wire.provider}): ready, {host} lets us in{unlisted}",
        "offline (offline): not used: another model is ready",
    ]
    asked = server.journal()[before:]
    assert not any(request["path"] == wire.path for request in asked)


@each_protocol
def test_one_call_for_each_model_is_made_only_when_asked_for(
    said: Any, server: Aimock, wire: WireProtocol
) -> None:
    before = len(server.journal())
    entries = [entry(wire, server.origin + wire.version)]

    code, text = said("--call", "--json", entries=entries, environ={wire.key_env: KEY})

    (told,) = json.loads(text)["models"]
    assert code is ExitCode.SUCCESS
    assert (told["state"], told["reached"], told["cost_usd"]) == ("ready", True, 0.0021)
    assert told["answered_in_s"] > 0
    assert [request["path"] for request in server.journal()[before:]] == [wire.path]


@each_protocol
def test_a_refused_key_is_told_by_its_variable(
    said: Any, server: Aimock, wire: WireProtocol
) -> None:
    entries = [entry(wire, server.origin + wire.version)]

    for flags in ((), ("--call",)):
        code, text = said(*flags, entries=entries, environ={wire.key_env: SECRET})

        assert code is ExitCode.FAILURE
        assert f"ready, but: {wire.provider} refused the key in {wire.key_env}." in text
        assert SECRET not in text


@each_protocol
def test_nobody_at_the_server_is_told_with_its_host(said: Any, wire: WireProtocol) -> None:
    entries = [entry(wire, "http://127.0.0.1:9")]

    code, text = said(entries=entries, environ={wire.key_env: KEY})

    assert code is ExitCode.FAILURE
    assert "ready, but: Cannot connect to 127.0.0.1:9, which serves" in text


def test_each_model_is_told_by_itself(said: Any, server: Aimock) -> None:
    wire = PROTOCOLS[0]
    well = entry(wire, server.origin + wire.version)
    ill = well | {"id": "elsewhere", "base_url": "http://127.0.0.1:9", "name": wire.model}

    code, text = said("--json", entries=[well, ill], environ={wire.key_env: KEY})

    first, second = json.loads(text)["models"]
    assert (code, first["reached"], second["reached"]) == (ExitCode.FAILURE, True, False)
    assert "which serves model 'elsewhere'" in second["problem"]


@each_protocol
def test_a_missing_sdk_is_told_with_the_command_that_installs_it(
    said: Any, monkeypatch: pytest.MonkeyPatch, wire: WireProtocol
) -> None:
    module = {"google": "google.genai"}.get(wire.api, wire.api)
    monkeypatch.setitem(sys.modules, module, None)
    entries = [entry(wire, "http://127.0.0.1:9")]
    install = f"install its SDK with `pip install 'multi-llm-orchestrator[{wire.api}]'`"

    without_key = said(entries=entries, environ={})
    with_key = said(entries=entries, environ={wire.key_env: KEY})

    assert f"not ready: set {wire.key_env}; {install}\n" in without_key[1]
    assert f"not ready: {install}\n" in with_key[1]
    assert without_key[0] is with_key[0] is ExitCode.FAILURE


@pytest.mark.parametrize(
    ("facts", "environ", "problem"),
    [
        ({}, {"OPENAI_API_KEY": "sk-\n-x"}, "OPENAI_API_KEY, the key of model"),
        ({"base_url": "gw.example.com"}, {"OPENAI_API_KEY": KEY}, "The base URL of model"),
        ({"price": None}, {"OPENAI_API_KEY": KEY}, "Nobody knows the price of model"),
    ],
)
def test_a_model_that_would_stop_every_run_is_told_with_what_is_wrong(
    said: Any, server: Aimock, facts: dict[str, Any], environ: dict[str, str], problem: str
) -> None:
    wire = PROTOCOLS[0]
    well = entry(wire, server.origin + wire.version) | {"id": "well", "key_env": "WELL"}
    ill = entry(wire, server.origin) | {"id": "ill"} | facts

    code, text = said("--json", entries=[well, ill], environ=environ | {"WELL": KEY})

    first, second = json.loads(text)["models"]
    assert (first["state"], first["reached"], first["problem"]) == ("ready", True, None)
    assert second["state"] == "not_ready"
    assert second["problem"].startswith(problem)
    assert code is ExitCode.FAILURE


def test_no_answer_of_the_doctor_shows_a_key(said: Any) -> None:
    wire = PROTOCOLS[0]
    entries = [entry(wire, f"http://127.0.0.1:9/{SECRET}?key={SECRET}")]

    for flags in ((), ("--json",)):
        _, text = said(*flags, entries=entries, environ={wire.key_env: SECRET})
        assert SECRET not in text


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
