"""How a failure is told: once, where it happened, in our own words, up to the root."""

import asyncio

import pytest
from opentelemetry.trace import StatusCode

from orchestrator import spans as names
from orchestrator.errors import InvalidOutput, ProviderError
from orchestrator.tracing import traced_llm_call, traced_remediation, traced_run, traced_task

KEY = "sk-proj-abcdef1234567890"


def test_success_leaves_the_status_unset(finished):
    with traced_task("t1", "writing"):
        pass

    assert finished()["task:t1"].status.status_code is StatusCode.UNSET


def test_an_exception_is_recorded_once_on_the_innermost_span(finished):
    error = ProviderError("openai is busy.", code="rate_limit_exceeded", retryable=True)

    def call():
        with traced_llm_call("m", "generate"):
            raise error

    with pytest.raises(ProviderError), traced_run("p1"), traced_task("t1", "writing"):
        call()

    told = {
        name: (span.status.status_code, span.attributes[names.ERROR_TYPE], len(span.events))
        for name, span in finished().items()
    }
    assert told == {
        "llm_call:generate": (StatusCode.ERROR, "rate_limit_exceeded", 1),
        "task:t1": (StatusCode.ERROR, "rate_limit_exceeded", 0),
        "run_project": (StatusCode.ERROR, "rate_limit_exceeded", 0),
    }


def test_an_exception_that_is_raised_anew_is_recorded_anew(finished):
    error = ProviderError("openai is busy.", code="rate_limit_exceeded", retryable=True)

    for call_type in ("generate", "critique"):
        with pytest.raises(ProviderError), traced_llm_call("m", call_type):
            raise error

    assert [len(span.events) for span in finished().values()] == [1, 1]


def test_an_exception_that_an_inner_block_dealt_with_leaves_the_outer_one_alone(finished):
    def call():
        with traced_llm_call("m", "generate"):
            raise InvalidOutput("The answer is empty.")

    with traced_task("t1", "writing"), pytest.raises(InvalidOutput):
        call()

    assert finished()["task:t1"].status.status_code is StatusCode.UNSET
    assert finished()["llm_call:generate"].status.description == "The answer is empty."


def test_the_message_of_an_exception_that_is_not_ours_is_never_recorded(finished):
    def echo():
        raise ValueError("the user's own prompt") from KeyError("their key")

    with pytest.raises(ValueError), traced_llm_call("m", "generate"):
        echo()

    span = finished()["llm_call:generate"]
    assert span.attributes[names.ERROR_TYPE] == "ValueError"
    assert "in echo" in span.events[0].attributes[names.EXCEPTION_STACKTRACE]
    assert "prompt" not in span.status.description
    assert names.EXCEPTION_MESSAGE not in span.events[0].attributes
    assert "KeyError" not in span.events[0].attributes[names.EXCEPTION_STACKTRACE]


def test_keys_in_our_own_sentences_are_redacted(finished):
    with traced_remediation("auto_retry", f"Bearer {KEY}{'!' * 200}"):
        pass
    with pytest.raises(InvalidOutput), traced_task("t1", "writing"):
        raise InvalidOutput(f"It answered {KEY}.")

    assert KEY not in "".join(span.to_json() for span in finished().values())
    assert finished()["task:t1"].status.description == "It answered [redacted]."
    assert len(finished()["remediation"].attributes[names.TRIGGER_REASON]) == 128


def test_cancellation_is_recorded_and_goes_on(finished):
    def call():
        with traced_llm_call("m", "generate"):
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError), traced_run("p1"):
        call()

    assert len(finished()) == 2
    for ended in finished().values():
        assert ended.status.status_code is StatusCode.ERROR
        assert ended.attributes[names.ERROR_TYPE] == "cancelled"


def test_a_span_that_has_said_that_it_was_cancelled_records_no_other_exception(finished):
    def run():
        with traced_run("p1") as span:
            span.fail("cancelled", "The run was cancelled.")
            raise asyncio.CancelledError  # each task that is cancelled gets one of its own

    with pytest.raises(asyncio.CancelledError):
        run()

    assert [event.name for event in finished()["run_project"].events] == []


def test_a_failure_without_an_exception_is_told(finished):
    with traced_task("t1", "writing") as span:
        span.fail("budget_exceeded", f"The budget of {KEY} is spent.")
        span.fail("timeout", "A second word changes nothing.")

    span = finished()["task:t1"]
    assert span.attributes[names.ERROR_TYPE] == "budget_exceeded"
    assert span.status.description == "The budget of [redacted] is spent."
    assert span.events == ()


def test_a_group_of_exceptions_that_were_recorded_is_not_recorded_again(finished):
    async def call():
        with traced_llm_call("m", "generate"):
            raise InvalidOutput("It is empty.")

    async def run():
        with traced_run("p1"):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(call())

    with pytest.raises(ExceptionGroup):
        asyncio.run(run())

    root = finished()["run_project"]
    assert root.attributes[names.ERROR_TYPE] == "invalid_output"
    assert root.events == ()


def test_a_group_is_recorded_where_any_of_it_is_new(finished):
    def old():
        with traced_llm_call("m", "generate"):
            raise seen

    seen = InvalidOutput("It is empty.")
    with pytest.raises(InvalidOutput):
        old()
    with pytest.raises(ExceptionGroup), traced_run("p1"):
        raise ExceptionGroup("both", [seen, InvalidOutput("It is cut off.")])

    assert [event.name for event in finished()["run_project"].events] == ["exception"]


def test_a_deep_stack_is_told_from_its_innermost_frames(finished):
    def dive(depth):
        if depth:
            dive(depth - 1)
        raise InvalidOutput("It is too deep.")

    with pytest.raises(InvalidOutput), traced_task("t1", "writing"):
        dive(80)

    (event,) = finished()["task:t1"].events
    *frames, last = event.attributes[names.EXCEPTION_STACKTRACE].splitlines()
    assert len(frames) == 50
    assert all("in dive" in frame for frame in frames)
    assert last == "orchestrator.errors.InvalidOutput: It is too deep."
