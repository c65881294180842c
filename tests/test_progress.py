"""Events as plain lines and as a tree."""

import io
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from rich.console import Console

from orchestrator.cli.live_tree import Board, LiveTree, draw
from orchestrator.cli.progress import LineProgress, headline
from orchestrator.events import (
    AttemptScored,
    BreakerChanged,
    BudgetThresholdPassed,
    CallCompleted,
    CallStarted,
    Event,
    PlanReady,
    PolicyDecided,
    ProjectCompleted,
    ProjectStarted,
    ProviderDisabled,
    RemediationTried,
    TaskCompleted,
    TaskStarted,
)
from orchestrator.models import (
    Brief,
    CallType,
    Failure,
    Plan,
    ProjectState,
    RunStatus,
    Task,
    TaskResult,
    TaskStatus,
    Usage,
)
from orchestrator.policies import Violation

BRIEF = Brief(project="Build a rate limiter")
FIRST = Task(id="t1", title="Write [red]it\x1b[2J\nall", instructions="…", type="writing")
SECOND = Task(id="t2", title="Test it", instructions="…", type="code_review", depends_on=("t1",))
DONE = TaskResult(task=FIRST, status=TaskStatus.COMPLETED, iterations=1, model="author-1")
LOST = TaskResult(
    task=SECOND,
    status=TaskStatus.FAILED,
    failure=Failure(error_type="timeout", sentence="No answer in 60 s."),
)
STATE = ProjectState(
    project_id="p-1",
    brief=BRIEF,
    status=RunStatus.FAILED,
    results=(DONE, LOST),
    total_cost_usd=Decimal("0.5"),
    calls=2,
    duration_s=65.0,
)


def call(call_type: CallType, task_id: str | None) -> tuple[Event, Event]:
    started = CallStarted(
        project_id="p-1", call_type=call_type, model="author-1", task_id=task_id, iteration=2
    )
    completed = CallCompleted(
        project_id="p-1",
        call_type=call_type,
        model="author-1",
        provider="one",
        task_id=task_id,
        usage=Usage(input_tokens=100, output_tokens=7),
        cost_usd=Decimal("0.25"),
        latency_ms=12.4,
        attempts=2,
        error_type="timeout",
    )
    return started, completed


RUN: Sequence[Event] = (
    ProjectStarted(project_id="p-1", brief=BRIEF),
    *call("decompose", None),
    PlanReady(project_id="p-1", plan=Plan(tasks=(FIRST, SECOND))),
    TaskStarted(project_id="p-1", task=FIRST),
    PolicyDecided(
        project_id="p-1",
        role="author",
        operation="check",
        task_id="t1",
        candidates=("author-1", "author-2"),
        allowed=("author-1",),
        violations=(
            Violation(
                model="author-2",
                policy="ours",
                rule="required_tags",
                mode="hard",
                reason="it lacks no_train",
            ),
        ),
    ),
    *call("generate", "t1"),
    BreakerChanged(
        project_id="p-1", provider="one", model="author-1", from_state="closed", to_state="open"
    ),
    ProviderDisabled(project_id="p-1", provider="two", reason="Set TWO_KEY to a valid key."),
    RemediationTried(
        project_id="p-1", task_id="t1", strategy="auto_retry", trigger="timeout", success=True
    ),
    AttemptScored(project_id="p-1", task_id="t1", iteration=1, model="author-1", score=0.9),
    BudgetThresholdPassed(project_id="p-1", threshold=0.5, spent_usd=Decimal("0.5")),
    TaskCompleted(project_id="p-1", result=DONE),
    TaskCompleted(project_id="p-1", result=LOST),
    ProjectCompleted(project_id="p-1", state=STATE),
)


def lines(*, verbose: bool) -> str:
    stream = io.StringIO()
    hook = LineProgress(stream, verbose=verbose)
    for event in RUN:
        hook(event)
    return stream.getvalue()


def drawn(events: Sequence[Event], *, width: int = 80, height: int = 25) -> list[str]:
    board = Board()
    for event in events:
        board.take(event)
    console = Console(file=io.StringIO(), width=width, height=height, record=True)
    console.print(draw(board, 1.5, width=width, height=height))
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_a_pipe_gets_one_line_for_each_thing_that_matters() -> None:
    assert lines(verbose=False) == (
        "run p-1: Build a rate limiter\n"
        "plan: 2 tasks\n"
        "t1 started: Write [red]it�[2J all\n"
        "author-1 of one: keeps failing and is left alone for a while\n"
        "two is not asked again in this run: Set TWO_KEY to a valid key.\n"
        "t1 after timeout: auto_retry helped\n"
        "budget: 50% spent ($0.5000)\n"
        "t1 completed: 1 iteration, author-1\n"
        "t2 failed: No answer in 60 s.\n"
        "FAILED: 2 calls, $0.5000, 1 min 05 s\n"
    )


def test_verbose_adds_every_call_decision_and_score() -> None:
    added = set(lines(verbose=True).splitlines()) - set(lines(verbose=False).splitlines())

    spent = "100 tokens in, 7 out, $0.2500, 12 ms, 2 attempts"
    assert added == {
        "plan decompose: asking author-1",
        f"plan decompose: author-1 failed (timeout), {spent}",
        "t1 policy check for the author: 1 of 2 models may serve (required_tags)",
        "t1 generate: asking author-1",
        f"t1 generate: author-1 failed (timeout), {spent}",
        "t1 iteration 1: author-1 scored 0.90",
    }


def test_the_tree_shows_tasks_stage_model_and_running_cost() -> None:
    middle = [event for event in RUN if not isinstance(event, TaskCompleted | ProjectCompleted)]

    assert drawn(middle) == [
        "running  $0.5000  1.5 s  Build a rate limiter",
        "├── decompose the project      completed   author-1                   $0.2500",
        "├── t1 Write [red]it�[2J all   generate 2  author-1             0.90  $0.2500",
        "└── t2 Test it                 waiting",
    ]


def test_the_tree_ends_as_the_run_ended() -> None:
    head, *rows = drawn(RUN)

    assert head.startswith("FAILED  $0.5000")
    assert "completed" in rows[1]
    assert "failed" in rows[2]


def test_a_narrow_terminal_loses_columns_and_wraps_nothing() -> None:
    rows = drawn(RUN, width=30)

    assert len(rows) == 4
    assert max(map(len, rows)) <= 30
    assert "…" in rows[0]


def test_a_low_terminal_shows_what_is_not_over() -> None:
    events = [event for event in RUN if not isinstance(event, TaskCompleted | ProjectCompleted)]

    rows = drawn(events, height=6)

    assert rows[1] == "├── 1 row not shown"
    assert [row[4:6] for row in rows[2:]] == ["t1", "t2"]


def test_a_run_without_a_plan_shows_that_planning_failed() -> None:
    state = ProjectState(project_id="p-1", brief=BRIEF, status=RunStatus.FAILED)

    rows = drawn([RUN[0], ProjectCompleted(project_id="p-1", state=state)])

    assert "failed" in rows[1]


def test_a_run_of_which_only_the_plan_was_wanted_shows_that_planning_is_done() -> None:
    planned = [event for event in RUN if isinstance(event, ProjectStarted | PlanReady)]
    state = ProjectState(project_id="p-1", brief=BRIEF, status=RunStatus.SUCCESS)

    head, plan, *_ = drawn([*planned, ProjectCompleted(project_id="p-1", state=state)])

    assert head.startswith("SUCCESS")
    assert "completed" in plan


def test_an_estimate_is_marked_in_the_last_line() -> None:
    state = replace(STATE, estimated_cost_usd=Decimal("0.1"))

    assert headline(ProjectCompleted(project_id="p-1", state=state)) == (
        "FAILED: 2 calls, ≈ $0.5000, 1 min 05 s"
    )


def test_above_the_tree_stands_why_a_run_waits_and_what_to_mend() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, height=25, color_system=None)

    with LiveTree(console) as tree:
        for event in RUN:
            tree(event)

    assert "author-1 of one: keeps failing and is left alone for a while" in stream.getvalue()
    assert "two is not asked again in this run: Set TWO_KEY to a valid key." in stream.getvalue()
    assert "scored 0.90" not in stream.getvalue()


def test_the_live_tree_leaves_its_last_frame_on_a_terminal_that_keeps_it() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, height=25, color_system=None)

    with LiveTree(console, verbose=True) as tree:
        for event in RUN:
            tree(event)

    last_frame = stream.getvalue().rpartition("FAILED")[2]
    assert "t2 Test it" in last_frame
    assert "t1 iteration 1: author-1 scored 0.90" in stream.getvalue()
    assert "\x1b[2J" not in stream.getvalue()
