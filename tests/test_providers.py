"""Every vendor's protocol, spoken through its official SDK with servers that nobody here wrote."""

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from orchestrator.errors import InvalidOutput, ProviderError
from orchestrator.models import Usage
from orchestrator.providers import connect
from orchestrator.providers.bounds import MOST_BYTES
from orchestrator.retries import Retries
from pytest_otel_spans import SpanCapture, assert_span_tree, span
from tests.aimock import Aimock, started
from tests.fakes import ManualClock, catalogue, door
from tests.loopback import TLS_BEGINS, answer_of, loopback
from tests.protocols import ANTHROPIC, ENVIRON, OPENAI, PROTOCOLS, Remote, WireProtocol

SECRET = "the prompt, or a key, quoted by the vendor"
PRICED: dict[str, Any] = {"price": {"input": 1, "output": 1}}

each_protocol = pytest.mark.parametrize("wire", PROTOCOLS, ids=str)


def case(text: str, response: dict[str, Any], **also: Any) -> dict[str, Any]:
    """What the server that all tests here share says to one text."""
    return {"match": {"userMessage": f"{text}."}, "response": response} | also


def error(status: int, code: str | None = None, says: str = SECRET, **also: Any) -> dict[str, Any]:
    return {"error": {"message": says, "type": "x", "code": code}, "status": status} | also


BUSY = error(429, retryAfter=7)
HELLO = {"content": "hello", "usage": {"input_tokens": 11, "output_tokens": 7}}
REFUSALS = [
    (400, "bad_request", False),
    (402, "insufficient_quota", False),
    (403, "permission_denied", False),
    (404, "model_not_found", False),
    (409, "conflict", True),
    (413, "context_length_exceeded", False),
    (429, "rate_limit_exceeded", True),
    (500, "server_error", True),
    (529, "server_error", True),
]
CODED = [
    (400, "context_length_exceeded", "context_length_exceeded"),
    (429, "insufficient_quota", "insufficient_quota"),
]
THREE_TIMES_IN_VAIN: list[dict[str, Any]] = [
    {"response": BUSY},
    {"response": HELLO, "chaos": {"disconnectRate": 1}},
    {"response": error(500)},
]
TOLD: list[dict[str, Any]] = [
    *(case(f"status {status}", error(status)) for status, *_ in REFUSALS),
    *(case(f"coded {meant}", error(status, code)) for status, code, meant in CODED),
    *(case(f"too long for {wire}", error(400, says=wire.too_long)) for wire in PROTOCOLS),
    case("busy", BUSY),
    case("dropped", HELLO, chaos={"disconnectRate": 1}),
    case("malformed", HELLO, chaos={"malformedRate": 1}),
    case("slow", HELLO, chaos={"latencyMs": 20_000}),
    case("empty", {"content": ""}),
    case("cut", {"content": "Once upon", "finishReason": "length"}),
    *(
        {"match": {"userMessage": f"{wire}, four times.", "sequenceIndex": index}} | said
        for wire in PROTOCOLS
        for index, said in enumerate(THREE_TIMES_IN_VAIN)
    ),
    case("dated", HELLO | {"id": "r-1", "model": "dated-2026"}),
    {"match": {}, "response": HELLO},
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aimock]:
    """One server for all three protocols; it tells tests apart by what they say."""
    with started(TOLD, tmp_path_factory.mktemp("aimock")) as server:
        yield server


def asked(server: Aimock, wire: WireProtocol, text: str) -> int:
    """How often the server was sent this text by this protocol."""
    return sum(
        entry["path"] == wire.path and entry["body"]["messages"][-1]["content"] == text
        for entry in server.journal()
    )


async def failure_of(provider: Remote, wire: WireProtocol, text: str, **facts: Any) -> Any:
    with pytest.raises(ProviderError) as failure:
        await provider.complete(wire.request(text, **facts))
    assert failure.value.__context__ is None  # the SDK's exception quotes the vendor
    assert SECRET not in str(failure.value)
    return failure.value


# What comes back


@each_protocol
async def test_an_answer_comes_back_whole(server: Aimock, wire: WireProtocol) -> None:
    text = f"{wire} says hello"

    async with wire.connected(server.origin + wire.version) as provider:
        answered = await provider.complete(wire.request(text))

    assert (answered.text, answered.finish_reason) == ("hello", "stop")
    assert answered.usage == Usage(input_tokens=11, output_tokens=7)
    assert answered.served_model == wire.model
    assert asked(server, wire, text) == 1


@pytest.mark.parametrize("wire", [OPENAI, ANTHROPIC], ids=str)
async def test_the_served_model_and_the_id_of_the_answer_are_kept(
    server: Aimock, wire: WireProtocol
) -> None:
    async with wire.connected(server.origin + wire.version) as provider:
        answered = await provider.complete(wire.request("dated."))

    assert (answered.served_model, answered.response_id) == ("dated-2026", "r-1")


# Refusals, in our own words


@each_protocol
async def test_every_refusal_is_told_in_our_own_words(server: Aimock, wire: WireProtocol) -> None:
    async with wire.connected(server.origin + wire.version) as provider:
        told = [await failure_of(provider, wire, f"status {status}.") for status, *_ in REFUSALS]

    assert [(each.status_code, each.code, each.retryable) for each in told] == REFUSALS
    assert not any(each.billed for each in told)


@pytest.mark.parametrize("meant", [meant for *_, meant in CODED])
async def test_a_code_beside_the_status_says_more_than_the_status(
    server: Aimock, meant: str
) -> None:
    async with OPENAI.connected(server.origin + OPENAI.version) as provider:
        failure = await failure_of(provider, OPENAI, f"coded {meant}.")

    assert (failure.code, failure.retryable) == (meant, False)


@each_protocol
async def test_a_prompt_that_is_too_long_has_a_sentence_of_its_own(
    server: Aimock, wire: WireProtocol
) -> None:
    async with wire.connected(server.origin + wire.version) as provider:
        failure = await failure_of(provider, wire, f"too long for {wire}.")

    assert str(failure) == f"The prompt is too long for model {wire.model!r} of {wire.provider}."
    assert (failure.code, failure.status_code) == ("context_length_exceeded", 400)
    assert not failure.retryable


@each_protocol
async def test_who_is_busy_says_when_to_come_back(server: Aimock, wire: WireProtocol) -> None:
    async with wire.connected(server.origin + wire.version) as provider:
        failure = await failure_of(provider, wire, "busy.")

    assert (failure.code, failure.retryable) == ("rate_limit_exceeded", True)
    assert failure.retry_after_s == 7


@each_protocol
async def test_a_wrong_key_is_named_by_its_variable_and_never_shown(
    server: Aimock, wire: WireProtocol
) -> None:
    wrong = {wire.key_env: "sk-wrong"}

    async with wire.connected(server.origin + wire.version, wrong) as provider:
        failure = await failure_of(provider, wire, "hello")

    assert str(failure) == (
        f"{wire.provider} refused the key in {wire.key_env}. Set {wire.key_env} to a valid key."
    )
    assert (failure.code, failure.retryable, failure.status_code) == ("authentication", False, 401)


@each_protocol
async def test_a_server_that_asks_a_keyless_model_for_a_key_says_where_it_belongs(
    server: Aimock, wire: WireProtocol
) -> None:
    async with wire.connected(server.origin + wire.version, key_env=None) as provider:
        failure = await failure_of(provider, wire, "hello")

    assert f"as key_env of model {wire.model!r} in the catalogue" in str(failure)


@each_protocol
async def test_a_key_does_not_follow_a_redirection(wire: WireProtocol) -> None:
    async with (
        loopback(answer_of({})) as elsewhere,
        loopback(answer_of(b"", status=307, location=elsewhere.origin)) as server,
        wire.connected(server.origin) as provider,
    ):
        failure = await failure_of(provider, wire, "hello")

    assert (failure.code, failure.retryable) == ("redirected", False)
    assert "Give the final address as its base_url." in str(failure)
    assert elsewhere.heard == []


# What breaks on the way


@each_protocol
@pytest.mark.parametrize(
    ("text", "code"), [("dropped.", "connection_error"), ("malformed.", "malformed_reply")]
)
async def test_an_answer_that_is_lost_may_have_been_billed(
    server: Aimock, wire: WireProtocol, text: str, code: str
) -> None:
    async with wire.connected(server.origin + wire.version) as provider:
        failure = await failure_of(provider, wire, text)

    assert (failure.code, failure.retryable, failure.billed) == (code, True, True)


@each_protocol
async def test_a_server_that_is_silent_times_out(server: Aimock, wire: WireProtocol) -> None:
    async with wire.connected(server.origin + wire.version) as provider:
        # The SDK's own timeout is a second behind the caller's, which is not here.
        failure = await failure_of(provider, wire, "slow.", timeout_s=-0.9)

    assert (failure.code, failure.retryable, failure.billed) == ("timeout", True, True)


@each_protocol
async def test_a_body_that_never_ends_is_cut_by_the_door(wire: WireProtocol) -> None:
    async with (
        loopback(answer_of(b""), then_drip=b" ") as server,
        wire.connected(server.origin, **PRICED) as provider,
    ):
        entry = wire.entry(server.origin, **PRICED)
        client = door(
            {entry.id: provider}, entry, attempt_timeout_s=0.3, retries=Retries(attempts=1)
        )
        await provider.open()  # the import of the SDK is not what is timed
        with pytest.raises(ProviderError, match=r"gave no answer within 0.3 s"):
            await client.call(entry.id, wire.request().prompt, call_type="generate")
        await provider.close()  # hangs up, so that the server ends


@each_protocol
async def test_a_body_that_is_too_long_is_not_read_to_its_end(wire: WireProtocol) -> None:
    async with (
        loopback(answer_of(b""), then_drip=b" " * (MOST_BYTES // 4)) as server,
        wire.connected(server.origin) as provider,
    ):
        failure = await failure_of(provider, wire, "hello")
        await provider.close()  # hangs up, so that the server ends

    where = server.origin.removeprefix("http://")
    assert str(failure) == (
        f"What {where} answered for model {wire.model!r} is longer than any answer can be. "
        "Look at its server, or choose another model."
    )
    assert (failure.code, failure.retryable, failure.billed) == ("malformed_reply", False, True)


@each_protocol
async def test_nobody_listening_is_said_with_the_host_and_costs_nothing(
    wire: WireProtocol,
) -> None:
    async with loopback() as server:
        pass  # it listened, and no longer does

    async with wire.connected(server.origin) as provider:
        failure = await failure_of(provider, wire, "hello")

    where = server.origin.removeprefix("http://")
    assert f"Cannot connect to {where}, which serves model {wire.model!r}" in str(failure)
    assert (failure.code, failure.retryable, failure.billed) == ("connection_error", True, False)


@each_protocol
@pytest.mark.parametrize(("scheme", "departures"), [("http", 1), ("https", 0)])
async def test_a_request_departs_when_it_is_written_and_not_before(
    wire: WireProtocol, scheme: str, departures: int
) -> None:
    """Whoever speaks no TLS has read a plain request, and no encrypted one."""
    told: list[None] = []
    after = {} if departures else {"after": TLS_BEGINS}

    async with (
        loopback(b"this is no HTTP\r\n", **after) as server,
        wire.connected(server.origin.replace("http:", f"{scheme}:")) as provider,
    ):
        with pytest.raises(ProviderError) as failure:
            await provider.complete(wire.request(), departed=lambda: told.append(None))

    assert len(told) == departures
    assert failure.value.billed is bool(departures)


# Through the door: what the server saw is what the span says


@each_protocol
async def test_requests_at_the_server_are_the_attempts_on_the_one_span_of_the_call(
    server: Aimock, exported: InMemorySpanExporter, wire: WireProtocol
) -> None:
    text = f"{wire}, four times."
    entry, clock = wire.entry(server.origin + wire.version), ManualClock()
    providers = connect(catalogue(entry), ENVIRON, clock)
    client = door(providers, entry, clock=clock)

    answer = await client.call(entry.id, wire.request(text).prompt, call_type="generate")
    await providers[entry.id].close()

    (made,) = exported.get_finished_spans()
    attributes = dict(made.attributes or {})
    assert answer.text == "hello"
    assert asked(server, wire, text) == attributes["orchestrator.llm.attempts"] == 4
    assert clock.slept == [7, 1.0, 2.0]
    assert [(event.attributes or {})["error.type"] for event in made.events] == [
        "rate_limit_exceeded",
        "connection_error",
        "server_error",
    ]
    assert f"http://{attributes['server.address']}:{attributes['server.port']}" == server.origin
    assert SECRET not in str(attributes) + str([event.attributes for event in made.events])
    assert not any("traceparent" in request["headers"] for request in server.journal())


@each_protocol
async def test_every_call_stands_once_in_a_process_whose_spans_are_all_recorded(
    server: Aimock, traced: SpanCapture, wire: WireProtocol
) -> None:
    """Anthropic's SDK makes spans of its own as soon as there is a provider."""
    entry = wire.entry(server.origin + wire.version)

    async with wire.connected(server.origin + wire.version) as provider:
        await door({entry.id: provider}, entry).call(
            entry.id, wire.request().prompt, call_type="generate"
        )

    assert_span_tree(traced, span("llm_call:generate", {"model": wire.model}))


@each_protocol
@pytest.mark.parametrize("status", [400, 403, 404])
async def test_a_refusal_that_is_final_is_one_request(
    server: Aimock, wire: WireProtocol, status: int
) -> None:
    entry, text = wire.entry(server.origin + wire.version), f"once: status {status}."

    async with wire.connected(server.origin + wire.version) as provider:
        with pytest.raises(ProviderError):
            await door({entry.id: provider}, entry).call(
                entry.id, wire.request(text).prompt, call_type="generate"
            )

    assert asked(server, wire, text) == 1


@each_protocol
@pytest.mark.parametrize(
    ("text", "says"),
    [("empty.", "answered with nothing"), ("cut.", "cut off at its limit of 50 tokens")],
)
async def test_an_answer_that_is_none_is_asked_for_once(
    server: Aimock, wire: WireProtocol, text: str, says: str
) -> None:
    entry = wire.entry(server.origin + wire.version)

    async with wire.connected(server.origin + wire.version) as provider:
        with pytest.raises(InvalidOutput, match=says):
            await door({entry.id: provider}, entry).call(
                entry.id, wire.request(text).prompt, call_type="generate"
            )

    assert asked(server, wire, text) == 1


@each_protocol
async def test_concurrent_first_calls_share_one_client(server: Aimock, wire: WireProtocol) -> None:
    text = f"{wire} says hello at once"

    async with wire.connected(server.origin + wire.version) as provider:
        await asyncio.gather(*(provider.complete(wire.request(text)) for _ in range(10)))
        clients = [await provider._opened() for _ in range(2)]

    assert asked(server, wire, text) == 10
    assert all(one is other for one, other in pairwise(clients))


@each_protocol
async def test_closing_twice_and_before_any_call_is_allowed(wire: WireProtocol) -> None:
    async with wire.connected("http://127.0.0.1:9") as provider:
        await provider.close()
