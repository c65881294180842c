"""Asking the servers of models whether they are there and let us in."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from time import perf_counter
from typing import Any, Final

from orchestrator.catalogue import ModelEntry
from orchestrator.errors import ProviderError
from orchestrator.models import Prompt, Request
from orchestrator.prices import cost_of
from orchestrator.providers import refusals, speaker
from orchestrator.providers.remote import RemoteProvider

REACH_TIMEOUT_S: Final = 10.0
CALL_TIMEOUT_S: Final = 60.0
_QUESTION: Final = Prompt(
    system="Somebody makes sure that you can be reached.", text="Say: ready", max_tokens=64
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What came of asking."""

    server: tuple[str, int]
    problem: str | None = None
    """Why it could not be reached, or did not answer, in a sentence; None: all is well."""
    is_listed: bool | None = None
    """Whether the server lists the model among those that the key may use; None: unknown."""
    latency_s: float | None = None
    """How long an answer took, where one was asked for."""
    cost_usd: Decimal | None = None
    """What that answer cost."""


async def visit(
    models: Iterable[ModelEntry], environ: Mapping[str, str], *, is_call: bool = False
) -> dict[str, Visit]:
    """Ask for each of these models, which are ready, and tell what came of it by model id.

    Args:
        models: the remote ones among them are asked for.
        environ: where their keys and base URLs are looked up.
        is_call: have it answer, which is paid; else have its server list models, which is not.
    """
    asked = {
        entry.id: (entry, speaker(entry.api)(entry, environ))
        for entry in models
        if entry.api != "offline"
    }
    ask = _called if is_call else _reached
    visits = await asyncio.gather(*(ask(*each) for each in asked.values()))
    return dict(zip(asked, visits, strict=True))


async def _reached(entry: ModelEntry, provider: RemoteProvider[Any, Any]) -> Visit:
    async def ask() -> Visit:
        listed = await provider.reach(timeout_s=REACH_TIMEOUT_S)
        return Visit(server=provider.server, is_listed=listed)

    return await _told(entry, provider, ask, REACH_TIMEOUT_S)


async def _called(entry: ModelEntry, provider: RemoteProvider[Any, Any]) -> Visit:
    question = replace(_QUESTION, max_tokens=entry.output_limit(_QUESTION.max_tokens))
    request = Request(
        model=entry.wire_name,
        call_type="generate",
        prompt=question,
        timeout_s=CALL_TIMEOUT_S,
    )

    async def ask() -> Visit:
        departures: list[float] = []  # the import of the SDK is no latency of the model's
        reply = await provider.complete(request, departed=lambda: departures.append(perf_counter()))
        return Visit(
            server=provider.server,
            latency_s=perf_counter() - departures[0],
            cost_usd=cost_of(entry, reply.usage),
        )

    return await _told(entry, provider, ask, CALL_TIMEOUT_S)


async def _told(
    entry: ModelEntry,
    provider: RemoteProvider[Any, Any],
    ask: Callable[[], Awaitable[Visit]],
    timeout_s: float,
) -> Visit:
    """What came of asking, whatever did; the provider is closed."""
    try:
        async with asyncio.timeout(timeout_s):
            return await ask()
    except ProviderError as error:
        problem = str(error)
    except TimeoutError:
        problem = str(refusals.timed_out(entry, timeout_s))
    finally:
        await provider.close()
    return Visit(server=provider.server, problem=problem)
