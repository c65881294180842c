"""The OpenAI protocol, through the official SDK: OpenAI itself and every server that speaks it."""

import asyncio
import importlib.util
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import cache
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pydantic import BaseModel

from orchestrator.catalogue import ModelEntry
from orchestrator.errors import InputError, ProviderError
from orchestrator.models import Reply, Request, Usage
from orchestrator.providers import refusals

if TYPE_CHECKING:
    import httpx2
    import openai
    from openai.types import CompletionUsage
    from openai.types.chat import ChatCompletion

_OPENAI_URL: Final = "https://api.openai.com/v1"
_REASONING: Final = "reasoning"
_PORTS: Final = {"http": 80, "https": 443}
_DEPARTED: Final[ContextVar[Callable[[], None]]] = ContextVar("departed")
"""Whom the request of this task tells of its departure: the SDK hands nothing through to HTTP."""


class OpenAIProvider:
    """One model behind one server; the SDK is imported, in a thread, with the first request.

    Args:
        entry: the model. Tagged ``reasoning``, it is sent no temperature, which such models
            refuse, and is asked to reason briefly, because reasoning counts as output.
        environ: where its key and base URL are looked up.

    Raises:
        InputError: the SDK is not installed, or the key or the base URL cannot be used.
    """

    def __init__(self, entry: ModelEntry, environ: Mapping[str, str]) -> None:
        if importlib.util.find_spec("openai") is None:
            raise InputError(
                f"Model {entry.id!r} is reached with the SDK of OpenAI, which is not installed. "
                "Install it with `pip install 'multi-llm-orchestrator[openai]'`."
            )
        self._entry = entry
        self._key = _key(entry, environ)
        self._base_url = _base_url(entry, environ)
        self._opening = asyncio.Lock()
        self._client: openai.AsyncOpenAI | None = None
        self.server = _server(self._base_url)
        """Host and port: where a span says the answer comes from."""
        self.takes_temperature = _REASONING not in entry.tags
        """Whether a prompt's temperature is sent."""

    async def complete(
        self, request: Request, *, departed: Callable[[], None] = lambda: None
    ) -> Reply:
        """Answer one request; `departed` is called just before anything of it leaves.

        Raises:
            ProviderError: it was refused or broke off; says whether to try again.
        """
        client = await self._opened()
        import openai

        token = _DEPARTED.set(departed)
        try:
            completion: ChatCompletion = await client.chat.completions.create(**self._body(request))
        except (openai.APIError, JSONDecodeError, UnicodeDecodeError) as error:
            failure = self._failure(error, request)
        else:
            return self._reply(completion)
        finally:
            _DEPARTED.reset(token)
        # Not raised within the `except`: the SDK's exception holds the vendor's text, and must
        # not hang on ours as its context.
        raise failure

    async def close(self) -> None:
        """Give back connections; closing twice is allowed."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    async def _opened(self) -> "openai.AsyncOpenAI":
        async with self._opening:
            if self._client is None:
                self._client = await asyncio.to_thread(self._open)
            return self._client

    def _open(self) -> "openai.AsyncOpenAI":
        """Import the SDK, which takes seconds, with the parts that it imports late by itself."""
        import openai

        client = openai.AsyncOpenAI(
            api_key=self._key,
            base_url=self._base_url,
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(event_hooks={"request": [_watch]}),
        )
        _ = client.chat.completions
        return client

    def _body(self, request: Request) -> dict[str, Any]:
        prompt = request.prompt
        # OpenAI's newer models refuse the old name; most compatible servers know no other.
        limit = "max_completion_tokens" if self._entry.provider == "openai" else "max_tokens"
        body: dict[str, Any] = {
            "model": request.model,
            "messages": [
                {"role": "system", "content": prompt.system},
                {"role": "user", "content": prompt.text},
            ],
            limit: prompt.max_tokens,
            # The caller's timeout comes first: it covers the whole request, this one each read.
            "timeout": request.timeout_s + 1,
        }
        if self.takes_temperature:
            body["temperature"] = prompt.temperature
        else:
            body["reasoning_effort"] = "low"
        if prompt.schema is not None:
            body["response_format"] = _response_format(prompt.schema)
        return body

    def _reply(self, completion: "ChatCompletion") -> Reply:
        try:
            choice = completion.choices[0]
            return Reply(
                text=choice.message.content or "",
                usage=_usage(completion.usage),
                served_model=completion.model or self._entry.wire_name,
                finish_reason=choice.finish_reason or "stop",
                response_id=completion.id or None,
            )
        except (AttributeError, IndexError, TypeError):
            # The SDK builds its objects without checking: anything may be missing.
            pass
        raise refusals.unreadable(self._entry, self.server[0])

    def _failure(self, error: Exception, request: Request) -> ProviderError:
        import httpx2
        import openai

        entry, host = self._entry, self.server[0]
        if isinstance(error, openai.APIStatusError):
            return refusals.refused(entry, error.status_code, error.code, error.response.headers)
        if not isinstance(error, openai.APIConnectionError):
            return refusals.unreadable(entry, host)
        if isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout):
            return refusals.unreachable(entry, host)
        if isinstance(error, openai.APITimeoutError):
            return refusals.timed_out(entry, request.timeout_s)
        return refusals.broken_off(entry, host)


async def _watch(request: "httpx2.Request") -> None:
    """Have the HTTP library tell when it begins to write this request."""
    departed = _DEPARTED.get()

    async def trace(event: str, info: dict[str, Any]) -> None:
        is_written = event.endswith(".send_request_headers.started")
        # What a proxy is asked for first, a way to the server, carries nothing of the request.
        if is_written and info["request"].method != b"CONNECT":
            departed()

    request.extensions["trace"] = trace


def _key(entry: ModelEntry, environ: Mapping[str, str]) -> str:
    """The key; a word that no server reads where none is needed, because the SDK insists."""
    if entry.key_env is None:
        return "none"
    key = environ.get(entry.key_env, "").strip()
    if not key or not key.isascii() or not key.isprintable():
        raise InputError(
            f"{entry.key_env}, the key of model {entry.id!r}, is empty or holds characters that "
            "no key has. Set it to a valid key."
        )
    return key


def _base_url(entry: ModelEntry, environ: Mapping[str, str]) -> str:
    moved = environ.get(entry.base_url_env, "").strip() if entry.base_url_env else ""
    url = moved or entry.base_url or _OPENAI_URL
    try:
        _server(url)
    except (KeyError, ValueError):
        source = entry.base_url_env if moved else "base_url in the catalogue"
        raise InputError(
            f"The base URL of model {entry.id!r} is {url!r} ({source}): "
            "give one such as 'http://127.0.0.1:8000/v1'."
        ) from None
    return url


def _server(url: str) -> tuple[str, int]:
    """Host and port; never the path or the query, where keys have been seen.

    Raises:
        KeyError, ValueError: it is no HTTP URL.
    """
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError("no host")
    return parts.hostname, parts.port or _PORTS[parts.scheme]


def _usage(reported: "CompletionUsage | None") -> Usage:
    """Tokens as billed; OpenAI counts cached tokens as input and reasoning as output already."""
    if reported is None:
        return Usage()
    read, written = reported.prompt_tokens_details, reported.completion_tokens_details
    tokens_in, tokens_out = _count(reported.prompt_tokens), _count(reported.completion_tokens)
    return Usage(
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cache_read_tokens=min(_count(read.cached_tokens), tokens_in) if read else None,
        reasoning_tokens=min(_count(written.reasoning_tokens), tokens_out) if written else None,
    )


def _count(tokens: int | None) -> int:
    """A number of tokens; servers have been seen to send null and less than nothing."""
    return max(0, int(tokens or 0))


@cache  # a pure function of the class, and a costly one
def _response_format(schema: type[BaseModel]) -> dict[str, Any]:
    """The schema in the strict form, for which the SDK has a public maker of tools alone."""
    import openai

    strict = openai.pydantic_function_tool(schema)["function"]["parameters"]
    return {
        "type": "json_schema",
        "json_schema": {"name": schema.__name__, "strict": True, "schema": strict},
    }
