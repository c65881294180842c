"""The door to models: what a call does, costs, takes, and says of itself."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from decimal import Decimal
from time import time_ns

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from pydantic import BaseModel

from orchestrator.budget import Ledger
from orchestrator.errors import BudgetExceeded, InvalidOutput, ProviderError, TimeExceeded
from orchestrator.events import BudgetThresholdPassed, CallCompleted, CallStarted
from orchestrator.models import Prompt, Reply, Request, Task, Usage
from orchestrator.retries import Retries
from tests.fakes import (
    USAGE,
    LoopClock,
    ManualClock,
    Recorder,
    ScriptedProvider,
    Step,
    door,
    hang,
    in_virtual_time,
    model,
    reply,
)

USD = Decimal
PROMPT = Prompt(system="be brief", text="say hello", max_tokens=500, temperature=0.3)
TASK = Task(id="t1", title="Greet", instructions="say hello", type="writing")
COST = USD("0.00012")  # USAGE at a dollar per million tokens
WORST = USD("0.000581")  # 17 bytes, 64 around them, 500 answered


class Greeting(BaseModel):
    word: str


class Remote(ScriptedProvider):
    """Behind a network; its requests leave, unless told otherwise, as soon as they are made."""

    server = ("api.example.com", 8443)
    takes_temperature = False

    def __init__(self, *steps: Step, reachable: bool = True) -> None:
        super().__init__(*steps)
        self._reachable = reachable

    async def open(self) -> None:
        """There is nothing to get ready."""

    async def complete(
        self, request: Request, *, departed: Callable[[], None] = lambda: None
    ) -> Reply:
        if self._reachable:
            departed()
        return await super().complete(request)


def busy(retry_after_s: float | None = None) -> ProviderError:
    return ProviderError(
        "Too many requests.",
        code="rate_limit_exceeded",
        retryable=True,
        retry_after_s=retry_after_s,
        status_code=429,
    )


def dropped() -> ProviderError:
    return ProviderError("It broke off.", code="connection_error", retryable=True, billed=True)


def refused() -> ProviderError:
    return ProviderError("Malformed.", code="bad_request", retryable=False, status_code=400)


def only(exporter: InMemorySpanExporter) -> ReadableSpan:
    (span,) = exporter.get_finished_spans()
    return span


def said(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


# What a call returns, and what it sends


async def test_getting_ready_for_a_first_request_is_no_latency_and_no_wait_for_a_turn(
    exported: InMemorySpanExporter,
) -> None:
    clock, opened_ns = ManualClock(), []

    class Slow(Remote):
        async def open(self) -> None:
            clock.advance(3)
            opened_ns.append(time_ns())

    answer = await door({"m": Slow()}, clock=clock).call("m", PROMPT, call_type="generate")

    span = only(exported)
    assert answer.latency_ms == said(span)["latency_ms"] == 0
    assert said(span)["orchestrator.queue_ms"] == 0
    assert span.start_time is not None
    assert opened_ns[0] <= span.start_time


async def test_an_answer_carries_what_it_took() -> None:
    clock = ManualClock()

    def think(request: Request) -> str:
        clock.advance(0.25)
        return "hello"

    answer = await door({"m": ScriptedProvider(think)}, clock=clock).call(
        "m", PROMPT, call_type="generate"
    )

    assert (answer.text, answer.model, answer.provider) == ("hello", "m", "acme")
    assert (answer.usage, answer.cost_usd) == (USAGE, COST)
    assert (answer.latency_ms, answer.attempts) == (250, 1)


async def test_the_provider_is_asked_by_its_own_name_of_the_model() -> None:
    provider = ScriptedProvider()
    entry = model("ours", name="theirs-2026")

    await door({"ours": provider}, entry).call("ours", PROMPT, call_type="revise")

    (request,) = provider.requests
    assert (request.model, request.call_type) == ("theirs-2026", "revise")
    assert request.prompt == PROMPT


async def test_no_more_tokens_are_asked_for_than_the_model_can_answer() -> None:
    provider = ScriptedProvider()
    entry = model(max_output_tokens=50)

    await door({"m": provider}, entry).call("m", PROMPT, call_type="generate")

    assert provider.requests[0].prompt.max_tokens == 50


async def test_a_model_that_thinks_has_room_for_it_on_top_of_the_answers_limit() -> None:
    provider = ScriptedProvider()
    entry = model(thinking_tokens=200)

    await door({"m": provider}, entry).call("m", PROMPT, call_type="generate")

    assert provider.requests[0].prompt.max_tokens == 700


@pytest.mark.parametrize(("room", "fits"), [(200, True), (201, False)])
async def test_room_to_think_is_reserved_like_the_answer(*, room: int, fits: bool) -> None:
    ledger = Ledger(WORST + USD("0.0002"))
    client = door({"m": ScriptedProvider()}, model(thinking_tokens=room), ledger=ledger)

    with nullcontext() if fits else pytest.raises(BudgetExceeded):
        await client.call("m", PROMPT, call_type="generate")


async def test_the_client_sums_calls_tokens_and_the_cost_of_each_task() -> None:
    client = door({"m": ScriptedProvider()})

    await client.call("m", PROMPT, call_type="decompose")
    await client.call("m", PROMPT, call_type="generate", task=TASK, iteration=1)
    await client.call("m", PROMPT, call_type="critique", task=TASK, iteration=1)

    assert client.calls == 3
    assert client.usage == USAGE + USAGE + USAGE
    assert client.cost_of_task == {"t1": 2 * COST}


# Retries


async def test_a_passing_failure_is_retried_after_growing_waits() -> None:
    clock = ManualClock()
    provider = ScriptedProvider(busy(), busy(), "hello")

    answer = await door({"m": provider}, clock=clock).call("m", PROMPT, call_type="generate")

    assert (answer.text, answer.attempts) == ("hello", 3)
    assert clock.slept == [0.5, 1.0]
    assert answer.latency_ms == 1500
    assert answer.cost_usd == COST  # a refused request costs nothing


async def test_retry_after_is_waited_for_to_the_letter() -> None:
    clock = ManualClock()

    await door({"m": ScriptedProvider(busy(retry_after_s=17))}, clock=clock).call(
        "m", PROMPT, call_type="generate"
    )

    assert clock.slept == [17]


async def test_retries_end_with_the_last_failure() -> None:
    provider = ScriptedProvider(then=lambda _: busy())
    client = door({"m": provider}, retries=Retries(attempts=3))

    with pytest.raises(ProviderError, match="Too many requests"):
        await client.call("m", PROMPT, call_type="generate")

    assert len(provider.requests) == 3


async def test_a_refusal_that_no_retry_can_mend_is_sent_once() -> None:
    provider = ScriptedProvider(refused())

    with pytest.raises(ProviderError, match="Malformed"):
        await door({"m": provider}).call("m", PROMPT, call_type="generate")

    assert len(provider.requests) == 1


async def test_a_wait_that_the_run_has_no_time_for_is_not_begun() -> None:
    clock = ManualClock()
    client = door({"m": ScriptedProvider(busy(retry_after_s=30))}, clock=clock, max_time_s=10)

    with pytest.raises(ProviderError, match="Too many requests"):
        await client.call("m", PROMPT, call_type="generate")

    assert clock.slept == []


async def test_retries_are_events_of_the_one_span(exported: InMemorySpanExporter) -> None:
    client = door({"m": ScriptedProvider(busy(), dropped(), "hello")})

    await client.call("m", PROMPT, call_type="generate")

    span = only(exported)
    assert said(span)["orchestrator.llm.attempts"] == 3
    assert span.status.status_code is StatusCode.UNSET
    assert [(event.name, dict(event.attributes or {})) for event in span.events] == [
        (
            "orchestrator.retry",
            {
                "attempt": 1,
                "error.type": "rate_limit_exceeded",
                "http.response.status_code": 429,
                "backoff_ms": 500.0,
            },
        ),
        (
            "orchestrator.retry",
            {"attempt": 2, "error.type": "connection_error", "backoff_ms": 1000.0},
        ),
    ]


# Money


async def test_a_lost_reply_is_paid_at_its_worst_case_and_marked_estimated() -> None:
    ledger = Ledger(USD(1))

    answer = await door({"m": ScriptedProvider(dropped(), "hello")}, ledger=ledger).call(
        "m", PROMPT, call_type="generate"
    )

    assert answer.cost_usd == ledger.spent == WORST + COST
    assert answer.usage == USAGE
    assert ledger.estimated == WORST
    assert ledger.held == 0


async def test_a_reply_that_reports_no_usage_is_paid_at_its_worst_case() -> None:
    ledger = Ledger(USD(1))

    await door({"m": ScriptedProvider(reply(usage=Usage()))}, ledger=ledger).call(
        "m", PROMPT, call_type="generate"
    )

    assert ledger.spent == ledger.estimated == WORST


async def test_a_call_that_does_not_fit_is_never_sent(exported: InMemorySpanExporter) -> None:
    provider = ScriptedProvider()
    client = door({"m": provider}, ledger=Ledger(WORST - USD("0.000001")))

    with pytest.raises(BudgetExceeded, match=r"could cost \$0\.000581"):
        await client.call("m", PROMPT, call_type="generate")

    assert provider.requests == []
    span = only(exported)
    assert span.status.status_code is StatusCode.ERROR
    assert said(span)["error.type"] == "budget_exceeded"
    assert said(span)["orchestrator.llm.attempts"] == 0
    assert said(span)["latency_ms"] == 0


async def test_a_cancelled_request_may_have_been_billed_and_leaks_no_reservation(
    exported: InMemorySpanExporter,
) -> None:
    ledger, recorder = Ledger(USD(1)), Recorder()
    sent = asyncio.Event()

    async def swallow(request: Request) -> Step:
        sent.set()
        return await hang(request)

    client = door({"m": ScriptedProvider(swallow)}, ledger=ledger, hook=recorder)
    running = asyncio.create_task(client.call("m", PROMPT, call_type="generate"))
    await sent.wait()

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert (ledger.held, ledger.spent, ledger.estimated) == (USD(0), WORST, WORST)
    assert said(only(exported))["error.type"] == "cancelled"
    assert said(only(exported))["cost_usd"] == float(WORST)
    assert said(only(exported))["orchestrator.cost.estimated"] is True
    assert [event.error_type for event in recorder.of(CallCompleted)] == ["cancelled"]


@pytest.mark.parametrize(
    ("reachable", "cost", "says"), [(True, WORST, "gave no answer"), (False, 0, "not be reached")]
)
def test_a_request_that_never_left_costs_nothing_and_one_that_did_its_worst_case(
    exported: InMemorySpanExporter, *, reachable: bool, cost: Decimal, says: str
) -> None:
    ledger = Ledger(USD(1))
    client = door(
        {"m": Remote(hang, reachable=reachable)},
        ledger=ledger,
        clock=LoopClock(),
        attempt_timeout_s=30,
        retries=Retries(attempts=1),
    )

    with pytest.raises(ProviderError, match=says) as failure:
        in_virtual_time(client.call("m", PROMPT, call_type="generate"))

    assert failure.value.billed is reachable
    assert ledger.spent == ledger.estimated == cost
    assert said(only(exported)).get("orchestrator.cost.estimated", False) is reachable


@pytest.mark.parametrize(("reachable", "cost"), [(True, WORST), (False, 0)])
async def test_a_cancel_before_a_request_has_left_costs_nothing(
    *, reachable: bool, cost: Decimal
) -> None:
    ledger, asked = Ledger(USD(1)), asyncio.Event()

    async def swallow(request: Request) -> Step:
        asked.set()
        return await hang(request)

    client = door({"m": Remote(swallow, reachable=reachable)}, ledger=ledger)
    running = asyncio.create_task(client.call("m", PROMPT, call_type="generate"))
    await asked.wait()

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert (ledger.spent, ledger.held) == (cost, USD(0))


async def test_a_lost_reply_of_a_free_model_is_no_estimate(exported: InMemorySpanExporter) -> None:
    free = model(price={"input": 0, "output": 0})

    await door({"m": ScriptedProvider(dropped(), "hello")}, free).call(
        "m", PROMPT, call_type="generate"
    )

    assert "orchestrator.cost.estimated" not in said(only(exported))


async def test_a_call_that_its_budget_refused_is_not_counted() -> None:
    client = door({"m": ScriptedProvider()}, ledger=Ledger(0))

    with pytest.raises(BudgetExceeded):
        await client.call("m", PROMPT, call_type="generate")

    assert client.calls == 0


async def test_spending_past_a_share_of_the_budget_is_told_after_the_settlement() -> None:
    recorder = Recorder()
    client = door({"m": ScriptedProvider()}, ledger=Ledger(USD("0.0007")), hook=recorder)
    costly = Prompt(system="", text="x", max_tokens=300)

    for _ in range(3):
        await client.call("m", costly, call_type="generate")

    told = [(event.threshold, event.spent_usd) for event in recorder.of(BudgetThresholdPassed)]
    assert told == [(0.5, 3 * COST)]


# Time


def test_a_request_that_takes_too_long_is_cut_retried_and_paid() -> None:
    async def main() -> tuple[float, Decimal, Decimal]:
        ledger = Ledger(USD(1))
        client = door(
            {"m": ScriptedProvider(hang, "hello")},
            ledger=ledger,
            clock=LoopClock(),
            attempt_timeout_s=30,
        )
        answer = await client.call("m", PROMPT, call_type="generate")
        return answer.latency_ms, answer.cost_usd, ledger.estimated

    latency_ms, cost, estimated = in_virtual_time(main())

    assert latency_ms == pytest.approx(30_500)
    assert cost == WORST + COST
    assert estimated == WORST


def test_the_runs_remaining_time_bounds_a_request_and_then_ends_the_run() -> None:
    provider = ScriptedProvider(then=hang)

    async def main() -> float:
        client = door({"m": provider}, clock=LoopClock(), max_time_s=45, attempt_timeout_s=30)
        with pytest.raises(TimeExceeded, match="time limit of 45 s"):
            await client.call("m", PROMPT, call_type="generate")
        return asyncio.get_running_loop().time()

    ended = in_virtual_time(main())

    assert ended == pytest.approx(45)
    assert [request.timeout_s for request in provider.requests] == pytest.approx([30, 14.5])


async def test_after_the_deadline_nothing_is_sent() -> None:
    clock, provider = ManualClock(), ScriptedProvider()
    client = door({"m": provider}, clock=clock, max_time_s=5)
    clock.advance(6)

    with pytest.raises(TimeExceeded):
        await client.call("m", PROMPT, call_type="generate")

    assert provider.requests == []


def test_waiting_for_a_reservation_is_queueing_not_latency(
    exported: InMemorySpanExporter,
) -> None:
    async def slow(_: Request) -> str:
        await asyncio.sleep(2)
        return "hello"

    async def main() -> None:
        client = door(
            {"m": ScriptedProvider(then=slow)}, ledger=Ledger(WORST + COST), clock=LoopClock()
        )
        await asyncio.gather(*(client.call("m", PROMPT, call_type="generate") for _ in range(2)))

    in_virtual_time(main())

    first, second = map(said, exported.get_finished_spans())
    assert (first["orchestrator.queue_ms"], first["latency_ms"]) == (0, pytest.approx(2000))
    assert second["orchestrator.queue_ms"] == pytest.approx(2000)
    assert second["latency_ms"] == pytest.approx(2000)


# Answers that are none


@pytest.mark.parametrize(
    ("useless", "says"),
    [
        (reply(""), "answered with nothing"),
        (reply(" \n\t"), "answered with nothing"),
        (reply("Once upon", finish_reason="length"), "cut off at its limit of 500 tokens"),
        (reply("Once", finish_reason="content_filter"), "cut off by a content filter"),
        (reply("Once", finish_reason="error"), "cut off by its vendor"),
    ],
)
async def test_an_answer_that_is_empty_or_cut_off_is_an_error_and_is_paid(
    exported: InMemorySpanExporter, useless: Reply, says: str
) -> None:
    ledger = Ledger(USD(1))
    provider = ScriptedProvider(useless)

    with pytest.raises(InvalidOutput, match=says):
        await door({"m": provider}, ledger=ledger).call("m", PROMPT, call_type="generate")

    span = only(exported)
    assert ledger.spent == COST
    assert len(provider.requests) == 1
    assert span.status.status_code is StatusCode.ERROR
    assert said(span)["error.type"] == "invalid_output"
    assert said(span)["tokens_out"] == USAGE.output_tokens
    assert said(span)["cost_usd"] == float(COST)
    assert said(span)["gen_ai.response.finish_reasons"] == (useless.finish_reason,)


# The span


async def test_the_span_says_everything_that_is_known_of_a_call(
    exported: InMemorySpanExporter,
) -> None:
    clock = ManualClock()
    usage = Usage(
        input_tokens=100,
        output_tokens=20,
        cache_read_tokens=40,
        cache_creation_tokens=5,
        reasoning_tokens=7,
    )

    def think(_: Request) -> Reply:
        clock.advance(0.125)
        return reply(usage=usage)

    client = door({"m": ScriptedProvider(think)}, model(name="theirs"), clock=clock)
    await client.call(
        "m",
        Prompt(system="", text="x", max_tokens=9, temperature=0.5, schema=Greeting),
        call_type="critique",
        task=TASK,
        iteration=2,
        fallback_from="other",
    )

    span = only(exported)
    assert (span.name, span.kind) == ("llm_call:critique", SpanKind.CLIENT)
    assert span.status.status_code is StatusCode.UNSET
    assert said(span) == {
        "model": "m",
        "tokens_in": 100,
        "tokens_out": 20,
        "cost_usd": 0.00012,
        "latency_ms": 125.0,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "acme",
        "gen_ai.request.model": "theirs",
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.output.type": "json",
        "gen_ai.agent.name": "writing",
        "gen_ai.response.model": "m-2026",
        "gen_ai.response.id": "r1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 40,
        "gen_ai.usage.cache_creation.input_tokens": 5,
        "gen_ai.usage.reasoning.output_tokens": 7,
        "gen_ai.usage.cost": 0.00012,
        "operation.cost": 0.00012,
        "orchestrator.call_type": "critique",
        "orchestrator.iteration": 2,
        "orchestrator.llm.attempts": 1,
        "orchestrator.queue_ms": 0.0,
        "orchestrator.cache.hit": False,
        "orchestrator.fallback.from": "other",
    }


async def test_the_span_leaves_out_what_nobody_said(exported: InMemorySpanExporter) -> None:
    await door({"m": ScriptedProvider(reply(response_id=None))}).call(
        "m", PROMPT, call_type="decompose"
    )

    absent = {
        "gen_ai.response.id",
        "gen_ai.agent.name",
        "orchestrator.iteration",
        "orchestrator.fallback.from",
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.reasoning.output_tokens",
        "orchestrator.cost.estimated",
        "server.address",
        "error.type",
    }
    assert said(only(exported)).keys().isdisjoint(absent)
    assert said(only(exported))["gen_ai.output.type"] == "text"


async def test_a_refused_call_was_not_billed_and_reports_no_usage(
    exported: InMemorySpanExporter,
) -> None:
    with pytest.raises(ProviderError):
        await door({"m": ScriptedProvider(refused())}).call("m", PROMPT, call_type="generate")

    attributes = said(only(exported))
    assert attributes["error.type"] == "bad_request"
    assert (attributes["tokens_in"], attributes["tokens_out"]) == (0, 0)
    assert attributes["cost_usd"] == 0
    assert attributes.keys().isdisjoint(
        {"gen_ai.usage.cost", "operation.cost", "gen_ai.usage.input_tokens"}
    )


async def test_a_remote_provider_is_named_by_host_and_port_and_an_unsent_temperature_is_not(
    exported: InMemorySpanExporter,
) -> None:
    await door({"m": Remote()}).call("m", PROMPT, call_type="generate")

    attributes = said(only(exported))
    assert (attributes["server.address"], attributes["server.port"]) == ("api.example.com", 8443)
    assert "gen_ai.request.temperature" not in attributes


# Events


async def test_every_call_is_told_at_its_start_and_at_its_end() -> None:
    recorder = Recorder()

    await door({"m": ScriptedProvider()}, hook=recorder).call(
        "m", PROMPT, call_type="generate", task=TASK, iteration=3
    )

    assert recorder.events == [
        CallStarted(project_id="p1", call_type="generate", model="m", task_id="t1", iteration=3),
        CallCompleted(
            project_id="p1",
            call_type="generate",
            model="m",
            provider="acme",
            task_id="t1",
            usage=USAGE,
            cost_usd=COST,
            latency_ms=0.0,
            attempts=1,
        ),
    ]


@pytest.mark.parametrize(
    ("step", "code"),
    [(refused(), "bad_request"), (reply(""), "invalid_output"), (KeyError("x"), "KeyError")],
)
async def test_a_failed_call_is_told_with_its_code(step: Reply | Exception, code: str) -> None:
    recorder = Recorder()

    with pytest.raises(Exception, match=r".+"):
        await door({"m": ScriptedProvider(step)}, hook=recorder).call(
            "m", PROMPT, call_type="generate"
        )

    assert [event.error_type for event in recorder.of(CallCompleted)] == [code]


# Everything at once

_OUTCOMES = st.sampled_from(["answered", "busy", "dropped", "refused", "hangs"])


@settings(max_examples=40, deadline=None)
@given(
    script=st.lists(st.tuples(_OUTCOMES, st.integers(0, 3), st.floats(0, 1)), max_size=120),
    cancels=st.lists(st.none() | st.integers(0, 30), min_size=50, max_size=50),
    limit=st.integers(0, 30),
)
def test_fifty_calls_at_once_never_cost_more_than_the_budget(
    script: list[tuple[str, int, float]], cancels: list[int | None], limit: int
) -> None:
    budget = WORST * limit
    ledger, recorder = Ledger(budget), Recorder()
    billed = USD(0)

    def played(outcome: str, lasts: int, share: float) -> Callable[[Request], object]:
        async def play(request: Request) -> Reply | Exception:
            nonlocal billed
            usage = Usage(input_tokens=1 + int(80 * share), output_tokens=int(500 * share))
            if outcome in {"answered", "dropped", "hangs"}:
                billed += USD(usage.input_tokens + usage.output_tokens) / 1_000_000
            assert billed <= budget
            await asyncio.sleep(1e9 if outcome == "hangs" else lasts)
            failures = {"busy": busy(), "dropped": dropped(), "refused": refused()}
            return failures.get(outcome) or reply(usage=usage)

        return play

    async def main() -> None:
        provider = ScriptedProvider(*(played(*step) for step in script))  # type: ignore[arg-type]
        client = door(
            {"m": provider}, ledger=ledger, hook=recorder, clock=LoopClock(), attempt_timeout_s=9
        )
        calls = [
            asyncio.create_task(client.call("m", PROMPT, call_type="generate", task=TASK))
            for _ in cancels
        ]
        loop = asyncio.get_running_loop()
        for call, at in zip(calls, cancels, strict=True):
            if at is not None:
                loop.call_later(at, call.cancel)
        await asyncio.gather(*calls, return_exceptions=True)
        assert client.cost_of_task.get("t1", USD(0)) == ledger.spent

    in_virtual_time(main())

    assert billed <= ledger.spent <= budget
    assert ledger.held == 0
    told = [event.cost_usd for event in recorder.of(CallCompleted)]
    assert sum(told, USD(0)) == ledger.spent
    assert sum((USD(repr(float(cost))) for cost in told), USD(0)) == ledger.spent


def test_importing_the_door_imports_no_sdk_and_no_opentelemetry() -> None:
    check = (
        "import sys, orchestrator.api_clients, orchestrator.providers\n"
        "heavy = {'openai', 'opentelemetry', 'genai_prices', 'httpx2', 'tenacity'}\n"
        "print(*heavy & sys.modules.keys(), end='')"
    )

    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)

    assert done.stdout == ""
