"""What each vendor is sent, and how what it says is read, down to the names on the wire."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from anthropic.types import Usage as AnthropicUsage
from google.genai.types import GenerateContentResponseUsageMetadata as GoogleUsage
from openai.types import CompletionUsage
from pydantic import BaseModel

from orchestrator import prompts
from orchestrator.answers import CritiqueAnswer, PlanAnswer, ScoreAnswer
from orchestrator.catalogue import ModelEntry, shipped_catalogue
from orchestrator.errors import ProviderError
from orchestrator.models import Brief, Prompt, Reply, Request, Task, Usage
from orchestrator.providers import anthropic, connect, google, openai
from orchestrator.providers.refusals import Refusal, refused
from tests.aimock import KEY
from tests.fakes import ManualClock, catalogue
from tests.loopback import Heard, answer_of, loopback
from tests.protocols import ANTHROPIC, GOOGLE, OPENAI, PROTOCOLS, WireProtocol, row_id

each_protocol = pytest.mark.parametrize("wire", PROTOCOLS, ids=str)

SHIPPED = [entry for entry in shipped_catalogue().entries() if entry.api != "offline"]
SAID: dict[WireProtocol, dict[str, Any]] = {
    OPENAI: {"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]},
    ANTHROPIC: {
        "content": [{"type": "text", "text": "hello"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    },
    GOOGLE: {"candidates": [{"content": {"parts": [{"text": "hello"}]}, "finishReason": "STOP"}]},
}


class Greeting(BaseModel):
    word: str


async def sent(wire: WireProtocol, *, facts: dict[str, Any] | None = None, **prompt: Any) -> Heard:
    """The request that arrives at the vendor's server."""
    async with (
        loopback(answer_of(SAID[wire])) as server,
        wire.connected(server.origin + wire.version, **(facts or {})) as provider,
    ):
        await provider.complete(wire.request(**prompt))
    (heard,) = server.heard
    return heard


async def read(wire: WireProtocol, body: object, **answer: Any) -> Reply:
    """What becomes of an answer."""
    async with (
        loopback(answer_of(body, **answer)) as server,
        wire.connected(server.origin) as provider,
    ):
        return await provider.complete(wire.request())


# What is sent


async def test_openai_is_sent_what_the_prompt_says() -> None:
    heard = await sent(OPENAI, temperature=0.5)

    assert heard.line == "POST /v1/chat/completions HTTP/1.1"
    assert heard.headers["authorization"] == f"Bearer {KEY}"
    assert heard.body == {
        "model": "gpt-4.1-mini",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "say hello"},
        ],
        "max_completion_tokens": 50,
        "temperature": 0.5,
    }


async def test_anthropic_is_sent_what_the_prompt_says() -> None:
    heard = await sent(ANTHROPIC, temperature=0.5)

    assert heard.line == "POST /v1/messages HTTP/1.1"
    assert KEY in heard.headers.get("x-api-key", heard.headers["authorization"])
    assert heard.body == {
        "model": "claude-sonnet-5-5",
        "system": "be brief",
        "messages": [{"role": "user", "content": "say hello"}],
        "max_tokens": 50,
        "temperature": 0.5,
    }


async def test_google_is_sent_what_the_prompt_says() -> None:
    heard = await sent(GOOGLE, temperature=0.5)

    assert heard.line == "POST /v1beta/models/gemini-3.8-flash:generateContent HTTP/1.1"
    assert heard.headers["x-goog-api-key"] == KEY
    assert heard.body == {
        "systemInstruction": {"parts": [{"text": "be brief"}], "role": "user"},
        "contents": [{"parts": [{"text": "say hello"}], "role": "user"}],
        "generationConfig": {"maxOutputTokens": 50, "temperature": 0.5},
    }


@pytest.mark.parametrize(
    ("wire", "thinks_briefly"),
    [
        (OPENAI, {"reasoning_effort": "low"}),
        (ANTHROPIC, {"output_config": {"effort": "low"}}),
        (
            GOOGLE,
            {
                "generationConfig": {
                    "maxOutputTokens": 50,
                    "thinkingConfig": {"thinking_level": "LOW"},
                }
            },
        ),
    ],
    ids=row_id,
)
async def test_a_reasoning_model_is_sent_no_temperature_and_asked_to_think_briefly(
    wire: WireProtocol, thinks_briefly: dict[str, Any]
) -> None:
    heard = await sent(wire, facts={"tags": ["reasoning"]})

    assert "temperature" not in heard.body
    assert heard.body | thinks_briefly == heard.body


@pytest.mark.parametrize(
    ("provider", "limit"),
    [
        ("openai", "max_completion_tokens"),
        ("azure.ai.openai", "max_completion_tokens"),
        ("moonshot_ai", "max_completion_tokens"),
        ("deepseek", "max_tokens"),
        ("ollama", "max_tokens"),
    ],
)
async def test_the_limit_goes_by_the_name_that_the_server_knows(provider: str, limit: str) -> None:
    heard = await sent(OPENAI, facts={"provider": provider})

    assert {name: heard.body[name] for name in heard.body if name.startswith("max_")} == {limit: 50}


GREETING = {
    "properties": {"word": {"title": "Word", "type": "string"}},
    "required": ["word"],
    "title": "Greeting",
    "type": "object",
}
CLOSED = GREETING | {"additionalProperties": False}


@pytest.mark.parametrize(
    ("wire", "structured", "asked_for"),
    [
        (
            OPENAI,
            "json_schema",
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "Greeting", "strict": True, "schema": CLOSED},
                }
            },
        ),
        (OPENAI, "json_object", {"response_format": {"type": "json_object"}}),
        (OPENAI, "text", {}),
        (
            ANTHROPIC,
            "json_schema",
            {"output_config": {"format": {"type": "json_schema", "schema": CLOSED}}},
        ),
        (ANTHROPIC, "text", {}),
        (
            GOOGLE,
            "json_schema",
            {
                "generationConfig": {
                    "maxOutputTokens": 50,
                    "temperature": 0.2,
                    "responseMimeType": "application/json",
                    "responseJsonSchema": GREETING,
                }
            },
        ),
        (
            GOOGLE,
            "json_object",
            {
                "generationConfig": {
                    "maxOutputTokens": 50,
                    "temperature": 0.2,
                    "responseMimeType": "application/json",
                }
            },
        ),
    ],
    ids=row_id,
)
async def test_a_shape_is_asked_for_by_the_facility_that_the_model_has(
    wire: WireProtocol, structured: str, asked_for: dict[str, Any]
) -> None:
    shaped = await sent(wire, facts={"structured": structured}, schema=Greeting)
    plain = await sent(wire)

    assert shaped.body == plain.body | asked_for


@pytest.mark.parametrize("entry", SHIPPED, ids=lambda entry: str(entry.id))
async def test_every_shipped_model_is_asked_at_the_server_it_was_moved_to(
    entry: ModelEntry,
) -> None:
    assert entry.key_env is not None
    assert entry.base_url_env is not None
    said = next(body for wire, body in SAID.items() if wire.api == entry.api)

    async with loopback(answer_of(said)) as server:
        provider = connect(
            catalogue(entry), {entry.key_env: KEY, entry.base_url_env: server.origin}, ManualClock()
        )[entry.id]
        asked_for = Prompt(system="", text="", schema=Greeting)
        answered = await provider.complete(
            Request(model=entry.wire_name, call_type="critique", prompt=asked_for, timeout_s=30)
        )
        await provider.close()

    (heard,) = server.heard
    assert answered.text == "hello"
    assert entry.wire_name in heard.line + str(heard.body.get("model"))
    if entry.provider == "deepseek":
        assert heard.body["response_format"] == {"type": "json_object"}
        assert heard.body["reasoning_effort"] == "low"


def test_every_prompt_for_a_shape_says_json_as_json_mode_demands() -> None:
    brief, task = Brief(project="p"), Task(id="t1", title="", instructions="", type="writing")

    for prompt in (
        prompts.plan_prompt(brief, 3),
        prompts.critique_prompt(brief, task, "draft"),
        prompts.score_prompt(brief, task, "draft"),
    ):
        assert "json" in f"{prompt.system} {prompt.text}".lower()


async def test_google_is_handed_our_key_and_says_nothing_of_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its SDK would warn of two keys in the environment, and name the one that is not used."""
    monkeypatch.setenv("GOOGLE_API_KEY", "one")
    monkeypatch.setenv("GEMINI_API_KEY", "another")

    heard = await sent(GOOGLE)

    assert heard.headers["x-goog-api-key"] == KEY
    assert caplog.records == []


@pytest.mark.parametrize("shape", [PlanAnswer, CritiqueAnswer, ScoreAnswer])
def test_every_shape_that_a_run_asks_for_has_a_strict_schema(shape: type[BaseModel]) -> None:
    strict = openai._response_format(shape)["json_schema"]["schema"]
    closed = anthropic._format(shape)["schema"]

    assert strict["additionalProperties"] is closed["additionalProperties"] is False
    assert strict["required"] == list(strict["properties"]) == list(closed["properties"])


@pytest.mark.parametrize(
    ("wire", "base", "line"),
    [
        (OPENAI, "/openai/v1/", "/openai/v1/chat/completions"),
        (ANTHROPIC, "/anthropic", "/anthropic/v1/messages"),
        (ANTHROPIC, "/v1/", "/v1/messages"),
        (GOOGLE, "", "/v1/models/gemini-3.8-flash:generateContent"),
        (GOOGLE, "/gw/v1alpha/", "/gw/v1alpha/models/gemini-3.8-flash:generateContent"),
    ],
    ids=row_id,
)
async def test_a_base_url_may_have_a_path_and_name_the_version(
    wire: WireProtocol, base: str, line: str
) -> None:
    async with (
        loopback(answer_of(SAID[wire])) as server,
        wire.connected(server.origin + base) as provider,
    ):
        await provider.complete(wire.request())

    assert server.heard[0].line == f"POST {line} HTTP/1.1"


@each_protocol
async def test_asking_a_proxy_for_the_way_is_no_departure(
    wire: WireProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    departures: list[None] = []

    async with loopback(answer_of("closed", status=502)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.origin)
        async with wire.connected("https://vendor.invalid") as provider:
            with pytest.raises(ProviderError, match=r"Cannot connect to vendor\.invalid, which"):
                await provider.complete(wire.request(), departed=lambda: departures.append(None))

    assert proxy.heard[0].line == "CONNECT vendor.invalid:443 HTTP/1.1"
    assert departures == []


# How tokens are counted


def test_openai_counts_cached_and_reasoning_tokens_within_the_others() -> None:
    reported = CompletionUsage.model_validate(
        {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 120,
            "prompt_tokens_details": {"cached_tokens": 40},
            "completion_tokens_details": {"reasoning_tokens": 15},
        }
    )

    assert openai._usage(reported) == Usage(
        input_tokens=100, output_tokens=20, cache_read_tokens=40, reasoning_tokens=15
    )


def test_anthropic_counts_what_its_cache_served_and_kept_beside_the_input() -> None:
    reported = AnthropicUsage.model_validate(
        {
            "input_tokens": 10,
            "cache_read_input_tokens": 40,
            "cache_creation_input_tokens": 50,
            "output_tokens": 20,
            "output_tokens_details": {"thinking_tokens": 15},
        }
    )

    assert anthropic._usage(reported) == Usage(
        input_tokens=100,
        output_tokens=20,
        cache_read_tokens=40,
        cache_creation_tokens=50,
        reasoning_tokens=15,
    )


def test_google_counts_thoughts_beside_the_answer() -> None:
    reported = GoogleUsage(
        prompt_token_count=90,
        tool_use_prompt_token_count=10,
        cached_content_token_count=40,
        candidates_token_count=5,
        thoughts_token_count=15,
    )

    assert google._usage(reported) == Usage(
        input_tokens=100, output_tokens=20, cache_read_tokens=40, reasoning_tokens=15
    )


def test_counts_that_cannot_be_are_not_believed() -> None:
    from_openai = CompletionUsage.model_construct(
        prompt_tokens=None,
        completion_tokens=-5,
        prompt_tokens_details=None,
        completion_tokens_details=None,
    )
    from_anthropic = AnthropicUsage.model_construct(input_tokens=None, output_tokens=-5)
    from_google = GoogleUsage(prompt_token_count=None, candidates_token_count=-5)

    assert openai._usage(from_openai) == openai._usage(None) == Usage()
    assert anthropic._usage(from_anthropic) == anthropic._usage(None) == Usage()
    assert google._usage(from_google) == google._usage(None) == Usage()


# How an answer's end is read


def of_openai(finish: str | None, **message: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": "x"} | message, "finish_reason": finish}]}


def of_anthropic(finish: str | None) -> dict[str, Any]:
    return SAID[ANTHROPIC] | {"stop_reason": finish}


def of_google(finish: str | None) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": finish}]}


@pytest.mark.parametrize(
    ("wire", "body", "finish"),
    [
        (OPENAI, of_openai("stop"), "stop"),
        (OPENAI, of_openai(None), "stop"),
        (OPENAI, of_openai("length"), "length"),
        (OPENAI, of_openai("content_filter"), "content_filter"),
        (OPENAI, of_openai("stop", content=None, refusal="I cannot"), "content_filter"),
        (OPENAI, of_openai("insufficient_system_resource"), "error"),
        (OPENAI, of_openai("eos"), "eos"),
        (ANTHROPIC, of_anthropic("end_turn"), "stop"),
        (ANTHROPIC, of_anthropic("stop_sequence"), "stop"),
        (ANTHROPIC, of_anthropic(None), "stop"),
        (ANTHROPIC, of_anthropic("max_tokens"), "length"),
        (ANTHROPIC, of_anthropic("model_context_window_exceeded"), "length"),
        (ANTHROPIC, of_anthropic("refusal"), "content_filter"),
        (GOOGLE, of_google("STOP"), "stop"),
        (GOOGLE, of_google(None), "stop"),
        (GOOGLE, of_google("MAX_TOKENS"), "length"),
        (GOOGLE, of_google("CONTINUATION"), "length"),
        (GOOGLE, of_google("SAFETY"), "content_filter"),
        (GOOGLE, of_google("RECITATION"), "content_filter"),
        (GOOGLE, of_google("OTHER"), "error"),
        (GOOGLE, {"promptFeedback": {"blockReason": "SAFETY"}}, "content_filter"),
    ],
    ids=row_id,
)
async def test_an_end_is_said_in_the_same_words_whoever_the_vendor_is(
    wire: WireProtocol, body: dict[str, Any], finish: str
) -> None:
    assert (await read(wire, body)).finish_reason == finish


async def test_google_is_asked_once_even_where_its_sdk_would_go_on_by_itself() -> None:
    body = of_google("CONTINUATION")
    body["candidates"][0]["continuationToken"] = "bW9yZQ=="

    async with loopback(answer_of(body)) as server, GOOGLE.connected(server.origin) as provider:
        async with asyncio.timeout(10):  # else it would go on for ever
            await provider.complete(GOOGLE.request())

    assert len(server.heard) == 1


async def test_a_new_reason_of_googles_to_stop_is_no_success(
    recwarn: pytest.WarningsRecorder,
) -> None:
    answered = await read(GOOGLE, of_google("SOMETHING_NEW"))

    assert answered.finish_reason == "error"


async def test_thoughts_are_no_part_of_the_text() -> None:
    claude = await read(
        ANTHROPIC,
        SAID[ANTHROPIC]
        | {
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": "he"},
                {"type": "text", "text": "llo"},
            ]
        },
    )
    parts = [{"text": "hm", "thought": True}, {"text": "he"}, {"text": "llo"}]
    gemini = await read(GOOGLE, {"candidates": [{"content": {"parts": parts}}]})

    assert claude.text == gemini.text == "hello"


@each_protocol
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", {}),
        ("application/json", {"choices": [], "content": None, "candidates": []}),
        ("application/json", {"choices": [{"message": None}], "content": 1, "candidates": 1}),
        ("application/json", ["hello"]),
        ("application/json", b"\xff\xfe"),
        ("text/html", b"<html>Sign in to the airport's network</html>"),
    ],
)
async def test_what_is_no_reply_is_never_read_as_one(
    wire: WireProtocol, kind: str, body: object
) -> None:
    with pytest.raises(ProviderError) as failure:
        await read(wire, body, kind=kind)

    assert (failure.value.code, failure.value.billed) == ("malformed_reply", True)
    assert failure.value.__context__ is None


# How a list of models is read


@each_protocol
@pytest.mark.parametrize(
    ("names", "is_listed"),
    [
        (("{}",), True),
        (("other", "{}-2026-11-01"), True),
        (("{}:latest",), True),
        (("{}er", "other"), False),
        ((), None),
    ],
)
async def test_a_server_lists_a_model_by_its_name_or_one_that_is_more_exact(
    wire: WireProtocol, names: tuple[str, ...], *, is_listed: bool | None
) -> None:
    ids = [name.format(wire.model) for name in names]
    body = {
        "data": [{"id": name, "type": "model"} for name in ids],
        "models": [{"name": f"models/{name}"} for name in ids],
    }

    async with (
        loopback(answer_of(body)) as server,
        wire.connected(server.origin + wire.version) as provider,
    ):
        assert await provider.reach(timeout_s=30) is is_listed

    assert server.heard[0].line.startswith(f"GET {wire.version or '/v1'}/models")


async def test_google_that_lists_nothing_is_reached_without_a_word(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its SDK would warn that it cannot tell what kind of models there are."""
    async with (
        loopback(answer_of({"data": []})) as server,
        GOOGLE.connected(server.origin) as provider,
    ):
        assert await provider.reach(timeout_s=30) is None

    assert caplog.records == []


@each_protocol
@pytest.mark.parametrize(
    ("status", "code"), [(200, "malformed_reply"), (401, "authentication"), (500, "server_error")]
)
async def test_a_server_that_does_not_let_us_in_is_not_reached(
    wire: WireProtocol, status: int, code: str
) -> None:
    page = b"<html>Sign in</html>"

    async with (
        loopback(answer_of(page, status=status, kind="text/html")) as server,
        wire.connected(server.origin + wire.version) as provider,
    ):
        with pytest.raises(ProviderError) as failure:
            await provider.reach(timeout_s=30)

    assert failure.value.code == code


@pytest.mark.parametrize("wire", [OPENAI, ANTHROPIC], ids=str)
async def test_a_list_of_models_that_is_none_is_not_read_as_one(wire: WireProtocol) -> None:
    for body in ({"data": 1}, {"data": ["x"]}, ["x"]):
        async with (
            loopback(answer_of(body)) as server,
            wire.connected(server.origin + wire.version) as provider,
        ):
            with pytest.raises(ProviderError) as failure:
                await provider.reach(timeout_s=30)
        assert failure.value.code == "malformed_reply"


# How a refusal is read


async def test_google_says_in_the_body_why_it_refuses_and_how_long_it_is_busy() -> None:
    info = "type.googleapis.com/google.rpc"
    keyless = {
        "error": {
            "code": 400,
            "status": "INVALID_ARGUMENT",
            "details": [{"@type": f"{info}.ErrorInfo", "reason": "API_KEY_INVALID"}],
        }
    }
    busy = {
        "error": {
            "code": 429,
            "status": "RESOURCE_EXHAUSTED",
            "details": [
                {"@type": f"{info}.Help"},
                {"@type": f"{info}.RetryInfo", "retryDelay": "34.5s"},
            ],
        }
    }

    with pytest.raises(ProviderError) as refused_key:
        await read(GOOGLE, keyless, status=400)
    with pytest.raises(ProviderError) as limited:
        await read(GOOGLE, busy, status=429)

    assert (refused_key.value.code, refused_key.value.status_code) == ("authentication", 400)
    assert (limited.value.code, limited.value.retry_after_s) == ("rate_limit_exceeded", 34.5)


@pytest.mark.parametrize("body", [[], "busy", {"error": "busy"}, {"error": {"details": [1]}}])
async def test_a_refusal_whose_body_is_odd_is_told_by_its_status(body: object) -> None:
    for wire in PROTOCOLS:
        with pytest.raises(ProviderError) as failure:
            await read(wire, body, status=503)
        assert (failure.value.code, failure.value.status_code) == ("server_error", 503)


@pytest.mark.parametrize(
    ("status", "text", "code"),
    [
        (400, "Input is too long for requested model", "context_length_exceeded"),
        (400, "Invalid request: Your request exceeded model token limit: 8", "context_length"),
        (400, "Your credit balance is too low to access the API", "insufficient_quota"),
        (400, "API key not valid. Please pass a valid API key.", "authentication"),
        (400, "temperature: out of range", "bad_request"),
        (429, "Your context window quota for today is used up", "rate_limit_exceeded"),
    ],
)
def test_what_vendors_say_in_prose_counts_where_the_status_says_little(
    status: int, text: str, code: str
) -> None:
    failure = refused(OPENAI.entry(), Refusal(status=status, text=text))

    assert failure.code.startswith(code)
    assert text not in str(failure)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 413, 429, 500])
def test_no_sentence_names_a_key_that_there_is_none_of(status: int) -> None:
    told = str(refused(OPENAI.entry(key_env=None), Refusal(status=status)))

    assert "None" not in told


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
    busy = Refusal(status=429, headers={"retry-after": value})

    assert refused(OPENAI.entry(), busy).retry_after_s == seconds


def test_retry_after_as_a_date_counts_from_now() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    busy = Refusal(status=503, headers={"retry-after": later})

    seconds = refused(OPENAI.entry(), busy).retry_after_s

    assert seconds is not None
    assert 60 < seconds <= 90
