"""The three wire protocols, each as one row that a test is run for."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.catalogue import ModelEntry, RemoteApi
from orchestrator.models import Prompt, Request
from orchestrator.providers import speaker
from orchestrator.providers.remote import RemoteProvider
from tests.aimock import KEY
from tests.fakes import model

Remote = RemoteProvider[Any, Any]

ENVIRON: Final = {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY, "GEMINI_API_KEY": KEY}


@dataclass(frozen=True, slots=True, kw_only=True)
class WireProtocol:
    """One vendor's protocol, and a model that is reached by it."""

    api: RemoteApi
    provider: str
    model: str
    key_env: str
    version: str
    """What a base URL of it may end in, and does in a catalogue."""
    path: str
    """Where its requests arrive."""
    too_long: str
    """How its vendor says, in prose alone, that a prompt is too long."""

    def __str__(self) -> str:
        return self.api

    def entry(self, base_url: str | None = None, **facts: Any) -> ModelEntry:
        """The model, as a catalogue has it."""
        facts = {
            "provider": self.provider,
            "api": self.api,
            "key_env": self.key_env,
            "base_url": base_url,
            "price": None,
        } | facts
        return model(self.model, **facts)

    @asynccontextmanager
    async def connected(
        self, base_url: str, environ: Mapping[str, str] = ENVIRON, **facts: Any
    ) -> AsyncIterator[Remote]:
        """A connection to the model behind this base URL."""
        provider = speaker(self.api)(self.entry(base_url, **facts), environ)
        yield provider
        await provider.close()

    def request(self, text: str = "say hello", *, timeout_s: float = 30, **prompt: Any) -> Request:
        """A request of the model."""
        return Request(
            model=self.model,
            call_type="generate",
            prompt=Prompt(system="be brief", text=text, max_tokens=50, **prompt),
            timeout_s=timeout_s,
        )


OPENAI: Final = WireProtocol(
    api="openai",
    provider="openai",
    model="gpt-4.1-mini",
    key_env="OPENAI_API_KEY",
    version="/v1",
    path="/v1/chat/completions",
    too_long="This model's maximum context length is 8192 tokens. However, you requested 9000.",
)
ANTHROPIC: Final = WireProtocol(
    api="anthropic",
    provider="anthropic",
    model="claude-sonnet-5-5",
    key_env="ANTHROPIC_API_KEY",
    version="",
    path="/v1/messages",
    too_long="prompt is too long: 1000001 tokens > 1000000 maximum",
)
GOOGLE: Final = WireProtocol(
    api="google",
    provider="gcp.gemini",
    model="gemini-3.8-flash",
    key_env="GEMINI_API_KEY",
    version="/v1beta",
    path="/v1beta/models/gemini-3.8-flash:generateContent",
    too_long="The input token count (9000) exceeds the maximum number of tokens allowed (8192).",
)
PROTOCOLS: Final = (OPENAI, ANTHROPIC, GOOGLE)


def row_id(value: object) -> str | None:
    """What a parameter is called in the name of a test."""
    return str(value) if isinstance(value, str | WireProtocol) else None
