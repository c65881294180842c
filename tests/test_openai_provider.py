"""The OpenAI protocol, spoken through the official SDK with servers that nobody here wrote."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

import pytest
from openai.types import CompletionUsage
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import BaseModel

from orchestrator.answers import CritiqueAnswer, PlanAnswer, ScoreAnswer
from orchestrator.catalogue import ModelEntry, shipped_catalogue
from orchestrator.errors import InputError, InvalidOutput, ProviderError
from orchestrator.models import Prompt, Request, Usage
from orchestrator.providers import connect, ready_models
from orchestrator.providers.openai import OpenAIProvider, _response_format, _usage
from orchestrator.providers.refusals import refused
from orchestrator.retries import Retries
from tests.aimock import KEY, Aimock
from tests.fakes import ManualClock, catalogue, door, model

Start = Callable[..., Aimock]
ENVIRON = {"OPENAI_API_KEY": KEY}
SECRET = "the prompt, or a key, quoted by the vendor"
HELLO = {"match": {}, "response": {"content": "hello"}}
BUSY = {"error": {"message": SECRET, "type": "rate_limit_error"}, "status": 429, "retryAfter": 7}


class Greeting(BaseModel):
    word: str


def gpt(**facts: Any) -> ModelEntry:
    """A model of OpenAI's, as the shipped catalogue has them."""
    return model(
        "gpt-4.1-mini",
        **{
            "provider": "openai",
            "api": "openai",
            "key_env": "OPENAI_API_KEY",
            "base_url_env": "OPENAI_BASE_URL",
            "price": None,
        }
        | facts,
    )


@asynccontextmanager
async def provider_at(base_url: str, **facts: Any) -> AsyncIterator[OpenAIProvider]:
    provider = OpenAIProvider(gpt(base_url=base_url, **facts), ENVIRON)
    yield provider
    await provider.close()


def request(text: str = "say hello", *, timeout_s: float = 30, **prompt: Any) -> Request:
    return Request(
        model="gpt-4.1-mini",
        call_type="generate",
        prompt=Prompt(system="be brief", text=text, max_tokens=50, **prompt),
        timeout_s=timeout_s,
    )


def first(response: dict[str, Any], **also: Any) -> dict[str, Any]:
    """A fixture for the first request alone."""
    return {"match": {"userMessage": "hello", "sequenceIndex": 0}, "response": response, **also}


# What is sent and what comes back


async def test_an_answer_comes_back_whole(aimock: Start) -> None:
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    said = {"content": "hello", "usage": usage, "id": "chatcmpl-1", "model": "gpt-4.1-mini-2025"}
    server = aimock({"match": {}, "response": said})

    async with provider_at(server.base_url) as provider:
        answered = await provider.complete(request())

    assert (answered.text, answered.finish_reason) == ("hello", "stop")
    assert answered.usage == Usage(input_tokens=11, output_tokens=7)
    assert (answered.served_model, answered.response_id) == ("gpt-4.1-mini-2025", "chatcmpl-1")


async def test_the_request_says_what_the_prompt_says(aimock: Start) -> None:
    server = aimock(HELLO)

    async with provider_at(server.base_url) as provider:
        await provider.complete(request(temperature=0.5))

    (entry,) = server.journal()
    assert entry["path"] == "/v1/chat/completions"
    sent = entry["body"]
    assert sent["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "say hello"},
    ]
    assert (sent["model"], sent["temperature"]) == ("gpt-4.1-mini", 0.5)
    assert (sent["max_completion_tokens"], "max_tokens" in sent) == (50, False)
    assert "response_format" not in sent


async def test_a_reasoning_model_is_sent_no_temperature(aimock: Start) -> None:
    server = aimock(HELLO)

    async with provider_at(server.base_url, tags=["reasoning"]) as provider:
        await provider.complete(request())

    sent = server.journal()[0]["body"]
    assert ("temperature" in sent, sent["reasoning_effort"]) == (False, "low")


async def test_a_compatible_server_is_sent_the_limit_by_its_old_name(aimock: Start) -> None:
    server = aimock(HELLO)

    async with provider_at(server.base_url, provider="ollama") as provider:
        await provider.complete(request())

    sent = server.journal()[0]["body"]
    assert (sent["max_tokens"], "max_completion_tokens" in sent) == (50, False)


async def test_a_structured_answer_is_asked_for_by_its_schema(aimock: Start) -> None:
    server = aimock(
        {"match": {"responseFormat": "json_schema"}, "response": {"content": {"word": "hello"}}}
    )

    async with provider_at(server.base_url) as provider:
        answered = await provider.complete(request(schema=Greeting))

    assert Greeting.model_validate_json(answered.text) == Greeting(word="hello")
    asked_for = server.journal()[0]["body"]["response_format"]["json_schema"]
    assert (asked_for["name"], asked_for["strict"]) == ("Greeting", True)
    assert asked_for["schema"]["required"] == ["word"]
    assert asked_for["schema"]["additionalProperties"] is False


@pytest.mark.parametrize("shape", [PlanAnswer, CritiqueAnswer, ScoreAnswer])
def test_every_shape_that_a_run_asks_for_has_a_strict_schema(shape: type[BaseModel]) -> None:
    asked_for = _response_format(shape)["json_schema"]["schema"]

    assert asked_for["additionalProperties"] is False
    assert asked_for["required"] == list(asked_for["properties"])


def test_cached_and_reasoning_tokens_are_parts_of_what_is_billed() -> None:
    reported = CompletionUsage.model_validate(
        {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 120,
            "prompt_tokens_details": {"cached_tokens": 40},
            "completion_tokens_details": {"reasoning_tokens": 15},
        }
    )

    assert _usage(reported) == Usage(
        input_tokens=100, output_tokens=20, cache_read_tokens=40, reasoning_tokens=15
    )


def test_counts_that_cannot_be_are_not_believed() -> None:
    reported = CompletionUsage.model_construct(
        prompt_tokens=None,
        completion_tokens=-5,
        prompt_tokens_details=None,
        completion_tokens_details=None,
    )

    assert _usage(reported) == _usage(None) == Usage()


# Refusals, in our own words

REFUSALS = [
    (400, None, "bad_request", False),
    (400, "context_length_exceeded", "context_length_exceeded", False),
    (403, None, "permission_denied", False),
    (404, None, "model_not_found", False),
    (409, None, "conflict", True),
    (429, None, "rate_limit_exceeded", True),
    (429, "insufficient_quota", "insufficient_quota", False),
    (500, None, "server_error", True),
    (503, None, "server_error", True),
]


async def test_every_refusal_is_told_in_our_own_words(aimock: Start) -> None:
    server = aimock(
        *(
            {
                "match": {"userMessage": f"case-{number}."},
                "response": {
                    "error": {"message": SECRET, "type": "x", "code": vendor_code},
                    "status": status,
                },
            }
            for number, (status, vendor_code, _, _) in enumerate(REFUSALS)
        )
    )

    async with provider_at(server.base_url) as provider:
        told = [await _refusal(provider, f"case-{number}.") for number in range(len(REFUSALS))]

    assert [(error.status_code, error.code, error.retryable) for error in told] == [
        (status, code, retryable) for status, _, code, retryable in REFUSALS
    ]
    for error in told:
        assert SECRET not in str(error)
        assert error.__context__ is None  # the SDK's exception quotes the vendor
        assert not error.billed


async def _refusal(provider: OpenAIProvider, text: str, **facts: Any) -> ProviderError:
    with pytest.raises(ProviderError) as refusal:
        await provider.complete(request(text, **facts))
    return refusal.value


async def test_a_wrong_key_is_named_by_its_variable_and_never_shown(aimock: Start) -> None:
    server = aimock(HELLO)
    wrong = "sk-wrong"
    provider = OpenAIProvider(gpt(base_url=server.base_url), {"OPENAI_API_KEY": wrong})

    error = await _refusal(provider, "hello")
    await provider.close()

    assert str(error) == (
        "openai refused the key in OPENAI_API_KEY. Set OPENAI_API_KEY to a valid key."
    )
    assert (error.code, error.retryable) == ("authentication", False)


async def test_a_server_that_asks_a_keyless_model_for_a_key_says_where_it_belongs(
    aimock: Start,
) -> None:
    server = aimock(HELLO)

    async with provider_at(server.base_url, key_env=None) as provider:
        error = await _refusal(provider, "hello")

    assert "as key_env of model 'gpt-4.1-mini' in the catalogue" in str(error)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("0.5", 0.5),
        ("-3", 0),
        ("soon", None),
        ("inf", None),
        ("nan", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Thu, 01 Jan 1970 00:00:00 -0000", 0),
    ],
)
def test_retry_after_is_read_in_both_its_forms(value: str, seconds: float | None) -> None:
    assert refused(gpt(), 429, None, {"retry-after": value}).retry_after_s == seconds


def test_retry_after_as_a_date_counts_from_now() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)

    seconds = refused(gpt(), 503, None, {"retry-after": later}).retry_after_s

    assert seconds is not None
    assert 60 < seconds <= 90


# What breaks on the way


async def test_a_dropped_connection_may_have_been_billed(aimock: Start) -> None:
    server = aimock({**HELLO, "chaos": {"disconnectRate": 1}})

    async with provider_at(server.base_url) as provider:
        error = await _refusal(provider, "hello")

    assert (error.code, error.retryable, error.billed) == ("connection_error", True, True)
    assert "broke off" in str(error)


async def test_a_malformed_body_may_have_been_billed(aimock: Start) -> None:
    server = aimock({**HELLO, "chaos": {"malformedRate": 1}})

    async with provider_at(server.base_url) as provider:
        error = await _refusal(provider, "hello")

    assert (error.code, error.retryable, error.billed) == ("malformed_reply", True, True)
    assert error.__context__ is None


@asynccontextmanager
async def raw_server(
    *parts: bytes, after: bytes = b"\r\n\r\n", then_drip: bytes = b""
) -> AsyncIterator[str]:
    """Answer who has said `after` with these bytes, and then drop by drop until they hang up."""
    answering = asyncio.TaskGroup()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):  # who connects may think better of it
            await reader.readuntil(after)
        for part in parts:
            writer.write(part)
        while then_drip and not writer.is_closing():
            writer.write(then_drip)
            await asyncio.sleep(0.01)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async with answering:
        server = await asyncio.start_server(
            lambda *streams: answering.create_task(answer(*streams)), "127.0.0.1", 0
        )
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"application/json", b"{}"),
        (b"application/json", b'{"choices": []}'),
        (b"application/json", b'{"choices": [{"message": null}]}'),
        (b"application/json", b'["hello"]'),
        (b"application/json", b"\xff\xfe"),
        (b"text/html", b"<html>Sign in to the airport's network</html>"),
    ],
)
async def test_what_is_no_reply_is_never_read_as_one(kind: bytes, body: bytes) -> None:
    async with raw_server(_HEAD % kind, body) as url, provider_at(url) as provider:
        error = await _refusal(provider, "hello")

    assert (error.code, error.billed) == ("malformed_reply", True)


async def test_a_body_that_never_ends_is_cut_by_the_door() -> None:
    async with (
        raw_server(_HEAD % b"application/json", then_drip=b" ") as url,
        provider_at(url, price={"input": 1, "output": 1}) as provider,
    ):
        entry = gpt(base_url=url, price={"input": 1, "output": 1})
        client = door(
            {entry.id: provider}, entry, attempt_timeout_s=0.3, retries=Retries(attempts=1)
        )
        await provider._opened()  # the import of the SDK is not what is timed
        with pytest.raises(ProviderError, match=r"gave no answer within 0.3 s"):
            await client.call(entry.id, request().prompt, call_type="generate")
        await provider.close()  # hangs up, so that the server ends


async def test_a_server_that_is_silent_times_out(aimock: Start) -> None:
    server = aimock({**HELLO, "chaos": {"latencyMs": 20_000}})

    async with provider_at(server.base_url) as provider:
        # The SDK's own timeout is a second behind the caller's, which is not here.
        error = await _refusal(provider, "hello", timeout_s=-0.9)

    assert (error.code, error.retryable, error.billed) == ("timeout", True, True)


async def test_nobody_listening_is_said_with_the_host_and_costs_nothing() -> None:
    async with raw_server() as url:
        pass  # it listened, and no longer does

    async with provider_at(url) as provider:
        error = await _refusal(provider, "hello")

    assert "Cannot connect to 127.0.0.1, which serves model 'gpt-4.1-mini'" in str(error)
    assert (error.code, error.retryable, error.billed) == ("connection_error", True, False)


@pytest.mark.parametrize(
    ("scheme", "hello", "departures"),
    [("http", b"\r\n\r\n", 1), ("https", b"\x16\x03", 0)],  # a handshake begins with its version
)
async def test_a_request_departs_when_it_is_written_and_not_before(
    scheme: str, hello: bytes, departures: int
) -> None:
    """Whoever speaks no TLS has read a plain request, and no encrypted one."""
    told: list[None] = []

    async with (
        raw_server(b"this is no HTTP\r\n", after=hello) as url,
        provider_at(url.replace("http:", f"{scheme}:")) as provider,
    ):
        with pytest.raises(ProviderError) as failure:
            await provider.complete(request(), departed=lambda: told.append(None))

    assert len(told) == departures
    assert failure.value.billed is bool(departures)


# Through the door: what the server saw is what the span says


async def test_requests_at_the_server_are_the_attempts_on_the_span(
    aimock: Start, exported: InMemorySpanExporter
) -> None:
    server = aimock(
        first(BUSY),
        {"match": {"userMessage": "hello", "sequenceIndex": 1}, "response": {"content": "x"}}
        | {"chaos": {"disconnectRate": 1}},
        {
            "match": {"userMessage": "hello", "sequenceIndex": 2},
            "response": {"error": {"message": SECRET}, "status": 500},
        },
        HELLO,
    )
    entry, clock = gpt(), ManualClock()
    environ = ENVIRON | {"OPENAI_BASE_URL": server.base_url}
    providers = connect(catalogue(entry), environ, clock)
    client = door(providers, entry, clock=clock)

    answer = await client.call(entry.id, request().prompt, call_type="generate")
    await providers[entry.id].close()

    (span,) = exported.get_finished_spans()
    attributes = dict(span.attributes or {})
    assert answer.text == "hello"
    assert len(server.journal()) == attributes["orchestrator.llm.attempts"] == answer.attempts == 4
    assert clock.slept == [7, 1.0, 2.0]
    assert [(event.attributes or {})["error.type"] for event in span.events] == [
        "rate_limit_exceeded",
        "connection_error",
        "server_error",
    ]
    host, port = server.base_url.removeprefix("http://").removesuffix("/v1").split(":")
    assert attributes["server.address"] == host
    assert attributes["server.port"] == int(port)
    assert SECRET not in str(attributes) + str([event.attributes for event in span.events])


@pytest.mark.parametrize("status", [400, 401, 404])
async def test_a_refusal_that_is_final_is_one_request(aimock: Start, status: int) -> None:
    server = aimock({"match": {}, "response": {"error": {"message": SECRET}, "status": status}})
    entry = gpt(base_url=server.base_url)

    async with provider_at(server.base_url) as provider:
        with pytest.raises(ProviderError):
            await door({entry.id: provider}, entry).call(
                entry.id, request().prompt, call_type="generate"
            )

    assert len(server.journal()) == 1


@pytest.mark.parametrize(
    ("response", "says"),
    [
        ({"content": ""}, "answered with nothing"),
        ({"content": "Once upon", "finishReason": "length"}, "cut off at its limit of 50 tokens"),
    ],
)
async def test_an_answer_that_is_none_is_asked_for_once(
    aimock: Start, response: dict[str, Any], says: str
) -> None:
    server = aimock({"match": {}, "response": response})
    entry = gpt(base_url=server.base_url)

    async with provider_at(server.base_url) as provider:
        with pytest.raises(InvalidOutput, match=says):
            await door({entry.id: provider}, entry).call(
                entry.id, request().prompt, call_type="generate"
            )

    assert len(server.journal()) == 1


async def test_concurrent_first_calls_share_one_client(aimock: Start) -> None:
    server = aimock(HELLO)

    async with provider_at(server.base_url) as provider:
        await asyncio.gather(*(provider.complete(request()) for _ in range(10)))
        clients = [await provider._opened() for _ in range(2)]

    assert len(server.journal()) == 10
    assert all(one is other for one, other in pairwise(clients))


async def test_closing_twice_and_before_any_call_is_allowed() -> None:
    provider = OpenAIProvider(gpt(), ENVIRON)

    await provider.close()
    await provider.close()


# Which models are ready, and how they are reached


def test_a_key_makes_the_remote_models_ready_and_them_alone() -> None:
    remote, offline = gpt(), model("offline")

    assert ready_models(catalogue(remote, offline), ENVIRON) == (remote,)
    assert ready_models(catalogue(remote, offline), {}) == (offline,)
    assert ready_models(catalogue(remote, offline), {"OPENAI_API_KEY": " "}) == (offline,)


def test_a_server_that_needs_no_key_is_ready() -> None:
    ollama = gpt(key_env=None, base_url="http://127.0.0.1:11434/v1")

    assert ready_models(catalogue(ollama, model("offline")), {}) == (ollama,)


def test_the_shipped_models_are_connected_offline_or_by_key() -> None:
    shipped = shipped_catalogue()

    offline = connect(shipped, {}, ManualClock())
    remote = connect(shipped, ENVIRON, ManualClock())

    assert {shipped[model_id].api for model_id in offline} == {"offline"}
    assert {shipped[model_id].api for model_id in remote} == {"openai"}
    assert len(offline) + len(remote) == len(shipped.models)


def test_no_model_ready_is_said_with_the_keys_that_would_help() -> None:
    with pytest.raises(InputError, match=r"Set the key of one \(OPENAI_API_KEY\)"):
        connect(catalogue(gpt()), {}, ManualClock())


def test_an_api_that_nobody_speaks_is_said_before_the_run() -> None:
    claude = gpt(api="anthropic")

    with pytest.raises(InputError, match="by the API 'anthropic', which this version does not"):
        connect(catalogue(claude), ENVIRON, ManualClock())


@pytest.mark.parametrize(
    ("entry", "environ", "server"),
    [
        (gpt(), {}, ("api.openai.com", 443)),
        (gpt(base_url="http://box:8000/v1"), {}, ("box", 8000)),
        (
            gpt(base_url="http://box:8000/v1"),
            {"OPENAI_BASE_URL": "https://gw.example.com/k/secret?token=secret"},
            ("gw.example.com", 443),
        ),
        (gpt(), {"OPENAI_BASE_URL": "http://gw"}, ("gw", 80)),
        (gpt(), {"OPENAI_BASE_URL": " "}, ("api.openai.com", 443)),
    ],
)
def test_the_environment_moves_the_base_url(
    entry: ModelEntry, environ: dict[str, str], server: tuple[str, int]
) -> None:
    assert OpenAIProvider(entry, ENVIRON | environ).server == server


@pytest.mark.parametrize("url", ["gw.example.com/v1", "ftp://gw", "http://", "http://gw:port"])
def test_a_base_url_that_is_none_is_refused_with_its_source(url: str) -> None:
    with pytest.raises(InputError) as refusal:
        OpenAIProvider(gpt(), ENVIRON | {"OPENAI_BASE_URL": url})

    assert f"is {url!r} (OPENAI_BASE_URL)" in str(refusal.value)


@pytest.mark.parametrize("key", ["sk-\n-x", "schlüssel", ""])
def test_a_key_that_is_none_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(InputError, match=r"OPENAI_API_KEY, the key of .*, is empty or holds") as no:
        OpenAIProvider(gpt(), {"OPENAI_API_KEY": key})

    assert not key or key not in str(no.value)


def test_without_the_sdk_the_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)

    with pytest.raises(InputError, match=r"pip install 'multi-llm-orchestrator\[openai\]'"):
        connect(catalogue(gpt()), ENVIRON, ManualClock())


def test_white_space_around_a_key_is_forgiven() -> None:
    assert OpenAIProvider(gpt(), {"OPENAI_API_KEY": f" {KEY}\n"})._key == KEY
