"""Asking the servers of models whether they are there and let us in."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from decimal import Decimal
from time import perf_counter
from typing import Any, Final

from orchestrator.catalogue import ModelEntry
from orchestrator.errors import ProviderError
from orchestrator.models import Prompt, Request
from orchestrator.prices import cost_of
from orchestrator.providers import speaker
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
    latency_s: float | None = None
    """How long an answer took, where one was asked for."""
    cost_usd: Decimal | None = None
    """What that answer cost."""


_Door = str | tuple[str, str | None]
"""What is asked once: a model, or a base URL with a key."""


async def visit(
    models: Iterable[ModelEntry], environ: Mapping[str, str], *, is_call: bool = False
) -> dict[str, Visit]:
    """Ask for each of these models, which are ready, and tell what came of it by model id.

    Args:
        models: the remote ones among them are asked for.
        environ: where their keys and base URLs are looked up.
        is_call: have each model answer, which is paid; else have each server, once for each key,
            list its models, which is not.
    """
    async with AsyncExitStack() as stack:
        asked: dict[_Door, asyncio.Task[Visit]] = {}
        visits: dict[str, asyncio.Task[Visit]] = {}
        for entry in models:
            if entry.api == "offline":
                continue
            provider = speaker(entry.api)(entry, environ)
            stack.push_async_callback(provider.close)
            door = entry.id if is_call else (provider.base_url, entry.key_env)
            if door not in asked:
                visiting = _called(entry, provider) if is_call else _reached(provider)
                asked[door] = asyncio.create_task(visiting)
            visits[entry.id] = asked[door]
        return {model: await task for model, task in visits.items()}


async def _reached(provider: RemoteProvider[Any, Any]) -> Visit:
    try:
        async with asyncio.timeout(REACH_TIMEOUT_S):
            await provider.reach(timeout_s=REACH_TIMEOUT_S)
    except ProviderError as error:
        return Visit(server=provider.server, problem=str(error))
    except TimeoutError:
        return _silent(provider, REACH_TIMEOUT_S)
    return Visit(server=provider.server)


async def _called(entry: ModelEntry, provider: RemoteProvider[Any, Any]) -> Visit:
    question = replace(_QUESTION, max_tokens=entry.output_limit(_QUESTION.max_tokens))
    request = Request(
        model=entry.wire_name,
        call_type="generate",
        prompt=question,
        timeout_s=CALL_TIMEOUT_S,
    )
    began_s = perf_counter()
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            reply = await provider.complete(request)
    except ProviderError as error:
        return Visit(server=provider.server, problem=str(error))
    except TimeoutError:
        return _silent(provider, CALL_TIMEOUT_S)
    return Visit(
        server=provider.server,
        latency_s=perf_counter() - began_s,
        cost_usd=cost_of(entry, reply.usage),
    )


def _silent(provider: RemoteProvider[Any, Any], seconds: float) -> Visit:
    problem = f"{provider.server[0]} was silent for {seconds:g} s. Check the network."
    return Visit(server=provider.server, problem=problem)
