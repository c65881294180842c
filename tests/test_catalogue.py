"""The catalogue file: what is shipped, and how a wrong one is refused."""

import re
from itertools import groupby
from pathlib import Path
from typing import get_args

import pytest

from orchestrator.catalogue import Api, ModelEntry, Structured, load_catalogue, shipped_catalogue
from orchestrator.errors import InputError
from tests.fakes import model

MINIMAL = "models: [{id: m, provider: acme, api: openai}]"


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "models.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_shipped_catalogue_has_two_offline_providers_so_that_a_critique_crosses() -> None:
    offline = [entry for entry in shipped_catalogue().models if entry.api == "offline"]

    assert len({entry.provider for entry in offline}) == len(offline) == 2


def test_the_shipped_remote_models_are_ready_by_one_key_and_can_be_moved() -> None:
    remote = [entry for entry in shipped_catalogue().models if entry.api != "offline"]

    assert {entry.provider: (entry.key_env, entry.base_url_env) for entry in remote} == {
        "openai": ("OPENAI_API_KEY", "OPENAI_BASE_URL"),
        "anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"),
        "gcp.gemini": ("GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL"),
        "deepseek": ("DEEPSEEK_API_KEY", "DEEPSEEK_BASE_URL"),
        "moonshot_ai": ("MOONSHOT_API_KEY", "MOONSHOT_BASE_URL"),
    }
    assert all(entry.max_output_tokens and entry.context_window for entry in remote)


def test_every_shipped_model_that_thinks_has_room_to() -> None:
    for entry in shipped_catalogue().models:
        assert bool(entry.thinking_tokens) is ("reasoning" in entry.tags)
        assert entry.output_limit(4096) == 4096 + entry.thinking_tokens


def test_the_limit_of_a_request_is_never_more_than_the_model_has() -> None:
    small = model(max_output_tokens=1000, thinking_tokens=500)

    assert (small.output_limit(400), small.output_limit(800)) == (900, 1000)
    assert model(thinking_tokens=500).output_limit(800) == 1300


def test_of_each_provider_the_dearest_shipped_model_promises_most() -> None:
    shipped = shipped_catalogue().models
    by_provider = groupby(shipped, key=lambda entry: entry.provider)

    for _, entries in by_provider:
        qualities = [entry.quality for entry in entries]
        assert qualities == sorted(qualities, reverse=True)


def test_a_model_is_found_by_its_id(written) -> None:
    loaded = load_catalogue(written(MINIMAL))

    assert loaded["m"].provider == "acme"
    assert loaded["m"].wire_name == "m"
    assert list(loaded.entries()) == [loaded["m"]]
    with pytest.raises(KeyError):
        loaded["n"]


def test_the_vendors_name_may_differ_from_the_id(written) -> None:
    loaded = load_catalogue(written("models: [{id: big, name: m-2026, provider: a, api: openai}]"))

    assert loaded["big"].wire_name == "m-2026"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("models: []", r"models cannot be \[\]: tuple should have at least 1 item"),
        ("[]", r"it cannot be \[\]: keys and values belong there"),
        ("models: [{id: m, provider: a}]", "is wrong: models.0.api is missing"),
        ("models: [{id: m, provider: a, api: telepathy}]", "api cannot be 'telepathy': input"),
        (
            "models: [{id: m, provider: a, api: openai, qualty: 1}]",
            "there is no key 'models.0.qualty'; did you mean 'quality'",
        ),
        (
            "models: [{id: m, provider: a, api: openai, price: {input: 1, out: 2, colour: 3}}]",
            r"no key 'models.0.price.out'; did you mean 'output'",
        ),
        ("models: [{id: m, provider: a, api: openai, quality: 2}]", "quality cannot be 2: "),
        ("models: [{id: m, provider: a, api: offline, latency_ms: .inf}]", "latency_ms cannot be"),
        ("models: [{id: m, provider: a, api: offline, quality: .nan}]", "quality cannot be nan"),
        (
            "models: [{id: m, provider: a, api: openai, price: {input: -1, output: 0}}]",
            "models.0.price.input cannot be -1",
        ),
        (
            "models: [{id: m, provider: a, api: openai, latency_ms: 5}]",
            "latency_ms is for offline models, and 'm' is not one",
        ),
        (
            "models: [{id: m, provider: a, api: openai}, {id: m, provider: b, api: openai}]",
            "model 'm' stands in the catalogue twice",
        ),
    ],
)
def test_a_wrong_catalogue_is_refused_with_the_place_and_what_stands_there(
    written, text: str, says: str
) -> None:
    path = written(text)

    with pytest.raises(InputError, match=says) as refusal:
        load_catalogue(path)

    assert repr(str(path)) in str(refusal.value)


def test_every_key_of_a_model_is_on_its_page_and_no_other() -> None:
    page = (Path(__file__).parents[1] / "docs" / "models.md").read_text(encoding="utf-8")

    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == list(ModelEntry.model_fields)
    for values in (Api, Structured):
        assert all(f"`{value}`" in page for value in get_args(values))
