"""What calls cost: the catalogue's price, nothing, the public list, or a refusal."""

import sys
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from orchestrator.catalogue import ModelEntry, shipped_catalogue
from orchestrator.errors import InputError
from orchestrator.models import Prompt, Usage
from orchestrator.prices import cost_of, is_local, refuse_unpriced, worst_case
from tests.fakes import model

USD = Decimal
GPT = model("gpt-4.1-mini", provider="openai", api="openai", key_env="KEY", price=None)


class _Shape(BaseModel):
    name: str


def test_the_catalogues_price_counts_first() -> None:
    entry = GPT.model_copy(update={"price": model(price={"input": 2, "output": 10}).price})

    cost = cost_of(entry, Usage(input_tokens=1000, output_tokens=100))

    assert cost == USD("0.003")


def test_an_offline_model_is_free_unless_it_has_a_price() -> None:
    usage = Usage(input_tokens=1000, output_tokens=1000)

    assert cost_of(model(price=None), usage) == 0
    assert cost_of(model(price={"input": 1, "output": 1}), usage) == USD("0.002")


def test_a_local_server_without_a_key_is_free() -> None:
    entry = model(api="openai", provider="ollama", base_url="http://127.0.0.1:11434/v1", price=None)

    assert cost_of(entry, Usage(input_tokens=1000, output_tokens=1000)) == 0


def test_a_local_gateway_that_asks_for_a_key_is_billed_like_the_model_behind_it() -> None:
    gateway = GPT.model_copy(update={"base_url": "http://127.0.0.1:4000/v1"})

    assert cost_of(gateway, Usage(input_tokens=1000)) == cost_of(GPT, Usage(input_tokens=1000)) > 0


def test_the_list_counts_cached_tokens_at_their_own_rate() -> None:
    whole = cost_of(GPT, Usage(input_tokens=1_000_000, output_tokens=1_000_000))
    cached = cost_of(GPT, Usage(input_tokens=1_000_000, cache_read_tokens=1_000_000))

    assert whole == USD("2.0")  # $0.40 in, $1.60 out, on the vendor's own price page
    assert cached == USD("0.1")


def test_the_vendors_name_of_a_model_is_looked_up_not_ours() -> None:
    renamed = GPT.model_copy(update={"id": "small", "name": GPT.id})

    assert cost_of(renamed, Usage(input_tokens=1000)) == cost_of(GPT, Usage(input_tokens=1000))


def test_a_remote_model_without_a_price_is_refused_with_what_to_write() -> None:
    unknown = model("brand-new-1", provider="openai", api="openai", key_env="K", price=None)

    with pytest.raises(InputError) as refusal:
        refuse_unpriced([GPT, unknown])

    assert str(refusal.value) == (
        "Nobody knows the price of model 'brand-new-1' of provider 'openai', so no budget could "
        "hold it. Give it one in the catalogue, in dollars per million tokens, such as "
        "`price: {input: 0.5, output: 2}`."
    )


def test_an_unknown_provider_is_refused_like_an_unknown_model() -> None:
    stranger = model("m", provider="nobody-has-heard-of-it", api="openai", price=None)

    with pytest.raises(InputError, match="Nobody knows the price of model 'm'"):
        refuse_unpriced([stranger])


def test_without_the_price_list_the_sentence_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    never_asked_for_before = GPT.model_copy(update={"name": "gpt-4.1-nano"})

    with pytest.raises(InputError, match=r"pip install 'multi-llm-orchestrator\[providers\]'"):
        cost_of(never_asked_for_before, Usage())


def test_every_shipped_model_has_a_price() -> None:
    refuse_unpriced(shipped_catalogue().models)


REMOTE = [entry for entry in shipped_catalogue().models if entry.api != "offline"]


@pytest.mark.parametrize("entry", REMOTE, ids=lambda entry: str(entry.id))
@settings(deadline=None)  # the first example imports the price list
@given(
    text=st.text(max_size=300), used=st.floats(0, 1), read=st.floats(0, 1), wrote=st.floats(0, 1)
)
def test_no_reply_costs_more_than_the_worst_case(
    entry: ModelEntry, text: str, used: float, read: float, wrote: float
) -> None:
    prompt = Prompt(system="be brief", text=text, max_tokens=500)
    tokens_in = int(used * len((prompt.system + text).encode()))
    cached = int(read * tokens_in)
    usage = Usage(
        input_tokens=tokens_in,
        output_tokens=int(used * 500),
        cache_read_tokens=cached,
        cache_creation_tokens=int(wrote * (tokens_in - cached)),
    )

    assert cost_of(entry, usage) <= worst_case(entry, prompt)


def test_a_long_prompt_is_priced_at_the_dearer_tier() -> None:
    tiered = model("gpt-6.1-sol", provider="openai", api="openai", price=None)
    most = Usage(input_tokens=1_000_000, output_tokens=1000)

    worst = worst_case(tiered, Prompt(system="", text="x" * 1_000_000, max_tokens=1000))

    assert worst >= cost_of(tiered, most)


def test_a_price_that_rises_while_a_call_is_under_way_is_in_its_worst_case() -> None:
    by_the_hour = shipped_catalogue()["deepseek-v4-pro"]
    prompt = Prompt(system="", text="x", max_tokens=1000)

    before, *others = (
        worst_case(by_the_hour, prompt, at=datetime(2026, 11, 26, hour, minute, tzinfo=UTC))
        for hour, minute in ((5, 55), (6, 30), (9, 55), (5, 30))
    )

    dear, dear_until_ten, cheap = others
    assert before == dear == dear_until_ten == 2 * cheap


def test_the_worst_case_counts_bytes_and_the_schema_that_is_sent_along() -> None:
    entry = model(price={"input": 1_000_000, "output": 0})  # a dollar a token

    ascii_only = worst_case(entry, Prompt(system="", text="aaaa"))
    wide = worst_case(entry, Prompt(system="", text="éééé"))
    shaped = worst_case(entry, Prompt(system="", text="aaaa", schema=_Shape))

    assert wide - ascii_only == 4
    assert shaped - ascii_only > len('{"properties":{"name"')


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:8000/v1", True),
        ("http://127.0.0.1/v1", True),
        ("http://[::1]:8000", True),
        ("http://192.168.1.7:8000", True),
        ("http://10.1.2.3", True),
        ("http://box.local:1234", True),
        ("https://api.openai.com/v1", False),
        ("https://8.8.8.8", False),
        ("http://localhost.example.com", False),
        ("nonsense", False),
    ],
)
def test_local_is_this_machine_or_a_private_network(url, local):
    assert is_local(url) is local
