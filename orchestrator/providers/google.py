"""The Gemini protocol, through the official SDK: Google and every server that speaks it."""

import logging
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pydantic import BaseModel

from orchestrator.models import Reply, Request, Usage
from orchestrator.providers.refusals import Refusal
from orchestrator.providers.remote import MOST_MODELS, RemoteProvider, count, trust
from orchestrator.providers.sdk import Sdk

if TYPE_CHECKING:
    import httpx2
    from google import genai
    from google.genai.types import (
        GenerateContentConfig,
        GenerateContentResponse,
        GenerateContentResponseUsageMetadata,
    )

_STOPPED: Final = "STOP"
_FINISHES: Final = {
    _STOPPED: "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    "BLOCKED": "content_filter",
    "BLOCKLIST": "content_filter",
    "ESCALATION": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "PUP_LIMITED_DISABLED": "content_filter",
    "RECITATION": "content_filter",
    "SAFETY": "content_filter",
    "SPII": "content_filter",
}
"""Whatever else it says, the answer is not whole."""

_VERSION: Final = re.compile(r"/(v\d+\w*)/*$")
_NO_NEWS: Final = {
    # Which of two keys in the environment the SDK would take: it is handed ours.
    "google_genai._api_client": "GOOGLE_API_KEY",
    # That a server lists no models: `reach` says so.
    "google_genai._transformers": "models type",
}
"""Warnings of the SDK's loggers, by a part of each, that would be printed beside our results."""
_SECONDS: Final = re.compile(r"(\d+(?:\.\d+)?)s")


class GoogleProvider(RemoteProvider["genai.Client", "GenerateContentResponse"]):
    """One model behind one server that speaks Google's Gemini protocol."""

    sdk: ClassVar = Sdk(
        vendor="Google",
        distribution="google-genai",
        major=3,
        module="google.genai",
        extra="google",
        url="https://generativelanguage.googleapis.com",
    )

    def _open(self, http: "httpx2.AsyncClient") -> "genai.Client":
        from google import genai
        from google.genai.types import HttpOptions

        # Base URLs are often written with the version, which the SDK wants by itself.
        version = _VERSION.search(self.base_url)
        for log in _NO_NEWS:
            logging.getLogger(log).addFilter(_is_news)
        return genai.Client(
            api_key=self._key,
            vertexai=False,
            http_options=HttpOptions(
                base_url=_VERSION.sub("", self.base_url),
                api_version=version[1] if version else None,
                httpx_async_client=http,
                # For what it opens beside: connections that are never used.
                client_args={"verify": trust()},
                async_client_args={"ssl": trust()},
            ),
        )

    async def _ask(self, client: "genai.Client", request: Request) -> "GenerateContentResponse":
        return await client.aio.models.generate_content(
            model=request.model, contents=request.prompt.text, config=self._config(request)
        )

    async def _list(self, client: "genai.Client", timeout_s: float) -> tuple[str, ...]:
        from google.genai.types import HttpOptions, ListModelsConfig

        wait = HttpOptions(timeout=round(timeout_s * 1000))
        pager = await client.aio.models.list(
            config=ListModelsConfig(page_size=MOST_MODELS, http_options=wait)
        )
        return tuple((model.name or "").removeprefix("models/") for model in pager.page)

    def _config(self, request: Request) -> "GenerateContentConfig":
        from google.genai.types import (
            AutomaticFunctionCallingConfig,
            GenerateContentConfig,
            HttpOptions,
            ThinkingConfig,
            ThinkingLevel,
        )

        prompt = request.prompt
        structured = self._entry.structured
        shape = None if structured == "text" else prompt.schema
        return GenerateContentConfig(
            system_instruction=prompt.system,
            max_output_tokens=prompt.max_tokens,
            temperature=prompt.temperature if self.takes_temperature else None,
            thinking_config=None
            if self.takes_temperature
            else ThinkingConfig(thinking_level=ThinkingLevel.LOW),
            response_mime_type="application/json" if shape else None,
            response_json_schema=_schema(shape) if shape and structured == "json_schema" else None,
            # One call is one request: nobody else continues, retries or calls functions.
            automatic_continuation=False,
            automatic_function_calling=AutomaticFunctionCallingConfig(disable=True),
            http_options=HttpOptions(timeout=round((request.timeout_s + 1) * 1000)),
        )

    def _reply(self, answer: "GenerateContentResponse") -> Reply:
        text, finish = "", _STOPPED
        if answer.candidates:
            candidate = answer.candidates[0]
            finish = candidate.finish_reason.value if candidate.finish_reason else _STOPPED
            parts = (candidate.content.parts if candidate.content else None) or ()
            text = "".join(part.text or "" for part in parts if not part.thought)
        elif answer.prompt_feedback is not None:
            finish = "BLOCKED"
        else:
            raise ValueError("neither an answer nor why there is none")
        return Reply(
            text=text,
            usage=_usage(answer.usage_metadata),
            served_model=answer.model_version or self._entry.wire_name,
            finish_reason=_FINISHES.get(finish, "error"),
            response_id=answer.response_id or None,
        )

    def _sdk_errors(self) -> tuple[type[Exception], ...]:
        from google.genai.errors import APIError

        return (APIError,)

    def _refusal(self, error: Exception) -> Refusal | None:
        from google.genai.errors import APIError

        if not isinstance(error, APIError):
            return None
        details = tuple(_details(error.details))
        reasons = (detail.get("reason") for detail in details)
        delays = (_SECONDS.fullmatch(str(detail.get("retryDelay"))) for detail in details)
        waits = (float(delay[1]) for delay in delays if delay)
        return Refusal(
            status=error.code,
            code=next((reason for reason in reasons if isinstance(reason, str)), None),
            text=str(error.message),
            headers=error.response.headers,
            wait_s=next(waits, None),
        )

    def _let_go(self, client: "genai.Client") -> None:
        client.close()  # the SDK opens connections for synchronous calls too


def _is_news(record: logging.LogRecord) -> bool:
    return _NO_NEWS[record.name] not in record.getMessage()


def _details(body: Any) -> Iterator[Mapping[str, Any]]:
    """The typed details of an error's body: why, and when to come back."""
    error = body.get("error") if isinstance(body, Mapping) else None
    details = error.get("details") if isinstance(error, Mapping) else None
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, Mapping):
            yield detail


def _usage(reported: "GenerateContentResponseUsageMetadata | None") -> Usage:
    """Tokens as billed; Google counts cached tokens as input, and thoughts beside the answer."""
    if reported is None:
        return Usage()
    read, thoughts = reported.cached_content_token_count, reported.thoughts_token_count
    tokens_in = count(reported.prompt_token_count) + count(reported.tool_use_prompt_token_count)
    return Usage(
        input_tokens=tokens_in,
        output_tokens=count(reported.candidates_token_count) + count(thoughts),
        cache_read_tokens=None if read is None else min(count(read), tokens_in),
        reasoning_tokens=None if thoughts is None else count(thoughts),
    )


@cache  # a pure function of the class, and a costly one
def _schema(shape: type[BaseModel]) -> dict[str, Any]:
    return shape.model_json_schema()
