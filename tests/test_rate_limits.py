"""No more a minute than the catalogue allows, in the order of coming, and never a deadlock."""

import asyncio
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import ValidationError

from orchestrator.api_clients import UnifiedClient
from orchestrator.budget import Ledger
from orchestrator.catalogue import Limits, ModelEntry
from orchestrator.errors import ProviderError, TimeExceeded
from orchestrator.models import Answer, Prompt, Request, Usage
from orchestrator.rate_limits import WINDOW_S, RateLimits
from tests.fakes import (
    LoopClock,
    ManualClock,
    ScriptedProvider,
    catalogue,
    door,
    in_virtual_time,
    model,
    reply,
)

PROMPT = Prompt(system="", text="x" * 40, max_tokens=90)  # taken for 100 tokens
BUSY = ProviderError("Busy.", code="rate_limit_exceeded", retryable=True, status_code=429)


class Watched(ScriptedProvider):
    """Notes when it was asked, in seconds from the start."""

    def __init__(self, *steps: object, then: object = "an answer") -> None:
        super().__init__(*steps, then=then)  # type: ignore[arg-type]
        self.asked_at: list[float] = []

    async def complete(self, request: Request):
        self.asked_at.append(asyncio.get_running_loop().time())
        return await super().complete(request)


def entry(name: str = "m", **limits: object) -> ModelEntry:
    return model(name, limits=limits or None)


def asking(client: UnifiedClient, name: str = "m", prompt: Prompt = PROMPT) -> asyncio.Task[Answer]:
    return asyncio.create_task(client.call(name, prompt, call_type="generate"))


def all_at_once(
    times: int, *entries: ModelEntry, provider: Watched, **facts: object
) -> list[float]:
    """When so many calls, made together and spread over the models, reach the one provider."""

    async def main() -> None:
        client = door(
            dict.fromkeys((each.id for each in entries), provider),
            *entries,
            clock=LoopClock(),
            **facts,  # type: ignore[arg-type]
        )
        names = [entries[number % len(entries)].id for number in range(times)]
        await asyncio.gather(*(asking(client, name) for name in names))

    in_virtual_time(main())
    return [round(at, 3) for at in provider.asked_at]


# The limits


def test_no_more_requests_a_minute_than_the_catalogue_says() -> None:
    assert all_at_once(7, entry(rpm=3), provider=Watched()) == [0, 0, 0, 60, 60, 60, 120]


def test_no_more_tokens_a_minute_than_the_catalogue_says() -> None:
    heavy = reply(usage=Usage(input_tokens=10, output_tokens=90))

    assert all_at_once(5, entry(tpm=250), provider=Watched(then=heavy)) == [0, 0, 60, 60, 120]


def test_a_request_counts_for_what_it_took_as_soon_as_that_is_known() -> None:
    async def light(_: Request):
        await asyncio.sleep(2)
        return reply(usage=Usage(input_tokens=10, output_tokens=5))

    # At a hundred tokens each two fit at once; at fifteen, which is what they took, many do.
    asked_at = all_at_once(6, entry(tpm=250), provider=Watched(then=light))

    assert asked_at == [0, 0, 2, 2, 4, 6]


def test_an_answer_that_comes_after_its_minute_corrects_nothing_any_more() -> None:
    async def slow(_: Request):
        await asyncio.sleep(70)
        return reply(usage=Usage(input_tokens=1))

    asked_at = all_at_once(5, entry(tpm=250), provider=Watched(then=slow))

    assert asked_at == [0, 0, 60, 60, 120]


def test_a_request_larger_than_a_minute_goes_alone_instead_of_never() -> None:
    heavy = reply(usage=Usage(input_tokens=10, output_tokens=90))

    assert all_at_once(3, entry(tpm=50), provider=Watched(then=heavy)) == [0, 60, 120]


def test_without_limits_nobody_waits() -> None:
    assert all_at_once(100, entry(), provider=Watched()) == [0] * 100


def test_a_retry_is_a_request_like_any_other() -> None:
    provider = Watched(BUSY, BUSY, "hello")

    assert all_at_once(1, entry(rpm=1), provider=provider) == [0, 60, 120]


def test_models_that_share_their_limits_have_one_allowance() -> None:
    shared = [entry(name, rpm=2, shared=True) for name in "ab"]
    own = [entry(name, rpm=2) for name in "ab"]

    assert all_at_once(4, *shared, provider=Watched()) == [0, 0, 60, 60]
    assert all_at_once(4, *own, provider=Watched()) == [0, 0, 0, 0]


def test_another_key_is_another_allowance() -> None:
    two = [
        model(name, key_env=f"{name}_KEY", limits={"rpm": 1, "shared": True}) for name in ("A", "B")
    ]

    assert all_at_once(2, *two, provider=Watched()) == [0, 0]


def test_a_ceiling_lowers_what_the_catalogue_says_and_limits_what_it_leaves_open() -> None:
    known = [entry("a", rpm=3), entry("b")]

    def lowered() -> RateLimits:
        ceilings = {"a": Limits(rpm=1), "b": Limits(rpm=2)}
        return RateLimits(catalogue(*known), LoopClock(), ceilings)

    first = all_at_once(2, known[0], provider=Watched(), limits=lowered())
    second = all_at_once(3, known[1], provider=Watched(), limits=lowered())
    higher = RateLimits(catalogue(known[0]), LoopClock(), {"a": Limits(rpm=9)})

    assert (first, second) == ([0, 60], [0, 0, 60])
    assert all_at_once(4, known[0], provider=Watched(), limits=higher) == [0, 0, 0, 60]


# Waiting


def test_the_wait_is_queueing_on_the_span_and_no_latency(exported: InMemorySpanExporter) -> None:
    all_at_once(2, entry(rpm=1), provider=Watched())

    said = [dict(span.attributes or {}) for span in exported.get_finished_spans()]
    assert [each["orchestrator.queue_ms"] for each in said] == pytest.approx([0, 60_000])
    assert [each["latency_ms"] for each in said] == pytest.approx([0, 0])


async def test_a_turn_that_comes_after_the_end_of_the_run_is_not_taken() -> None:
    class Oversleeper(ManualClock):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds + 5)

    provider = Watched()
    client = door({"m": provider}, entry(rpm=1), clock=Oversleeper(), max_time_s=62)

    await asking(client)
    with pytest.raises(TimeExceeded):
        await asking(client)

    assert len(provider.asked_at) == 1


def test_first_come_is_first_served() -> None:
    async def main() -> list[str]:
        provider = Watched()
        client = door({"m": provider}, entry(tpm=100), clock=LoopClock())
        large = Prompt(system="", text="", max_tokens=100)
        small = Prompt(system="", text="", max_tokens=1)
        heavy = reply(usage=Usage(input_tokens=1, output_tokens=99))
        provider._then = heavy
        calls = [asking(client, prompt=each) for each in (large, large, small, large, small)]
        await asyncio.gather(*calls)
        return [str(request.prompt.max_tokens) for request in provider.requests]

    assert in_virtual_time(main()) == ["100", "100", "1", "100", "1"]


def test_a_cancelled_wait_takes_nothing_and_lets_the_next_one_pass() -> None:
    async def main() -> list[float]:
        provider = Watched()
        client = door({"m": provider}, entry(rpm=1), clock=LoopClock())
        calls = [asking(client) for _ in range(4)]
        await asyncio.sleep(10)
        calls[1].cancel()  # the first in line
        calls[2].cancel()  # one behind it
        await asyncio.gather(*calls, return_exceptions=True)
        return provider.asked_at

    assert in_virtual_time(main()) == [0, 60]


def test_a_request_that_was_never_sent_gives_its_place_back() -> None:
    known = entry(rpm=1)

    async def main() -> bool:
        limits = RateLimits(catalogue(known), LoopClock())
        first = await limits.take(known, PROMPT, lambda: 0.0)
        assert first is not None
        first.give_back()
        return await limits.take(known, PROMPT, lambda: 0.0) is not None

    assert in_virtual_time(main())


def test_a_place_that_a_resting_model_leaves_unused_is_given_back() -> None:
    # The first is told to come back after 100 s, while the second waits for its turn at 60 s.
    told = ProviderError(
        "Busy.", code="rate_limit_exceeded", retryable=True, retry_after_s=100, status_code=429
    )

    async def refuse(_: Request) -> ProviderError:
        await asyncio.sleep(1)
        return told

    provider = Watched(refuse, "hello")

    async def main() -> None:
        client = door({"m": provider}, entry(rpm=1), clock=LoopClock())
        await asyncio.gather(asking(client), asking(client), return_exceptions=True)

    in_virtual_time(main())

    assert [round(at, 3) for at in provider.asked_at] == [0, 101]


@pytest.mark.parametrize("moment", range(8))
def test_a_cancel_in_the_very_moment_of_its_turn_leaves_the_line_open(moment: int) -> None:
    known = entry(rpm=1)

    async def main() -> float:
        loop = asyncio.get_running_loop()
        limits = RateLimits(catalogue(known), LoopClock())
        await limits.take(known, PROMPT, lambda: 600.0)
        first, second = (
            asyncio.create_task(limits.take(known, PROMPT, lambda: 600.0)) for _ in range(2)
        )

        def cancel_after(turns: int) -> None:
            if turns:
                loop.call_soon(cancel_after, turns - 1)
            else:
                second.cancel()

        first.add_done_callback(lambda _: cancel_after(moment))
        await asyncio.wait((first,))
        await asyncio.sleep(1)
        await limits.take(known, PROMPT, lambda: 600.0)
        return loop.time()

    assert in_virtual_time(main()) == pytest.approx(120)


def test_a_wait_that_the_run_has_no_time_for_ends_the_call_with_a_sentence() -> None:
    async def main() -> list[Answer | BaseException]:
        client = door({"m": Watched()}, entry(rpm=1), clock=LoopClock(), max_time_s=30)
        return await asyncio.gather(*(asking(client) for _ in range(3)), return_exceptions=True)

    first, *others = in_virtual_time(main())

    assert isinstance(first, Answer)
    sentence = (
        "The rate limits of model 'm' let no request through in the 30 s that the run has left. "
        "Give the run more time, or raise the limits in the catalogue."
    )
    assert [str(each) for each in others] == [sentence, sentence]


def test_behind_a_run_that_has_time_one_that_has_not_does_not_wait_past_its_end() -> None:
    known = entry(rpm=1)

    async def main() -> float:
        clock = LoopClock()
        limits = RateLimits(catalogue(known), clock)
        patient = door({"m": Watched()}, known, clock=clock, limits=limits)
        hurried = door({"m": Watched()}, known, clock=clock, limits=limits, max_time_s=5)
        waiting = [asking(patient), asking(patient)]
        await asyncio.sleep(1)
        with pytest.raises(ProviderError, match="let no request through"):
            await asking(hurried)
        ended = asyncio.get_running_loop().time()
        await asyncio.gather(*waiting)
        return ended

    assert in_virtual_time(main()) == pytest.approx(5)


def test_limits_of_money_and_of_rate_together_never_lock_each_other_out() -> None:
    entries = [entry("a", rpm=1, shared=True), entry("b", rpm=1, shared=True), entry("c", tpm=200)]
    worst = Decimal("0.00028")  # of one call, so two fit into the budget at a time

    asked_at = all_at_once(
        9, *entries, provider=Watched(then=reply(usage=Usage(input_tokens=1))),
        ledger=Ledger(2 * worst),
    )  # fmt: skip

    assert len(asked_at) == 9


@settings(max_examples=50, deadline=None)
@given(
    rpm=st.none() | st.integers(1, 6),
    tpm=st.none() | st.integers(1, 400),
    arrivals=st.lists(
        st.tuples(st.integers(0, 150), st.integers(1, 300), st.none() | st.integers(0, 200)),
        min_size=1,
        max_size=25,
    ),
)
def test_whoever_comes_and_goes_the_limits_hold_in_every_minute_and_nobody_is_left_waiting(
    rpm: int | None, tpm: int | None, arrivals: list[tuple[int, int, int | None]]
) -> None:
    if rpm is None and tpm is None:
        rpm = 2
    sent: list[tuple[float, int]] = []

    def answer(request: Request) -> object:
        tokens = request.prompt.max_tokens
        sent.append((asyncio.get_running_loop().time(), tokens))
        return reply(usage=Usage(output_tokens=tokens))

    async def main() -> None:
        client = door(
            {"m": ScriptedProvider(then=answer)},  # type: ignore[arg-type]
            model(limits={"rpm": rpm, "tpm": tpm}),
            clock=LoopClock(),
        )

        async def come(at: int, tokens: int) -> None:
            await asyncio.sleep(at)
            await asking(client, prompt=Prompt(system="", text="", max_tokens=tokens))

        calls = [asyncio.create_task(come(at, tokens)) for at, tokens, _ in arrivals]
        for call, (_, _, cancelled_at) in zip(calls, arrivals, strict=True):
            if cancelled_at is not None:
                asyncio.get_running_loop().call_later(cancelled_at, call.cancel)
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert all(each is None or isinstance(each, asyncio.CancelledError) for each in ended)

    in_virtual_time(main())

    for start, _ in sent:
        minute = [tokens for at, tokens in sent if start <= at < start + WINDOW_S - 1e-6]
        assert rpm is None or len(minute) <= rpm
        assert tpm is None or sum(minute) <= tpm or len(minute) == 1


# The catalogue


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({}, "state rpm, tpm or both"),
        ({"shared": True}, "state rpm, tpm or both"),
        ({"rpm": 0}, "greater than 0"),
        ({"rps": 3}, "not permitted"),
    ],
)
def test_limits_that_limit_nothing_are_refused(limits: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        model(limits=limits)


def test_shared_limits_that_differ_are_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="'a' and 'b' share their limits and state two"):
        catalogue(entry("a", rpm=3, shared=True), entry("b", rpm=4, shared=True))
