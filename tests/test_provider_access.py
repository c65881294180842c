"""Which models are ready, where they are, what opens them; and what is wrong, before a run."""

import sys
from dataclasses import replace
from importlib.metadata import version
from itertools import combinations

import pytest

from orchestrator.budget import Ledger
from orchestrator.catalogue import shipped_catalogue
from orchestrator.errors import InputError
from orchestrator.hooks import HookRegistry
from orchestrator.policy_engine import PolicyEngine
from orchestrator.providers import access, connect, ready_models, speaker
from orchestrator.routing import Router
from orchestrator.telemetry import TelemetryCollector
from tests.aimock import KEY
from tests.fakes import ManualClock, catalogue, gate, model
from tests.protocols import ENVIRON, OPENAI, PROTOCOLS, WireProtocol

SDK = speaker("openai").sdk

each_protocol = pytest.mark.parametrize("wire", PROTOCOLS, ids=str)


@each_protocol
def test_a_key_makes_the_remote_models_ready_and_them_alone(wire: WireProtocol) -> None:
    remote, offline = wire.entry(), model("offline")

    assert ready_models(catalogue(remote, offline), ENVIRON) == (remote,)
    assert ready_models(catalogue(remote, offline), {}) == (offline,)
    assert ready_models(catalogue(remote, offline), {wire.key_env: " "}) == (offline,)


def test_a_server_that_needs_no_key_is_ready() -> None:
    ollama = OPENAI.entry("http://127.0.0.1:11434/v1", key_env=None)

    assert ready_models(catalogue(ollama, model("offline")), {}) == (ollama,)


@each_protocol
def test_the_shipped_models_are_connected_offline_or_by_key(wire: WireProtocol) -> None:
    shipped = shipped_catalogue()

    offline = connect(shipped, {}, ManualClock())
    remote = connect(shipped, {wire.key_env: KEY}, ManualClock())

    assert {shipped[model_id].api for model_id in offline} == {"offline"}
    assert {shipped[model_id].provider for model_id in remote} == {wire.provider}
    assert all(isinstance(provider, speaker(wire.api)) for provider in remote.values())


@pytest.mark.parametrize(
    ("server", "named"),
    [
        (("api.openai.com", 443), "api.openai.com"),
        (("127.0.0.1", 80), "127.0.0.1"),
        (("127.0.0.1", 11434), "127.0.0.1:11434"),
    ],
)
def test_a_sentence_tells_servers_of_one_host_apart(server: tuple[str, int], named: str) -> None:
    assert access.named(server) == named


def test_no_model_ready_is_said_with_the_keys_that_would_help() -> None:
    with pytest.raises(InputError, match=r"Set the key of one \(OPENAI_API_KEY\)"):
        connect(catalogue(OPENAI.entry()), {}, ManualClock())


@pytest.mark.parametrize(
    ("url", "environ", "server"),
    [
        (None, {}, ("api.openai.com", 443)),
        ("http://box:8000/v1", {}, ("box", 8000)),
        (
            "http://box:8000/v1",
            {"OPENAI_BASE_URL": "https://gw.example.com/k/secret?token=secret"},
            ("gw.example.com", 443),
        ),
        (None, {"OPENAI_BASE_URL": "http://gw"}, ("gw", 80)),
        (None, {"OPENAI_BASE_URL": " "}, ("api.openai.com", 443)),
    ],
)
def test_the_environment_moves_the_base_url(
    url: str | None, environ: dict[str, str], server: tuple[str, int]
) -> None:
    entry = OPENAI.entry(url, base_url_env="OPENAI_BASE_URL")

    assert speaker("openai")(entry, ENVIRON | environ).server == server


@each_protocol
@pytest.mark.parametrize(
    "url", ["gw.example.com/v1", "ftp://gw", "http://", "http://gw:port", "http://[gw"]
)
def test_a_base_url_that_is_none_is_refused_with_its_source(wire: WireProtocol, url: str) -> None:
    moved, written = wire.entry(base_url_env="MOVED_TO"), wire.entry(url)

    with pytest.raises(InputError) as of_environment:
        speaker(wire.api)(moved, ENVIRON | {"MOVED_TO": url})
    with pytest.raises(InputError) as of_catalogue:
        speaker(wire.api)(written, ENVIRON)

    assert f"is {url!r} (MOVED_TO): give one such as" in str(of_environment.value)
    assert f"is {url!r} (base_url in the catalogue)" in str(of_catalogue.value)


def test_a_wrong_base_url_is_shown_without_what_may_be_secret_in_it() -> None:
    entry = OPENAI.entry("https://me:secret@gw:port/v1?key=secret")

    with pytest.raises(InputError) as refusal:
        speaker("openai")(entry, ENVIRON)

    assert "is 'https://…@gw:port/v1' (base_url" in str(refusal.value)


@pytest.mark.parametrize("key", ["sk-\n-x", "sk x", "schlüssel", ""])
def test_a_key_that_is_none_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(InputError, match=r"OPENAI_API_KEY, the key of .*, is empty or holds") as no:
        access.key(OPENAI.entry(), {"OPENAI_API_KEY": key})

    assert not key or key not in str(no.value)


def test_white_space_around_a_key_is_forgiven() -> None:
    assert access.key(OPENAI.entry(), {"OPENAI_API_KEY": f" {KEY}\n"}) == KEY


@each_protocol
def test_without_the_sdk_the_sentence_says_how_to_get_it_or_do_without(
    monkeypatch: pytest.MonkeyPatch, wire: WireProtocol
) -> None:
    monkeypatch.setitem(sys.modules, speaker(wire.api).sdk.module, None)

    with pytest.raises(InputError) as refusal:
        connect(catalogue(wire.entry()), ENVIRON, ManualClock())

    assert str(refusal.value).endswith(
        f"Install it with `pip install 'multi-llm-orchestrator[{wire.api}]'`, "
        f"or unset {wire.key_env} to do without."
    )


def test_an_sdk_is_missing_where_even_the_package_around_it_is() -> None:
    assert replace(SDK, module="no_such_package.genai").lack == "which is not installed"


def test_an_sdk_that_is_too_old_is_said_before_the_run() -> None:
    assert SDK.lack is None
    assert replace(SDK, major=99).lack == (
        f"of which {version('openai')} is installed, and 99 is needed"
    )


# Who of several vendors writes, and who reviews

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "DEEPSEEK_API_KEY")
STRONG = 0.75
"""What the catalogue promises of a vendor's models that write and judge; the small ones are less.
"""


def shipped_router(*keys: str) -> Router:
    """Who chooses among the shipped models that these keys make ready."""
    shipped, hooks, telemetry = shipped_catalogue(), HookRegistry(), TelemetryCollector()
    return Router(
        project_id="p",
        catalogue=shipped,
        ready=[entry.id for entry in ready_models(shipped, dict.fromkeys(keys, KEY))],
        policies=PolicyEngine((), project_id="p", hooks=hooks, telemetry=telemetry),
        telemetry=telemetry,
        gate=gate(),
        ledger=Ledger(),
        hooks=hooks,
    )


@pytest.mark.parametrize("keys", [*combinations((*KEYS, "MOONSHOT_API_KEY"), 2)], ids="+".join)
async def test_of_any_two_vendors_one_writes_and_the_other_reviews_each_with_a_strong_model(
    keys: tuple[str, str],
) -> None:
    router = shipped_router(*keys)

    author = await router.choose("author")
    reviewer = await router.choose("reviewer", author=author.model)

    assert {author.model.key_env, reviewer.model.key_env} == set(keys)
    assert reviewer.crosses
    assert min(author.model.quality, reviewer.model.quality) > STRONG


@pytest.mark.parametrize("key", KEYS)
async def test_of_one_vendor_another_of_its_models_reviews(key: str) -> None:
    router = shipped_router(key)

    author = await router.choose("author")
    reviewer = await router.choose("reviewer", author=author.model)

    assert author.model.quality > STRONG
    assert reviewer.model.id != author.model.id
