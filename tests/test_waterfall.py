"""The console's answer: which call to blame, in ten seconds, on any terminal."""

from itertools import pairwise

import pytest

from orchestrator.waterfall import SpanRecord, draw, traces_of
from orchestrator.waterfall.words import duration, tokens
from tests.processes import fresh, started

MS = 1_000_000


class Story:
    """Builds the spans of a run, in milliseconds."""

    def __init__(self):
        self.spans: list[SpanRecord] = []

    def span(self, name, start, end, parent=None, *, failed=False, events=(), **said):
        record = SpanRecord(
            id=len(self.spans) + 1,
            parent_id=parent,
            name=name,
            start_ns=start * MS,
            end_ns=end * MS,
            attributes={key.replace("__", "."): value for key, value in said.items()},
            failed=failed,
            events=events,
        )
        self.spans.append(record)
        return record.id

    def call(self, stage, start, end, parent, *, model="gpt", cost=0.001, **said):
        said = {"model": model, "tokens_in": 100, "tokens_out": 20, "cost_usd": cost} | said
        return self.span(f"llm_call:{stage}", start, end, parent, **said)

    @property
    def trace(self):
        (trace,) = traces_of(self.spans)
        return trace

    def text(self, width=100, rows=64):
        return [
            "".join(part.text for part in line).rstrip() for line in draw(self.trace, width, rows)
        ]

    def tree(self, width=100):
        """The lines between the headline and the rankings."""
        lines = [*self.text(width), ""]
        start = lines.index("") + 1
        return lines[start : lines.index("", start)]

    def line(self, start, width=100):
        (found,) = [line for line in self.tree(width) if line.lstrip("│├└ ").startswith(start)]
        return found


@pytest.fixture
def story():
    """Planning, then a short task beside a long one that fails over to another model."""
    told = Story()
    root = told.span("run_project", 0, 10_000, status="SUCCESS", project_id="demo")
    plan = told.span("decompose", 0, 1000, root)
    told.call("decompose", 0, 1000, plan, cost=0.02)
    short = told.span("task:t1", 1000, 3000, root, task_type="writing")
    told.call("generate", 1000, 3000, short)
    long = told.span("task:t2", 1000, 10_000, root, task_type="reasoning")
    told.call("generate", 1000, 8000, long, events=("orchestrator.retry",) * 2)
    told.call("critique", 8000, 8500, long, failed=True, error__type="timeout")
    saved = told.span("remediation", 8500, 9800, long, strategy="fallback_model", success=True)
    told.call("critique", 8500, 9800, saved, model="claude", orchestrator__fallback__from="gpt")
    return told


def test_the_critical_path_is_what_the_run_waited_for(story):
    path = [
        (segment.span.name, segment.start_ns // MS, segment.end_ns // MS)
        for segment in story.trace.critical_path
    ]

    assert path == [
        ("llm_call:decompose", 0, 1000),
        ("llm_call:generate", 1000, 8000),
        ("llm_call:critique", 8000, 8500),
        ("llm_call:critique", 8500, 9800),
        ("task:t2", 9800, 10_000),
    ]


def test_the_critical_path_covers_the_whole_run_whatever_overlaps():
    told = Story()
    root = told.span("run_project", 0, 100)
    for start, end in [(0, 40), (10, 60), (55, 90), (20, 120), (95, 95)]:
        task = told.span("task:t", start, end, root)
        told.call("generate", start - 30, end + 5, task)
        told.call("critique", start - 30, start - 10, task)

    path = told.trace.critical_path
    assert path[0].start_ns == 0
    assert path[-1].end_ns == 100 * MS
    for earlier, later in pairwise(path):
        assert earlier.end_ns == later.start_ns


def test_the_answers_come_before_the_tree(story):
    assert story.text(120)[:6] == [
        "run demo  SUCCESS  10.0 s  $0.0240",
        "Time     70 % of the run (7.0 s) went to generate by gpt in task:t2  ↻ 2",
        "Money    83 % of the cost ($0.0200) went to decompose by gpt",
        (
            "Trouble  ✗ 1 call failed, ↻ 1 call retried, ⇄ 1 call by another model, "
            "✓ 1 remediation worked"
        ),
        "5 calls, 500 tokens in, 100 out",
        "",
    ]


def test_the_calls_that_the_answers_are_about_are_pointed_at(story):
    pointed = [line for line in story.tree() if "◀" in line]

    assert [line.lstrip("│├└ ")[:31].rstrip("█ ") for line in pointed] == [
        "llm_call:decompose gpt  ◀ money",
        "llm_call:generate gpt ◀ ↻",
    ]


def test_where_no_one_call_is_to_blame_a_model_is():
    told = Story()
    root = told.span("run_project", 0, 400)
    for number in range(40):
        task = told.span(f"task:t{number}", 10 * number, 10 * number + 10, root)
        model = "gpt" if number % 4 else "claude"
        told.call("generate", 10 * number, 10 * number + 10, task, model=model)

    assert told.text()[1:3] == [
        "Time     75 % of the run (300 ms) went to gpt, in 30 calls",
        "Money    75 % of the cost ($0.0300) went to gpt, in 30 calls",
    ]


def test_the_answers_are_shorter_where_the_terminal_is_narrow(priced):
    assert priced.text(60)[1:3] == [
        "Time     25 % (200 ms): generate #1 by gpt-6.1-terra in t1",
        "Money    40 % ($0.0400): critique #2 by claude-opus-4.5 in …",
    ]


def test_an_answer_keeps_the_signs_of_trouble_where_its_words_have_no_room():
    told = Story()
    root = told.span("run_project", 0, 100)
    task = told.span("task:t1", 0, 100, root)
    said = {"failed": True, "error__type": "rate_limit_exceeded"}
    told.call("generate", 0, 100, task, model="claude-opus-4.5", cost=0.0, **said)

    assert told.text(90)[1] == (
        "Time     100 % (100 ms): generate by claude-opus-4.5 in t1  ✗ rate_limit_exceeded"
    )
    assert told.text(60)[1] == "Time     100 % (100 ms): generate by claude-opus-4.5 in t1 ✗"


def test_the_only_leaf_that_would_be_folded_away_is_shown():
    told = Story()
    root = told.span("run_project", 0, 2000)
    for number in range(20):
        task = told.span(f"task:t{number}", 100 * number, 100 * number + 100, root)
        told.call("generate", 100 * number, 100 * number + 90, task, failed=True)
        told.call("critique", 100 * number + 90, 100 * number + 100, task)

    tree = told.text(rows=10)
    assert any(line.startswith("│ └ llm_call:critique") for line in tree)
    assert not any("… 1 more span" in line for line in tree)


def test_time_that_no_call_took_is_the_tasks_own():
    told = Story()
    root = told.span("run_project", 0, 1000)
    task = told.span("task:t1", 0, 1000, root, task_type="writing")
    told.call("generate", 0, 100, task)

    assert told.text()[1] == (
        "Time     90 % of the run (900 ms) went to task:t1 itself, outside its calls"
    )


def test_a_check_is_drawn_where_it_found_something_or_took_its_time_and_counted_else():
    told = Story()
    root = told.span("run_project", 0, 10_000)
    task = told.span("task:t1", 0, 10_000, root)
    told.span("policy_check", 0, 1, task)
    told.span("policy_check", 1, 2, task, violations_count=1, passed=False)
    told.span("validation", 2, 3, task, orchestrator__validation__outcome="passed")
    told.span("validation", 3, 9000, task, orchestrator__validation__outcome="passed")

    tree = told.tree()
    assert [line.lstrip("│├└ ")[:23].rstrip() for line in tree[3:-1]] == [
        "task:t1",
        "policy_check  ✗ blocked",
        "validation  ◀ time",
    ]
    assert tree[-1] == "not drawn: 1 policy_check, 1 validation (no finding, 2.0 ms)"


def test_an_answer_from_the_cache_is_counted_beside_the_calls():
    told = Story()
    root = told.span("run_project", 0, 100)
    told.call("generate", 0, 90, root)
    said = {"orchestrator__llm__attempts": 0, "orchestrator__cache__hit": True}
    told.call("critique", 90, 100, root, cost=0.0, tokens_in=0, tokens_out=0, **said)

    assert told.text()[3] == "1 call, 100 tokens in, 20 out; 1 answer from the cache"


@pytest.mark.parametrize(
    ("cumulative", "said"), [(0.0431, "  resumed, $0.0431 in all"), (0.0, "  resumed")]
)
def test_a_resumed_run_says_what_the_project_has_cost_in_all(cumulative, said):
    told = Story()
    facts = {
        "orchestrator__resumed": True,
        "orchestrator__cost__cumulative_usd": cumulative,
        "project_id": "demo",
        "status": "SUCCESS",
    }
    told.span("run_project", 0, 100, **facts)

    assert told.text()[0] == f"run demo  SUCCESS  100 ms{said}"


def test_a_ranking_says_which_calls_the_run_waited_for(story):
    lines = story.text()
    slowest = lines[lines.index("Slowest calls") + 1 :][:5]

    assert [(line[0], line.split("/")[-1].split()[0]) for line in slowest] == [
        ("█", "llm_call:generate"),
        ("░", "llm_call:generate"),
        ("█", "llm_call:critique"),
        ("█", "llm_call:decompose"),
        ("█", "llm_call:critique"),
    ]


def test_a_bar_stands_where_the_span_ran_solid_on_the_critical_path(story):
    head = story.tree()[0]
    width = head.index("10.0 s") + len("10.0 s") - head.index(" 0 ") - 1
    axis = head.index(" 0 ") + 1

    def bar(name):
        return story.line(name)[axis : axis + width]

    assert set(bar("run_project")) == {"█"}
    assert bar("decompose").strip() == "█" * -(-width // 10)
    assert set(bar("task:t1").strip()) == {"░"}
    assert set(bar("task:t2").strip()) == {"█"}
    assert bar("task:t2").endswith("█")


def test_what_took_no_time_has_a_cell_all_the_same():
    told = Story()
    root = told.span("run_project", 0, 1000)
    told.span("policy_check", 500, 500, root, violations_count=1, passed=False)

    assert told.line("policy_check").count("░") == 1


def test_every_row_has_time_share_tokens_and_the_cost_of_all_below_it(story):
    assert story.line("run_project").split()[-6:] == [
        "10.0",
        "s",
        "100",
        "%",
        "500→100",
        "$0.0240",
    ]
    assert story.line("task:t2").split()[-6:] == ["9.0", "s", "90", "%", "300→60", "$0.0030"]


def test_what_went_wrong_is_marked(story):
    text = "\n".join(story.text(140))

    assert "llm_call:critique gpt  ✗ timeout" in text
    assert "llm_call:generate gpt  ↻ 2" in text
    assert "remediation fallback_model  ✓ recovered" in text
    assert "llm_call:critique claude  ⇄ for gpt" in text


@pytest.mark.parametrize(
    ("said", "mark"),
    [
        ({"orchestrator__cache__hit": True}, "cached"),
        ({"orchestrator__task__skipped_because": "t1"}, "skipped"),
        ({"strategy": "auto_retry", "success": False}, "✗ no recovery"),
        ({"violations_count": 2, "passed": False}, "✗ blocked"),
        ({"violations_count": 2, "passed": True}, "2 violated"),
        ({"orchestrator__validation__outcome": "unverified"}, "✗ unverified"),
    ],
)
def test_each_kind_of_trouble_has_its_mark(said, mark):
    told = Story()
    root = told.span("run_project", 0, 100)
    told.span("task:t1", 0, 100, root, **said)

    assert mark in told.line("task:t1")


def test_the_slowest_and_the_dearest_calls_are_five_at_most_worst_first():
    told = Story()
    root = told.span("run_project", 0, 1000)
    for number in range(1, 8):
        task = told.span(f"task:t{number}", 0, 100 * number, root)
        told.call("generate", 0, 100 * number, task, cost=1 / number)

    lines = told.text()
    slowest = lines[lines.index("Slowest calls") + 1 :][:5]
    dearest = lines[lines.index("Dearest calls") + 1 :]
    assert [line.split("task:")[1][:2] for line in slowest] == ["t7", "t6", "t5", "t4", "t3"]
    assert [line.split("task:")[1][:2] for line in dearest] == ["t1", "t2", "t3", "t4", "t5"]


@pytest.fixture
def priced():
    """Two iterations of a task by models with names of the usual length."""
    told = Story()
    root = told.span("run_project", 0, 800, project_id="demo", status="SUCCESS")
    task = told.span("task:t1", 0, 800, root, task_type="code_generation")
    for number, (stage, model) in enumerate(
        [("generate", "gpt-6.1-terra"), ("critique", "claude-opus-4.5")] * 2
    ):
        told.call(
            stage,
            number * 200,
            number * 200 + 200,
            task,
            model=model,
            cost=0.01 * (number + 1),
            orchestrator__iteration=number // 2 + 1,
        )
    return told


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (60, "time cost"),
        (76, "0 800 ms time cost"),
        (84, "0 800 ms time share cost"),
        (90, "0 800 ms time tokens in→out cost"),
        (104, "0 800 ms time share tokens in→out cost"),
    ],
)
def test_bars_and_shares_make_room_for_the_call_its_model_time_and_cost(priced, width, columns):
    rows = priced.tree(width)

    assert " ".join(rows[0].removeprefix("█ the run waited  ░ ran beside").split()) == columns
    assert rows[3].startswith("  ├ llm_call:generate #1 gpt-6.1-terra ")
    assert rows[4].startswith("  ├ llm_call:critique #1 claude-opus-4.5 ")
    assert rows[4].endswith("  $0.0200")
    assert (columns[0] == "0") is ("█ the run waited" in rows[0])


@pytest.mark.parametrize(
    ("width", "called"),
    [
        (60, "t1 / critique #2 claude-opus-4.5"),
        (72, "task:t1 / llm_call:critique #2 claude-opus-4.5"),
    ],
)
def test_a_ranking_says_which_iteration_of_which_model_at_any_width(priced, width, called):
    lines = priced.text(width)

    dearest = lines[lines.index("Dearest calls") + 1]
    assert dearest.endswith(f"$0.0400  {called}")


def test_the_only_iteration_of_a_task_has_no_number():
    told = Story()
    root = told.span("run_project", 0, 800)
    for name in ("task:t1", "task:t2"):
        task = told.span(name, 0, 800, root)
        told.call("generate", 0, 100, task, orchestrator__iteration=1)
    told.call("generate", 100, 800, task, orchestrator__iteration=2)

    names = [line for line in told.tree() if "llm_call" in line]
    assert [" #" in name for name in names] == [False, True, True]


def test_a_call_that_made_no_request_is_neither_counted_nor_ranked():
    told = Story()
    root = told.span("run_project", 0, 800)
    said = {"orchestrator__llm__attempts": 0, "error__type": "budget_exceeded"}
    told.call("decompose", 0, 800, root, cost=0.0, tokens_in=0, tokens_out=0, failed=True, **said)

    lines = told.text()
    assert lines[3].startswith("0 calls,")
    assert told.line("llm_call:decompose")
    assert "Slowest calls" not in lines


def test_what_is_estimated_is_marked_wherever_it_is_counted():
    told = Story()
    root = told.span("run_project", 0, 800)
    told.call("generate", 0, 700, root, cost=0.02, orchestrator__cost__estimated=True)
    told.call("revise", 700, 800, root, cost=0.01)

    lines = told.text()
    assert lines[0].endswith("  ≈ $0.0300")
    assert lines[4] == "≈ up to $0.0200 estimated: replies that were lost"
    assert told.line("run_project").endswith("≈ $0.0300")
    assert told.line("llm_call:generate").endswith("≈ $0.0200")
    assert told.line("llm_call:revise").endswith("  $0.0100")


def test_a_run_that_cost_nothing_has_no_cost_column_and_no_dearest_calls():
    told = Story()
    root = told.span("run_project", 0, 1000)
    told.call("generate", 0, 1000, root, cost=0.0)

    assert "cost" not in "\n".join(told.text())
    assert "Dearest" not in "\n".join(told.text())


@pytest.mark.parametrize("width", [60, 72, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(story, width):
    assert max(map(len, story.text(width))) <= width


def test_a_terminal_that_is_too_narrow_gets_sixty_columns(story):
    assert story.text(20) == story.text(60)


def test_a_run_of_a_thousand_tasks_is_folded_to_what_matters():
    told = Story()
    root = told.span("run_project", 0, 100_000)
    for number in range(1000):
        start = number * 90
        task = told.span(f"task:t{number}", start, start + 90, root)
        failed = number == 500
        told.call("generate", start, start + 80 + (number == 700) * 10, task, failed=failed)

    lines = told.text(rows=40)
    assert len(lines) < 60
    assert any("task:t500" in line for line in lines)
    assert any("task:t700" in line for line in lines)
    assert any("more tasks" in line for line in lines)
    assert sum(line.count("task:") for line in lines) < 40


def test_whatever_is_folded_the_call_to_blame_is_shown():
    told = Story()
    root = told.span("run_project", 0, 10_000)
    for number in range(100):
        task = told.span(f"task:t{number}", 0, 9000, root)
        told.call("generate", 0, 8000 - number, task, failed=True, error__type="timeout")
    last = told.span("task:t100", 0, 10_000, root)
    told.call("revise", 0, 4000, last)
    told.call("evaluate", 4000, 10_000, last)

    lines = told.text(rows=20)
    assert lines[1].endswith("evaluate by gpt in task:t100")
    assert [line for line in lines if "llm_call:evaluate" in line and "◀" in line]


def test_a_model_or_project_name_cannot_command_the_terminal():
    told = Story()
    root = told.span("run_project", 0, 10, project_id="p\x1b[31m\n")
    told.call("generate", 0, 10, root, model="m\x07\x1b]0;x")

    assert not {"\x1b", "\x07", "\n"} & set("".join(told.text()))


def test_a_trace_without_length_is_drawn():
    told = Story()
    told.span("run_project", 5, 5)

    assert any(line.startswith("run_project") for line in told.text())


def test_spans_without_a_common_root_are_traces_of_their_own():
    told = Story()
    first = told.span("task:t1", 0, 10, parent=77)
    told.call("generate", 0, 10, first)
    told.span("task:t2", 20, 30, parent=77)

    assert [trace.root.name for trace in traces_of(told.spans)] == ["task:t1", "task:t2"]


@pytest.mark.parametrize(
    ("length_ns", "said"),
    [
        (400_000, "0.4 ms"),
        (412 * MS, "412 ms"),
        (12_400 * MS, "12.4 s"),
        (185_000 * MS, "3 m 05 s"),
    ],
)
def test_times_are_said_in_few_characters(length_ns, said):
    assert duration(length_ns) == said


def test_tokens_are_said_in_few_characters():
    assert tokens(812, 45_000) == "812→45k"
    assert tokens(2_500_000, 0) == "2.5M→0"
    assert tokens(0, 0) == ""


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
