"""Tracing that is off costs nothing, imports nothing and changes nothing."""

import subprocess
import sys
from contextlib import ExitStack
from statistics import mode
from textwrap import dedent

import pytest

from orchestrator.errors import TracingUnavailable
from orchestrator.tracing import (
    TracingConfig,
    configure_tracing,
    get_tracer,
    shutdown_tracing,
    traced_decompose,
    traced_llm_call,
    traced_policy_check,
    traced_remediation,
    traced_run,
    traced_task,
    traced_validation,
)

pytestmark = pytest.mark.usefixtures("tracing_off")


def blocks():
    return [
        traced_run("p"),
        traced_decompose(),
        traced_task("t1", "writing", ("t0",)),
        traced_llm_call("m", "generate", provider="openai", iteration=1),
        traced_policy_check(2, "enforce"),
        traced_validation("length"),
        traced_remediation("auto_retry", "timeout", 2),
    ]


def in_fresh_python(code):
    return subprocess.run(
        [sys.executable, "-c", dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_traced_block_is_the_same_object():
    assert len({id(block) for block in blocks()}) == 1


def test_a_block_takes_everything_a_span_takes():
    with traced_llm_call("m", "generate") as span:
        span.set_attribute("k", 1)
        span.set_attributes({"k": 1})
        span.add_event("e", {"k": 1})
        span.fail("timeout", "It took too long.")

        assert not span.is_recording()
        assert not span.get_span_context().is_valid


def test_a_block_allocates_nothing():
    def growth():
        before = sys.getallocatedblocks()
        return sys.getallocatedblocks() - before

    def growth_around_a_block():
        before = sys.getallocatedblocks()
        with traced_llm_call("m", "generate") as span:
            span.set_attribute("k", 1)
            return sys.getallocatedblocks() - before

    # The mode: threads of other tests may allocate and free beside a few of the measurements.
    assert mode(growth_around_a_block() for _ in range(99)) == mode(growth() for _ in range(99))


def test_an_exception_leaves_a_block_as_it_came():
    error = ValueError("mine")

    with pytest.raises(ValueError, match="mine") as caught, traced_task("t1", "writing"):
        raise error

    assert caught.value is error


def test_an_exit_stack_enters_a_block():
    with ExitStack() as stack:
        span = stack.enter_context(traced_task("t1", "writing"))
        assert not span.is_recording()


def test_shutting_down_what_is_off_loses_nothing():
    assert shutdown_tracing()


def test_the_tracer_of_no_configuration_records_nothing():
    with get_tracer().start_as_current_span("mine") as span:
        assert not span.is_recording()


def test_tracing_off_imports_no_opentelemetry():
    done = in_fresh_python("""
        import sys
        from orchestrator.tracing import *
        configure_tracing(TracingConfig(enabled=False))
        with traced_run("p"), traced_llm_call("m", "generate") as span:
            span.set_attribute("k", 1)
        print([name for name in sys.modules if name.startswith(("opentelemetry", "grpc"))])
    """)

    assert done.stdout.strip() == "[]", done.stderr


def test_without_opentelemetry_only_switching_on_fails():
    done = in_fresh_python("""
        import sys
        sys.modules["opentelemetry"] = None
        from orchestrator.errors import TracingUnavailable
        from orchestrator.tracing import *
        configure_tracing(TracingConfig())
        with traced_run("p"):
            pass
        for forbidden in (lambda: configure_tracing(TracingConfig(enabled=True)), get_tracer):
            try:
                forbidden()
            except TracingUnavailable as error:
                print(error)
    """)

    assert done.stdout.splitlines() == [str(TracingUnavailable())] * 2, done.stderr


def test_the_sdk_disabled_by_its_own_variable_stays_off(monkeypatch):
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")

    configure_tracing(TracingConfig(enabled=True))

    with traced_run("p") as span:
        assert not span.is_recording()
