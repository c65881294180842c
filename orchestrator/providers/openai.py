"""The OpenAI protocol, through the official SDK: OpenAI itself and every server that speaks it."""

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pydantic import BaseModel

from orchestrator.models import Reply, Request, Usage
from orchestrator.providers.refusals import Refusal
from orchestrator.providers.remote import RemoteProvider, count
from orchestrator.providers.sdk import Sdk

if TYPE_CHECKING:
    import httpx2
    import openai
    from openai.types import CompletionUsage
    from openai.types.chat import ChatCompletion

_NEW_NAMED_LIMIT: Final = frozenset({"azure.ai.openai", "moonshot_ai", "openai"})
"""Whose newer models refuse the old name of the limit; most compatible servers know no other."""

_FINISHES: Final = {None: "stop", "insufficient_system_resource": "error"}


class OpenAIProvider(RemoteProvider["openai.AsyncOpenAI", "ChatCompletion"]):
    """One model behind one server that speaks the OpenAI protocol."""

    sdk: ClassVar = Sdk(
        vendor="OpenAI",
        distribution="openai",
        major=3,
        module="openai",
        extra="openai",
        url="https://api.openai.com/v1",
    )

    def _open(self, http: "httpx2.AsyncClient") -> "openai.AsyncOpenAI":
        import openai

        client = openai.AsyncOpenAI(
            api_key=self._key, base_url=self.base_url, max_retries=0, http_client=http
        )
        _ = client.chat.completions
        return client

    async def _ask(self, client: "openai.AsyncOpenAI", request: Request) -> "ChatCompletion":
        completion: ChatCompletion = await client.chat.completions.create(**self._body(request))
        return completion

    async def _list(self, client: "openai.AsyncOpenAI", timeout_s: float) -> tuple[str, ...]:
        page = await client.models.list(timeout=timeout_s)
        return tuple(model.id for model in page.data)

    def _body(self, request: Request) -> dict[str, Any]:
        prompt = request.prompt
        new_named = self._entry.provider in _NEW_NAMED_LIMIT
        body: dict[str, Any] = {
            "model": request.model,
            "messages": [
                {"role": "system", "content": prompt.system},
                {"role": "user", "content": prompt.text},
            ],
            "max_completion_tokens" if new_named else "max_tokens": prompt.max_tokens,
            "timeout": request.timeout_s + 1,
        }
        if self.takes_temperature:
            body["temperature"] = prompt.temperature
        else:
            body["reasoning_effort"] = "low"
        if prompt.schema is not None and self._entry.structured != "text":
            body["response_format"] = (
                _response_format(prompt.schema)
                if self._entry.structured == "json_schema"
                else {"type": "json_object"}
            )
        return body

    def _reply(self, answer: "ChatCompletion") -> Reply:
        choice = answer.choices[0]
        finish: str | None = choice.finish_reason
        # A model that declines a structured answer says so beside the content, and stops.
        declined = bool(getattr(choice.message, "refusal", None)) and not choice.message.content
        return Reply(
            text=choice.message.content or "",
            usage=_usage(answer.usage),
            served_model=answer.model or self._entry.wire_name,
            finish_reason="content_filter" if declined else _FINISHES.get(finish, finish) or "stop",
            response_id=answer.id or None,
        )

    def _sdk_errors(self) -> tuple[type[Exception], ...]:
        import openai

        return (openai.APIError,)

    def _refusal(self, error: Exception) -> Refusal | None:
        import openai

        if not isinstance(error, openai.APIStatusError):
            return None
        code = error.code if isinstance(error.code, str) else error.type
        return Refusal(
            status=error.status_code,
            code=code,
            text=error.message,
            headers=error.response.headers,
        )


def _usage(reported: "CompletionUsage | None") -> Usage:
    """Tokens as billed; OpenAI counts cached tokens as input and reasoning as output already."""
    if reported is None:
        return Usage()
    read, written = reported.prompt_tokens_details, reported.completion_tokens_details
    tokens_in, tokens_out = count(reported.prompt_tokens), count(reported.completion_tokens)
    return Usage(
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cache_read_tokens=min(count(read.cached_tokens), tokens_in) if read else None,
        reasoning_tokens=min(count(written.reasoning_tokens), tokens_out) if written else None,
    )


@cache  # a pure function of the class, and a costly one
def _response_format(schema: type[BaseModel]) -> dict[str, Any]:
    """The schema in the strict form, for which the SDK has a public maker of tools alone."""
    import openai

    strict = openai.pydantic_function_tool(schema)["function"]["parameters"]
    return {
        "type": "json_schema",
        "json_schema": {"name": schema.__name__, "strict": True, "schema": strict},
    }
