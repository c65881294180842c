"""The Messages protocol, through the official SDK: Anthropic and every server that speaks it."""

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pydantic import BaseModel

from orchestrator.models import Reply, Request, Usage
from orchestrator.providers.refusals import Refusal
from orchestrator.providers.remote import MOST_MODELS, RemoteProvider, count
from orchestrator.providers.sdk import Sdk

if TYPE_CHECKING:
    import anthropic
    import httpx2
    from anthropic.types import Message
    from anthropic.types import Usage as Reported

_FINISHES: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}


class AnthropicProvider(RemoteProvider["anthropic.AsyncAnthropic", "Message"]):
    """One model behind one server that speaks Anthropic's Messages protocol."""

    sdk: ClassVar = Sdk(
        vendor="Anthropic",
        distribution="anthropic",
        major=2,
        module="anthropic",
        extra="anthropic",
        url="https://api.anthropic.com",
    )

    def _open(self, http: "httpx2.AsyncClient") -> "anthropic.AsyncAnthropic":
        import anthropic

        client = anthropic.AsyncAnthropic(
            api_key=self._key,
            # The SDK adds the version by itself; base URLs are often written with it.
            base_url=self.base_url.rstrip("/").removesuffix("/v1"),
            max_retries=0,
            http_client=http,
            # Else every call stands in a trace twice, and tells the vendor the trace's id.
            open_telemetry={"traces": False, "propagation": False},
        )
        _ = client.messages
        return client

    async def _ask(self, client: "anthropic.AsyncAnthropic", request: Request) -> "Message":
        message: Message = await client.messages.create(**self._body(request))
        return message

    async def _list(self, client: "anthropic.AsyncAnthropic", timeout_s: float) -> tuple[str, ...]:
        page = await client.models.list(limit=MOST_MODELS, timeout=timeout_s)
        return tuple(model.id for model in page.data)

    def _body(self, request: Request) -> dict[str, Any]:
        prompt = request.prompt
        body: dict[str, Any] = {
            "model": request.model,
            "system": prompt.system,
            "messages": [{"role": "user", "content": prompt.text}],
            "max_tokens": prompt.max_tokens,
            "timeout": request.timeout_s + 1,
        }
        output: dict[str, Any] = {}
        if self.takes_temperature:
            # Of the protocol, and no longer of the SDK: its vendor's newer models refuse it.
            body["extra_body"] = {"temperature": prompt.temperature}
        else:
            output["effort"] = "low"
        if prompt.schema is not None and self._entry.structured == "json_schema":
            output["format"] = _format(prompt.schema)
        return body | ({"output_config": output} if output else {})

    def _reply(self, answer: "Message") -> Reply:
        finish = answer.stop_reason or "end_turn"
        return Reply(
            text="".join(block.text for block in answer.content if block.type == "text"),
            usage=_usage(answer.usage),
            served_model=answer.model or self._entry.wire_name,
            finish_reason=_FINISHES.get(finish, finish),
            response_id=answer.id or None,
        )

    def _sdk_errors(self) -> tuple[type[Exception], ...]:
        import anthropic

        return (anthropic.APIError,)

    def _refusal(self, error: Exception) -> Refusal | None:
        import anthropic

        if not isinstance(error, anthropic.APIStatusError):
            return None
        return Refusal(
            status=error.status_code,
            code=error.type,
            text=error.message,
            headers=error.response.headers,
        )


def _usage(reported: "Reported | None") -> Usage:
    """Tokens as billed; Anthropic counts those read from and written to a cache beside the input.

    Thoughts are part of its output already.
    """
    if reported is None:
        return Usage()
    read, written = reported.cache_read_input_tokens, reported.cache_creation_input_tokens
    thoughts, tokens_out = reported.output_tokens_details, count(reported.output_tokens)
    return Usage(
        input_tokens=count(reported.input_tokens) + count(read) + count(written),
        output_tokens=tokens_out,
        cache_read_tokens=None if read is None else count(read),
        cache_creation_tokens=None if written is None else count(written),
        reasoning_tokens=min(count(thoughts.thinking_tokens), tokens_out) if thoughts else None,
    )


@cache  # a pure function of the class, and a costly one
def _format(schema: type[BaseModel]) -> dict[str, Any]:
    """The schema in the form that the API takes: limits of numbers become descriptions."""
    import anthropic

    return {"type": "json_schema", "schema": anthropic.transform_schema(schema)}
