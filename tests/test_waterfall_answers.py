"""Who is to blame, said before the tree and ranked below it: in ten seconds, at any width."""

import pytest

from tests.traces import Story, failing_over, priced


@pytest.fixture
def story():
    return failing_over()


@pytest.fixture(name="priced")
def _priced():
    return priced()


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


def test_a_model_is_blamed_before_a_task_that_took_hardly_any_of_the_time_itself():
    told = Story()
    root = told.span("run_project", 0, 400)
    for number in range(40):
        start = 10 * number
        task = told.span(f"task:t{number}", start, start + 10, root)
        told.call("generate", start, start + (4 if number else 2), task)

    assert told.text()[1] == "Time     40 % of the run (158 ms) went to gpt, in 40 calls"


def test_a_task_is_blamed_before_a_model_whose_calls_took_less_together():
    told = Story()
    root = told.span("run_project", 0, 400)
    for number in range(40):
        task = told.span(f"task:t{number}", 10 * number, 10 * number + 10, root)
        told.call("generate", 10 * number, 10 * number, task)

    assert told.text()[1] == (
        "Time     2 % of the run (10 ms) went to task:t0 itself, outside its calls"
    )


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


def test_time_that_no_call_took_is_the_tasks_own():
    told = Story()
    root = told.span("run_project", 0, 1000)
    task = told.span("task:t1", 0, 1000, root, task_type="writing")
    told.call("generate", 0, 100, task)

    assert told.text()[1] == (
        "Time     90 % of the run (900 ms) went to task:t1 itself, outside its calls"
    )


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
