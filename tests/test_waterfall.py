"""The tree over the time line: what ran when, what the run waited for, on any terminal."""

from itertools import pairwise

import pytest

from orchestrator.waterfall import Part, draw, traces_of
from orchestrator.waterfall.words import BAD, GOOD, QUIET, duration, percent, tokens
from tests.traces import MS, Story, failing_over, priced


@pytest.fixture
def story():
    return failing_over()


@pytest.fixture(name="priced")
def _priced():
    return priced()


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


@pytest.mark.parametrize(
    ("took_ms", "queue_ms", "is_queued"),
    [(60_000, 59_200.0, True), (10_000, 4_900.0, False), (80, 79.0, False), (200, 150.0, True)],
)
def test_a_call_that_waited_for_its_turn_is_no_slow_model(took_ms, queue_ms, is_queued):
    told = Story()
    root = told.span("run_project", 0, took_ms)
    told.call("revise", 0, took_ms, root, orchestrator__queue_ms=queue_ms)

    text = "\n".join(told.text(140))
    assert ("⧗" in told.line("llm_call:revise")) is is_queued
    assert ("Trouble  ⧗ 1 call queued" in text) is is_queued
    if queue_ms == 59_200:
        assert "went to revise by gpt  ⧗ 59.2 s queued" in text


@pytest.mark.parametrize(
    ("said", "mark", "style"),
    [
        ({"orchestrator__cache__hit": True}, "  cached", QUIET),
        ({"orchestrator__task__skipped_because": "t1"}, "  skipped", QUIET),
        ({"strategy": "auto_retry", "success": True}, "  ✓ recovered", GOOD),
        ({"strategy": "auto_retry", "success": False}, "  ✗ no recovery", BAD),
    ],
)
def test_only_what_went_wrong_is_red(said, mark, style):
    told = Story()
    root = told.span("run_project", 0, 100)
    told.span("task:t1", 0, 100, root, **said)

    assert Part(mark, style) in [part for line in draw(told.trace, 100) for part in line]


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


def test_the_only_iteration_of_a_task_has_no_number():
    told = Story()
    root = told.span("run_project", 0, 800)
    for name in ("task:t1", "task:t2"):
        task = told.span(name, 0, 800, root)
        told.call("generate", 0, 100, task, orchestrator__iteration=1)
    told.call("generate", 100, 800, task, orchestrator__iteration=2)

    names = [line for line in told.tree() if "llm_call" in line]
    assert [" #" in name for name in names] == [False, True, True]


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


@pytest.mark.parametrize(
    ("part", "said"), [(0, "0 %"), (4, "<1 %"), (6, "1 %"), (475, "48 %"), (1000, "100 %")]
)
def test_shares_are_said_without_decimals(part, said):
    assert percent(part, 1000) == said


def test_tokens_are_said_in_few_characters():
    assert tokens(812, 45_000) == "812→45k"
    assert tokens(2_500_000, 0) == "2.5M→0"
    assert tokens(0, 0) == ""
