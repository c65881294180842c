"""The console as a receiver of spans: where the tree goes, when, and in which characters."""

import pytest

from tests.processes import fresh, started

TRACED = """
configure_tracing(TracingConfig(enabled=True))
with traced_run("p1"), traced_task("t1", "writing"), traced_llm_call("m", "generate"):
    pass
print("the result")
"""


def test_without_an_endpoint_the_tree_is_on_stderr_when_the_run_ends():
    done = fresh(TRACED)

    assert done.stdout == "the result\n"
    assert "└ task:t1" in done.stderr
    assert "\x1b" not in done.stderr


def test_colour_is_there_where_it_is_wanted():
    assert "\x1b[" in fresh(TRACED, FORCE_COLOR="1").stderr


def test_an_encoding_without_blocks_gets_plain_characters():
    told = started(TRACED, PYTHONIOENCODING="ascii").stderr

    assert "` task:t1" in told
    assert "####" in told
    assert "\\u" not in told


def test_spans_that_wait_for_a_root_are_drawn_at_the_end():
    done = fresh("""
configure_tracing(TracingConfig(enabled=True))
span = get_tracer().start_span("a root that never ends")
from opentelemetry.trace import use_span
with use_span(span), traced_task("t1", "writing"):
    pass
""")

    assert "task:t1" in done.stderr


def test_the_tree_of_a_run_that_is_part_of_a_callers_trace_comes_when_the_run_ends():
    done = fresh(
        f"{TRACED}import sys; print('later', file=sys.stderr)",
        TRACEPARENT=f"00-{'ab' * 16}-{'cd' * 8}-01",
    )

    assert done.stderr.index("└ task:t1") < done.stderr.index("later")


def test_json_is_one_span_a_line():
    done = fresh(TRACED.replace("enabled=True", "enabled=True, trace_format='json'"))

    lines = done.stderr.splitlines()
    assert [line.split('"')[3] for line in lines] == [
        "llm_call:generate",
        "task:t1",
        "run_project",
    ]


def test_the_trees_come_last_where_that_is_asked_for():
    done = fresh(
        TRACED.replace("enabled=True", "enabled=True, console_last=True").replace(
            'print("the result")',
            "import sys; print('the result', file=sys.stderr); print(shutdown_tracing())",
        )
    )

    told = done.stderr
    assert done.stdout == "True\n"
    assert told.startswith("the result\n")
    assert "└ task:t1" in told


def test_trees_that_come_last_come_at_the_end_of_the_process_all_the_same():
    done = fresh(
        """
configure_tracing(TracingConfig(enabled=True, console_last=True))
for name in ("p1", "p2"):
    with traced_run(name):
        pass
print("the result", flush=True)
"""
    )

    told = done.stderr
    assert told.index("run p1") < told.index("run p2")


@pytest.mark.parametrize("trace_format", ["tree", "json"])
def test_what_stands_before_the_standard_error_is_written_to(trace_format):
    done = fresh(
        f"""
import contextlib, io
configure_tracing(TracingConfig(enabled=True, trace_format="{trace_format}"))
display = io.StringIO()
with contextlib.redirect_stderr(display), traced_run("p1"):
    pass
print("run_project" in display.getvalue())
"""
    )

    assert (done.stdout, done.stderr) == ("True\n", "")
