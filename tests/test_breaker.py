"""A model that keeps failing is left alone, tried again by one request, back when it answers."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from orchestrator.api_clients import UnifiedClient
from orchestrator.breaker import (
    FAILURES_TO_OPEN,
    FIRST_REST_S,
    LONGEST_REST_S,
    Breaker,
    Breakers,
    Health,
)
from orchestrator.catalogue import ModelEntry
from orchestrator.errors import CallFailed, CircuitOpen, ProviderError
from orchestrator.events import BreakerChanged, Event, ProviderDisabled
from orchestrator.journal import Journal
from orchestrator.journal.entries import Answered, Entry
from orchestrator.journal.writer import Writer
from orchestrator.models import Answer, Prompt, Request
from orchestrator.retries import Retries
from tests.fakes import (
    LoopClock,
    ManualClock,
    Recorder,
    ScriptedProvider,
    door,
    hang,
    in_virtual_time,
    model,
)

PROMPT = Prompt(system="be brief", text="say hello", max_tokens=500)
ONCE = Retries(attempts=1)
DOWN = ProviderError("Down.", code="server_error", retryable=True, status_code=500)


def failing(code: str, *, retryable: bool = True, **facts: float) -> ProviderError:
    return ProviderError(f"{code}.", code=code, retryable=retryable, **facts)  # type: ignore[arg-type]


async def asked(
    client: UnifiedClient, name: str = "m", *, others: tuple[ModelEntry, ...] = ()
) -> Answer:
    return await client.call(name, PROMPT, call_type="generate", others=others)


async def failed(
    client: UnifiedClient, times: int, name: str = "m", *, others: tuple[ModelEntry, ...] = ()
) -> list[CallFailed]:
    failures = []
    for _ in range(times):
        with pytest.raises(CallFailed) as failure:
            await asked(client, name, others=others)
        failures.append(failure.value)
    return failures


# The breaker by itself


def opened(clock: ManualClock) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(FAILURES_TO_OPEN):
        trial = breaker.enter()
        assert trial is not None
        breaker.leave(trial, Health.SICK)
    return breaker


def test_failures_in_a_row_open_it_and_an_answer_between_them_does_not() -> None:
    breaker = Breaker(ManualClock())
    for health in [*[Health.SICK] * (FAILURES_TO_OPEN - 1), Health.SOUND] * 3:
        trial = breaker.enter()
        assert trial is not None
        breaker.leave(trial, health)

    assert breaker.state == "closed"
    assert opened(ManualClock()).state == "open"


def test_open_it_lets_nobody_through_until_it_has_rested() -> None:
    clock = ManualClock()
    breaker = opened(clock)

    clock.advance(FIRST_REST_S - 1)
    assert (breaker.enter(), breaker.rest_s) == (None, 1)

    clock.advance(1)
    assert breaker.enter() is not None
    assert breaker.state == "half_open"


def test_half_open_it_lets_one_request_through_at_a_time() -> None:
    clock = ManualClock()
    breaker = opened(clock)
    clock.advance(FIRST_REST_S)

    first = breaker.enter()
    assert first is not None
    assert breaker.enter() is None

    breaker.leave(first, Health.UNKNOWN)  # it was never sent, so another one tries
    assert breaker.state == "half_open"
    assert breaker.enter() is not None


def test_the_rest_doubles_while_the_trials_fail_and_begins_anew_after_an_answer() -> None:
    clock = ManualClock()
    breaker = opened(clock)
    rests = []
    for health in [*[Health.SICK] * 5, Health.SOUND]:
        rests.append(breaker.rest_s)
        clock.advance(breaker.rest_s)
        trial = breaker.enter()
        assert trial is not None
        breaker.leave(trial, health)

    assert rests == [15, 30, 60, 120, LONGEST_REST_S, LONGEST_REST_S]
    assert breaker.state == "closed"
    for _ in range(FAILURES_TO_OPEN):
        trial = breaker.enter()
        assert trial is not None
        breaker.leave(trial, Health.SICK)
    assert breaker.rest_s == FIRST_REST_S


def test_what_was_sent_before_it_opened_neither_closes_it_nor_prolongs_its_rest() -> None:
    clock = ManualClock()
    breaker = Breaker(clock)
    late = [breaker.enter() for _ in range(FAILURES_TO_OPEN + 2)]
    for trial in late[:FAILURES_TO_OPEN]:
        assert trial is not None
        breaker.leave(trial, Health.SICK)
    clock.advance(5)

    early, late_still = late[FAILURES_TO_OPEN:]
    assert early is not None
    assert late_still is not None
    assert breaker.leave(early, Health.SICK) is None
    assert (breaker.state, breaker.rest_s) == ("open", FIRST_REST_S - 5)

    clock.advance(breaker.rest_s)
    assert breaker.enter() is not None
    assert breaker.leave(late_still, Health.SOUND) is None
    assert breaker.state == "half_open"


def test_each_provider_and_model_has_its_own() -> None:
    breakers = Breakers(ManualClock())

    assert breakers.of(model("a")) is breakers.of(model("a"))
    assert breakers.of(model("a")) is not breakers.of(model("b"))
    assert breakers.of(model("a")) is not breakers.of(model("a", provider="other"))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["enter", "leave", "wait"]), st.sampled_from(Health)),
        max_size=80,
    )
)
def test_whatever_happens_a_rest_ends_and_never_two_requests_try_at_once(
    steps: list[tuple[str, Health]],
) -> None:
    clock = ManualClock()
    breaker = Breaker(clock)
    out = []
    for step, health in steps:
        if step == "enter" and (trial := breaker.enter()) is not None:
            out.append((trial, breaker.state))
        elif step == "leave" and out:
            breaker.leave(out.pop(0)[0], health)
        elif step == "wait":
            clock.advance(10)
        trying = [trial for trial, state in out if state == "half_open"]
        assert breaker.state != "half_open" or len(trying) <= 1

    for trial, _ in out:
        breaker.leave(trial, Health.UNKNOWN)
    clock.advance(LONGEST_REST_S)
    assert breaker.is_free


# What counts as a failure of the server


@pytest.mark.parametrize("code", ["server_error", "timeout", "connection_error", "malformed_reply"])
async def test_failures_of_the_server_open_the_breaker(code: str) -> None:
    provider = ScriptedProvider(then=lambda _: failing(code))
    client = door({"m": provider}, retries=ONCE, max_time_s=10)

    await failed(client, FAILURES_TO_OPEN)
    (last,) = await failed(client, 1)

    assert isinstance(last, CircuitOpen)
    assert last.code == "circuit_open"
    assert len(provider.requests) == FAILURES_TO_OPEN


@pytest.mark.parametrize(
    "code", ["bad_request", "context_length_exceeded", "permission_denied", "conflict"]
)
async def test_a_refusal_of_this_very_request_says_nothing_against_the_server(code: str) -> None:
    provider = ScriptedProvider(then=lambda _: failing(code, retryable=False))
    client = door({"m": provider}, max_time_s=10)

    await failed(client, 2 * FAILURES_TO_OPEN)

    assert len(provider.requests) == 2 * FAILURES_TO_OPEN


async def test_an_answer_that_cannot_be_used_says_nothing_against_the_server() -> None:
    provider = ScriptedProvider(then="")
    client = door({"m": provider})

    await failed(client, 2 * FAILURES_TO_OPEN)

    assert len(provider.requests) == 2 * FAILURES_TO_OPEN


async def test_a_rate_limit_that_a_retry_gets_past_is_no_failure() -> None:
    limited = failing("rate_limit_exceeded")
    provider = ScriptedProvider(*(limited, "hello") * 2 * FAILURES_TO_OPEN)
    client = door({"m": provider})

    for _ in range(2 * FAILURES_TO_OPEN):
        await asked(client)

    assert len(provider.requests) == 4 * FAILURES_TO_OPEN


async def test_a_rate_limit_beyond_retries_is_one() -> None:
    client = door(
        {"m": ScriptedProvider(then=lambda _: failing("rate_limit_exceeded"))},
        retries=Retries(attempts=2, jitter=lambda: 1.0),
        max_time_s=12,
    )

    failures = await failed(client, FAILURES_TO_OPEN + 1)

    assert [type(each) for each in failures[-2:]] == [ProviderError, CircuitOpen]


async def test_a_server_that_says_when_to_come_back_is_taken_at_its_word() -> None:
    clock, recorder = ManualClock(), Recorder()
    provider = ScriptedProvider(failing("rate_limit_exceeded", retry_after_s=90), "hello")
    client = door({"m": provider}, clock=clock, hook=recorder)

    await failed(client, 1)
    answer = await asked(client)

    assert answer.text == "hello"
    assert clock.slept == [90]


async def test_a_wait_that_a_server_asks_for_before_a_retry_keeps_nobody_away() -> None:
    clock, recorder = ManualClock(), Recorder()
    provider = ScriptedProvider(failing("server_error", retry_after_s=2), "hello")

    await asked(door({"m": provider}, clock=clock, hook=recorder))

    assert clock.slept == [2]
    assert recorder.of(BreakerChanged) == []


async def test_a_model_that_is_busy_when_it_is_tried_again_is_left_alone_for_longer() -> None:
    clock = ManualClock()
    breakers = Breakers(clock)
    provider = ScriptedProvider(*[DOWN] * FAILURES_TO_OPEN, failing("rate_limit_exceeded"), "hello")

    await failed(
        door({"m": provider}, clock=clock, breakers=breakers, retries=ONCE), FAILURES_TO_OPEN
    )
    answer = await asked(door({"m": provider}, clock=clock, breakers=breakers))

    assert answer.text == "hello"
    assert clock.now == FIRST_REST_S + 2 * FIRST_REST_S


# Waiting and passing on


async def test_an_open_breaker_ends_a_call_at_once_while_another_model_can_serve(
    exported: InMemorySpanExporter,
) -> None:
    clock = ManualClock()
    one, other = model("m"), model("n")
    client = door({"m": ScriptedProvider(then=lambda _: DOWN), "n": ScriptedProvider()}, one, other,
                  clock=clock, retries=ONCE)  # fmt: skip

    await failed(client, FAILURES_TO_OPEN, others=(other,))
    (last,) = await failed(client, 1, others=(other,))

    assert str(last) == (
        "Model 'm' of acme keeps failing and is left alone; it is tried again in 15 s. "
        "Wait, or make another model ready."
    )
    assert clock.slept == []
    span = exported.get_finished_spans()[-1]
    assert span.attributes is not None
    assert span.attributes["error.type"] == "circuit_open"
    assert span.attributes["orchestrator.llm.attempts"] == 0


async def test_where_nobody_else_can_serve_a_call_waits_and_tries_again(
    exported: InMemorySpanExporter,
) -> None:
    clock, recorder = ManualClock(), Recorder()
    provider = ScriptedProvider(*[DOWN] * FAILURES_TO_OPEN, "hello")
    client = door({"m": provider}, clock=clock, retries=ONCE, hook=recorder)

    await failed(client, FAILURES_TO_OPEN)
    answer = await asked(client)

    assert answer.text == "hello"
    assert clock.slept == [FIRST_REST_S]
    *_, opening, back = exported.get_finished_spans()
    assert [
        dict(event.attributes or {}) for event in opening.events if "circuit" in event.name
    ] == [{"provider": "acme", "from_state": "closed", "to_state": "open"}]
    assert [dict(event.attributes or {}) for event in back.events] == [
        {"provider": "acme", "from_state": "open", "to_state": "half_open"},
        {"provider": "acme", "from_state": "half_open", "to_state": "closed"},
    ]
    assert back.attributes is not None
    assert back.attributes["orchestrator.queue_ms"] == FIRST_REST_S * 1000
    assert [(event.model, event.to_state) for event in recorder.of(BreakerChanged)] == [
        ("m", "open"),
        ("m", "half_open"),
        ("m", "closed"),
    ]


async def test_a_rest_that_the_run_has_no_time_for_is_not_waited_for() -> None:
    clock = ManualClock()
    client = door(
        {"m": ScriptedProvider(then=lambda _: DOWN)}, clock=clock, retries=ONCE, max_time_s=10
    )

    *_, last = await failed(client, FAILURES_TO_OPEN + 1)

    assert isinstance(last, CircuitOpen)
    assert clock.slept == []


def test_all_who_wait_let_one_try_and_go_on_when_it_was_answered() -> None:
    provider = ScriptedProvider(*[DOWN] * FAILURES_TO_OPEN, then=_slowly)

    async def main() -> tuple[list[Answer], int]:
        client = door({"m": provider}, clock=LoopClock(), retries=ONCE)
        await failed(client, FAILURES_TO_OPEN)
        calls = [asyncio.create_task(asked(client)) for _ in range(20)]
        await asyncio.sleep(FIRST_REST_S + 1)
        trying = provider.in_flight
        return await asyncio.gather(*calls), trying

    answers, trying = in_virtual_time(main())

    assert len(answers) == 20
    assert trying == 1
    assert provider.most_in_flight == 19


def test_all_who_wait_give_up_when_the_trial_fails() -> None:
    provider = ScriptedProvider(then=lambda _: DOWN)

    async def main() -> tuple[list[object], float]:
        client = door({"m": provider}, clock=LoopClock(), retries=ONCE)
        await failed(client, FAILURES_TO_OPEN)
        ended = await asyncio.gather(*(asked(client) for _ in range(20)), return_exceptions=True)
        return list(ended), asyncio.get_running_loop().time()

    ended, seconds = in_virtual_time(main())

    assert sorted(type(each).__name__ for each in ended) == ["CircuitOpen"] * 19 + ["ProviderError"]
    assert seconds == pytest.approx(FIRST_REST_S)
    assert len(provider.requests) == FAILURES_TO_OPEN + 1


def test_a_cancelled_trial_leaves_the_next_one_to_another() -> None:
    provider = ScriptedProvider(*[DOWN] * FAILURES_TO_OPEN, hang, "hello")

    async def main() -> str:
        client = door({"m": provider}, clock=LoopClock(), retries=ONCE)
        await failed(client, FAILURES_TO_OPEN)
        trying = asyncio.create_task(asked(client))
        await asyncio.sleep(FIRST_REST_S + 1)
        waiting = asyncio.create_task(asked(client))
        await asyncio.sleep(1)
        trying.cancel()
        return (await waiting).text

    assert in_virtual_time(main()) == "hello"


async def test_a_call_in_the_middle_of_its_retries_stops_when_another_model_can_serve() -> None:
    clock = ManualClock()
    provider = ScriptedProvider(then=lambda _: DOWN)
    one, other = model("m"), model("n")
    client = door({"m": provider, "n": ScriptedProvider()}, one, other, clock=clock)

    first, second = await failed(client, 2, others=(other,))

    assert first.code == second.code == "server_error"
    assert len(provider.requests) == FAILURES_TO_OPEN  # four of the first call, one of the second


# Whoever refused the key


@pytest.mark.parametrize("code", ["authentication", "insufficient_quota"])
async def test_who_refused_the_key_is_asked_nothing_more_in_this_run(code: str) -> None:
    recorder = Recorder()
    refusal = ProviderError("Set A_KEY to a valid key.", code=code, retryable=False)
    refusing, sister, stranger = ScriptedProvider(refusal), ScriptedProvider(), ScriptedProvider()
    client = door(
        {"m": refusing, "n": sister, "o": stranger},
        model("m", key_env="A_KEY"),
        model("n", key_env="A_KEY"),
        model("o", key_env="B_KEY"),
        hook=recorder,
    )

    failures = await failed(client, 2, "m") + await failed(client, 1, "n")
    await asked(client, "o")

    assert [(each.code, str(each)) for each in failures] == [
        (code, "Set A_KEY to a valid key.")
    ] * 3
    assert (len(refusing.requests), len(sister.requests), len(stranger.requests)) == (1, 0, 1)
    assert [(event.provider, event.reason) for event in recorder.of(ProviderDisabled)] == [
        ("acme", "Set A_KEY to a valid key.")
    ]


async def _slowly(_: Request) -> str:
    await asyncio.sleep(2)
    return "hello"


STEPS = st.sampled_from(["answers", "fails", "limited", "hangs", "refuses"])


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(STEPS, max_size=60),
    cancels=st.lists(st.none() | st.integers(0, 60), min_size=30, max_size=30),
)
def test_whatever_a_server_does_every_call_ends_and_nobody_waits_for_ever(
    steps: list[str], cancels: list[int | None]
) -> None:
    def played(step: str) -> Callable[[Request], object]:
        async def play(request: Request) -> object:
            await asyncio.sleep(0.1)
            if step == "hangs":
                await asyncio.sleep(1e9)
            codes = {"fails": "server_error", "limited": "rate_limit_exceeded"}
            if step == "refuses":
                return failing("bad_request", retryable=False)
            return failing(codes[step]) if step in codes else "hello"

        return play

    async def main() -> None:
        provider = ScriptedProvider(*map(played, steps))  # type: ignore[arg-type]
        client = door({"m": provider}, clock=LoopClock(), attempt_timeout_s=9)
        calls = [asyncio.create_task(asked(client)) for _ in cancels]
        for call, at in zip(calls, cancels, strict=True):
            if at is not None:
                asyncio.get_running_loop().call_later(at, call.cancel)
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(each, Answer | CallFailed | asyncio.CancelledError) for each in ended)

    in_virtual_time(main())


class Pad(Writer):
    """A journal's writer that keeps entries in memory."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def note(self, entry: Entry) -> None:
        self.entries.append(entry)

    async def record(self, entry: Entry) -> None:
        self.entries.append(entry)


async def test_a_cancel_while_a_recovery_is_told_loses_no_answer_that_was_paid() -> None:
    clock, heard = ManualClock(), asyncio.Event()

    async def slow_hook(event: Event) -> None:
        if isinstance(event, BreakerChanged) and event.to_state == "closed":
            heard.set()
            await asyncio.Event().wait()

    pad = Pad()
    provider = ScriptedProvider(*[DOWN] * FAILURES_TO_OPEN, "hello")
    client = door(
        {"m": provider}, clock=clock, retries=ONCE, hook=slow_hook, journal=Journal(None, pad)
    )

    await failed(client, FAILURES_TO_OPEN)
    calling = asyncio.create_task(asked(client))
    await heard.wait()
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling

    assert [each.reply.text for each in pad.entries if isinstance(each, Answered)] == ["hello"]
