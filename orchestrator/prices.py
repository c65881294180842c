"""What a call costs, and the most it can cost."""

import ipaddress
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pydantic import BaseModel

from orchestrator.catalogue import ModelEntry, Price
from orchestrator.errors import InputError
from orchestrator.models import Prompt, Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

_MILLION: Final = 1_000_000
_FREE: Final = Price(input=Decimal(0), output=Decimal(0))
_ENVELOPE_TOKENS: Final = 64
"""What a vendor adds around the text: roles, separators, the frame of a schema."""
_LONGER_THAN_A_REQUEST: Final = timedelta(minutes=10)


def cost_of(entry: ModelEntry, usage: Usage) -> Decimal:
    """What this usage of this model costs, in US dollars.

    The catalogue's own price counts first; then the embedded and the keyless local models, which
    are free; then the public price list, cached tokens at their own rate.

    Raises:
        InputError: nobody knows a price.
    """
    if (fixed := _fixed_price(entry)) is not None:
        return _at(fixed.input, usage.input_tokens) + _at(fixed.output, usage.output_tokens)
    rates = _listed(entry, datetime.now(UTC))
    from genai_prices import Usage as Counted

    counted = Counted(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_creation_tokens,
    )
    return rates.calc_price(counted)["total_price"]


def worst_case(entry: ModelEntry, prompt: Prompt, *, at: datetime | None = None) -> Decimal:
    """The most one request with this prompt can cost, in US dollars.

    No tokenizer makes more tokens than a text has bytes, and no answer is longer than its limit;
    each at the dearest rate that the model has for it, now and when the answer comes: there are
    vendors whose prices change with the hour.

    Raises:
        InputError: nobody knows a price.
    """
    tokens_in = _bytes_of(prompt) + _ENVELOPE_TOKENS
    if (fixed := _fixed_price(entry)) is not None:
        return _at(fixed.input, tokens_in) + _at(fixed.output, prompt.max_tokens)
    now = at or datetime.now(UTC)
    soon = (_listed(entry, now), _listed(entry, now + _LONGER_THAN_A_REQUEST))
    dearest_in = max(_dearest(rate) for p in soon for rate in (p.input_mtok, p.cache_write_mtok))
    dearest_out = max(_dearest(p.output_mtok) for p in soon)
    return _at(dearest_in, tokens_in) + _at(dearest_out, prompt.max_tokens)


def most(entry: ModelEntry, prompt: Prompt) -> Decimal:
    """The worst case of the request that is made of this prompt, with the model's room to think.

    Raises:
        InputError: nobody knows a price.
    """
    return worst_case(entry, replace(prompt, max_tokens=entry.output_limit(prompt.max_tokens)))


def refuse_unpriced(models: Iterable[ModelEntry]) -> None:
    """Make sure that every one of these models has a price: one without would switch a budget off.

    Raises:
        InputError: one has none; names it, and what to write into the catalogue.
    """
    for entry in models:
        cost_of(entry, Usage())


def is_local(base_url: str) -> bool:
    """Whether this server stands on this machine or in a private network."""
    host = urlsplit(base_url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))
    return address.is_loopback or address.is_private


def _fixed_price(entry: ModelEntry) -> Price | None:
    if entry.price is not None:
        return entry.price
    if entry.api == "offline":
        return _FREE
    # A local server that asks for a key is a gateway: somebody behind it sends a bill. What an
    # environment variable makes of the base URL never makes a model free.
    if entry.key_env is None and entry.base_url is not None and is_local(entry.base_url):
        return _FREE
    return None


def _listed(entry: ModelEntry, at: datetime) -> "ModelPrice":
    """What the public price list, which costs most of a second to import, says of that time."""
    try:
        found = _found(entry.wire_name, entry.provider)
    except ImportError as error:
        raise InputError(
            f"The price of model {entry.id!r} is looked up in a list that is not installed. "
            "Install it with `pip install 'multi-llm-orchestrator[providers]'`, or give the "
            "model a price in the catalogue, such as `price: {input: 0.5, output: 2}`."
        ) from error
    except LookupError:
        raise InputError(
            f"Nobody knows the price of model {entry.id!r} of provider {entry.provider!r}, so no "
            "budget could hold it. Give it one in the catalogue, in dollars per million tokens, "
            "such as `price: {input: 0.5, output: 2}`."
        ) from None
    return found.get_prices(at)


@cache  # the list does not change while we run, and looking through it takes longer than pricing
def _found(name: str, provider: str) -> "ModelInfo":
    import genai_prices

    return genai_prices.calc_price(genai_prices.Usage(), name, provider_id=provider).model


def _bytes_of(prompt: Prompt) -> int:
    sent = len(prompt.system.encode()) + len(prompt.text.encode())
    return sent + (_schema_bytes(prompt.schema) if prompt.schema else 0)


@cache  # a pure function of the class, and a costly one: most of a call's overhead
def _schema_bytes(schema: type[BaseModel]) -> int:
    return len(json.dumps(schema.model_json_schema()).encode())


def _at(rate: Decimal, tokens: int) -> Decimal:
    return rate * tokens / _MILLION


def _dearest(rate: "Decimal | TieredPrices | None") -> Decimal:
    """The highest rate that this one can become, in dollars per million tokens."""
    if rate is None or isinstance(rate, Decimal):
        return rate or Decimal(0)
    return max(rate.base, *(tier.price for tier in rate.tiers))
