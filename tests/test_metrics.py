"""Figures: counted from events alone, and read back by the programs they are for."""

import io
import json
import re
import sys
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from orchestrator import events
from orchestrator.errors import InputError
from orchestrator.figures import Family
from orchestrator.hooks import HookRegistry
from orchestrator.metrics import ConsoleExporter, JSONExporter, Meter, PrometheusExporter
from orchestrator.metrics.meter import FAMILIES, SHARE
from orchestrator.models import Brief, ProjectState, RunStatus, Usage, Validation
from orchestrator.policies import Policy, Rules
from tests.fakes import ManualClock
from tests.stories import Script, cast, score, stage


def call(**facts: Any) -> events.CallCompleted:
    given: dict[str, Any] = {
        "project_id": "p1",
        "call_type": "generate",
        "model": "m",
        "provider": "acme",
        "task_id": "t1",
        "usage": Usage(input_tokens=100, output_tokens=20),
        "cost_usd": Decimal("0.5"),
        "latency_ms": 700.0,
        "attempts": 2,
    }
    return events.CallCompleted(**given | facts)


def ended(status: RunStatus = RunStatus.SUCCESS) -> events.ProjectCompleted:
    state = ProjectState(project_id="p1", brief=Brief(project="x"), status=status, duration_s=7.0)
    return events.ProjectCompleted(project_id="p1", state=state)


def figures(text: str) -> dict[tuple[str, ...], float]:
    """Every sample of a text for Prometheus, by its name and the values of its labels, sorted."""
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


class Kept:
    """An exporter that keeps what it is given."""

    def __init__(self) -> None:
        self.settled: list[bool] = []
        self.families: tuple[Family, ...] = ()

    def export(self, families: tuple[Family, ...], *, is_settled: bool) -> None:
        self.families = families
        self.settled.append(is_settled)


# What is counted


def test_a_call_is_counted_by_who_was_asked_for_what_and_how_it_ended(tmp_path):
    path = tmp_path / "o.prom"
    meter = Meter(PrometheusExporter(path=path), clock=ManualClock())

    meter(call())
    meter(call(error_type="timeout", latency_ms=3_000.0, attempts=3))
    meter(call(error_type="budget_exceeded", usage=Usage(), cost_usd=Decimal(0), attempts=0))

    who = ("acme", "generate", "m")
    found = figures(path.read_text())
    assert found["orchestrator_llm_calls_total", *who, "ok"] == 1
    assert found["orchestrator_llm_calls_total", *who, "timeout"] == 1
    assert found["orchestrator_llm_calls_total", "acme", "budget_exceeded", "generate", "m"] == 1
    assert found["orchestrator_llm_requests_total", *who] == 5
    assert found["orchestrator_llm_tokens_total", "acme", "generate", "input", "m"] == 200
    assert found["orchestrator_llm_cost_usd_total", *who] == 1.0


def test_latencies_are_a_histogram_of_calls_that_were_made(tmp_path):
    path = tmp_path / "o.prom"
    meter = Meter(PrometheusExporter(path=path), clock=ManualClock())

    for latency_ms in (700.0, 1_000.0, 3_000.0, 500_000.0):
        meter(call(latency_ms=latency_ms))
    meter(call(latency_ms=0.0, attempts=0))

    text = path.read_text()
    for bound, number in (("0.5", 0.0), ("1.0", 2.0), ("2.5", 2.0), ("5.0", 3.0), ("+Inf", 4.0)):
        labels = f'call_type="generate",le="{bound}",model="m",provider="acme"'
        assert f"orchestrator_llm_call_duration_seconds_bucket{{{labels}}} {number}\n" in text
    total = figures(text)["orchestrator_llm_call_duration_seconds_sum", "acme", "generate", "m"]
    assert total == pytest.approx(504.7)


async def test_a_run_is_counted_as_it_was(tmp_path):
    kept = Kept()
    models = cast(ann=Script(evaluate=[score(0.3), score(0.9)]), bob=Script(evaluate=score(0.9)))
    policy = Policy(name="all", rules=Rules(allowed_models=("ann", "bob")))

    async with stage(models, hooks=[Meter(kept)], policies=[policy]) as orchestrator:
        state = await orchestrator.run_project("Make it")

    counted = {
        family.name: sum(sample.value for sample in family.samples) for family in kept.families
    }
    assert counted["orchestrator_llm_calls"] == state.calls
    assert counted["orchestrator_llm_cost_usd"] == pytest.approx(float(state.total_cost_usd))
    assert counted["orchestrator_tasks"] == len(state.results)
    assert counted["orchestrator_runs"] == 1
    assert counted["orchestrator_policy_decisions"] > 0
    assert kept.settled[-1]
    assert not any(kept.settled[:-1])


def test_decisions_are_counted_by_what_came_of_them():
    meter = Meter()
    validation = Validation(validator="pytest", outcome="unverified")
    told: dict[str, Any] = {"project_id": "p1", "task_id": "t1"}

    meter(events.ValidationMade(validation=validation, **told))
    meter(events.RemediationTried(strategy="auto_retry", trigger="timeout", success=False, **told))
    meter(events.AttemptScored(iteration=1, model="m", score=0.85, **told))
    meter(
        events.BreakerChanged(
            project_id="p1", provider="acme", model="m", from_state="closed", to_state="open"
        )
    )

    found = {family.name: family.samples for family in meter.families() if family.samples}
    assert [sample.labels for samples in found.values() for sample in samples] == [
        ("m",),
        ("pytest", "unverified"),
        ("auto_retry", "timeout", "did_not_help"),
        ("m", "acme", "open"),
    ]


def test_no_label_names_a_project_or_a_task():
    meter = Meter()
    for number in range(50):
        meter(call(project_id=f"p{number}", task_id=f"t{number}"))

    assert {len(family.samples) for family in meter.families()} <= {0, 1, 2}
    assert not {label for family in FAMILIES for label in family.labels} & {"project", "task"}


# Who is given the figures


async def test_an_exporter_that_fails_disturbs_neither_the_run_nor_the_others(caplog):
    class Failing:
        def export(self, families: tuple[Family, ...], *, is_settled: bool) -> None:
            raise OSError("the disk is full")

    kept = Kept()

    await HookRegistry([Meter(Failing(), kept)]).emit(call())

    assert kept.settled == [False]
    assert "Meter raised OSError" in caplog.text


def test_the_console_is_told_once_when_the_run_has_ended():
    stream = io.StringIO()
    meter = Meter(ConsoleExporter(stream))

    meter(call())
    assert stream.getvalue() == ""
    meter(ended())

    lines = dict(line.rsplit("  ", 1) for line in stream.getvalue().splitlines())
    named = {name.strip(): said for name, said in lines.items()}
    who = "model=m, provider=acme, call_type=generate"
    assert named["orchestrator_runs{status=SUCCESS}"] == "1"
    assert named[f"orchestrator_llm_cost_usd{{{who}}}"] == "0.5"
    assert named["orchestrator_run_duration_seconds"] == "1 measured, 7 on average"


def test_the_json_file_is_whole_and_says_what_it_counts(tmp_path):
    path = tmp_path / "o.json"
    meter = Meter(JSONExporter(path))

    meter(call())
    meter(ended())

    document = json.loads(path.read_text())
    families = {family["name"]: family for family in document["families"]}
    assert document["version"] == 1
    assert families["orchestrator_runs"]["samples"] == [
        {"labels": {"status": "SUCCESS"}, "value": 1.0}
    ]
    [latency] = families["orchestrator_llm_call_duration_seconds"]["samples"]
    assert (latency["count"], latency["sum"]) == (1, 0.7)
    assert latency["at_most"][2:4] == [[0.5, 0], [1.0, 1]]
    assert [entry.name for entry in tmp_path.iterdir()] == ["o.json"]


# Prometheus


def test_runs_add_up_in_one_textfile(tmp_path):
    path = tmp_path / "o.prom"
    for status in (RunStatus.SUCCESS, RunStatus.FAILED, RunStatus.SUCCESS):
        meter = Meter(PrometheusExporter(path=path))
        meter(call())
        meter(ended(status))

    found = figures(path.read_text())
    assert found["orchestrator_runs_total", "SUCCESS"] == 2
    assert found["orchestrator_runs_total", "FAILED"] == 1
    assert found["orchestrator_run_duration_seconds_count",] == 3
    assert found["orchestrator_run_duration_seconds_sum",] == 21


def test_two_processes_add_to_one_textfile_in_turn(tmp_path):
    path = tmp_path / "o.prom"
    one, other = (
        Meter(PrometheusExporter(path=path), clock=ManualClock()),
        Meter(PrometheusExporter(path=path), clock=ManualClock()),
    )

    for meter in (one, other, one, other, one):
        meter(call())

    assert (
        figures(path.read_text())["orchestrator_llm_calls_total", "acme", "generate", "m", "ok"]
        == 5
    )


def test_scrapes_are_answered_on_the_loopback():
    exporter = PrometheusExporter(port=0)
    try:
        Meter(exporter)(call())
        with urllib.request.urlopen(f"http://127.0.0.1:{exporter.port}/metrics") as answer:
            text = answer.read().decode()
    finally:
        exporter.close()

    assert figures(text)["orchestrator_llm_calls_total", "acme", "generate", "m", "ok"] == 1
    assert "# TYPE orchestrator_llm_calls_total counter" in text
    assert "# TYPE orchestrator_llm_call_duration_seconds histogram" in text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("node_load1 0.5\n", "holds 'node_load1', which is not ours"),
        ("{", "holds something else than metrics"),
    ],
)
def test_a_textfile_of_somebody_else_is_left_alone(tmp_path, text, why):
    path = tmp_path / "o.prom"
    path.write_text(text)

    with pytest.raises(InputError, match=why):
        PrometheusExporter(path=path)

    assert path.read_text() == text


def test_without_the_extra_it_is_said_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)

    with pytest.raises(InputError, match=r"pip install 'multi-llm-orchestrator\[prometheus\]'"):
        PrometheusExporter()


def test_every_figure_is_explained():
    page = (Path(__file__).parents[1] / "docs" / "metrics.md").read_text(encoding="utf-8")

    for family in FAMILIES:
        name = f"{family.name}_total" if family.kind == "counter" else family.name
        labels = ", ".join(f"`{label}`" for label in family.labels)
        assert f"| `{name}` | {family.kind} | {labels} |" in page


def test_a_port_that_is_taken_is_refused():
    first = PrometheusExporter(port=0)
    try:
        with pytest.raises(InputError, match=f"Cannot answer on port {first.port}"):
            PrometheusExporter(port=first.port)
    finally:
        first.close()


def test_exports_take_a_twentieth_of_the_time_and_none_is_missed_at_the_end():
    clock = ManualClock()
    kept = Kept()

    class Slow(Kept):
        def export(self, families: tuple[Family, ...], *, is_settled: bool) -> None:
            super().export(families, is_settled=is_settled)
            clock.advance(0.05)

    meter = Meter(slow := Slow(), kept, clock=clock)
    for _ in range(2_000):
        clock.advance(0.01)
        meter(call())
    told_meanwhile = len(kept.settled)
    meter(ended())

    assert told_meanwhile * 0.05 / clock.now == pytest.approx(SHARE, rel=0.1)
    assert (kept.settled[-1], len(slow.settled)) == (True, told_meanwhile + 1)
    counted = {family.name: family.samples for family in kept.families}
    assert [sample.value for sample in counted["orchestrator_llm_calls"]] == [2_000]


# The command line


@pytest.fixture
def run(tmp_path, monkeypatch, command_line):
    """Carry out a command line for a small project without a key."""
    monkeypatch.chdir(tmp_path)

    def carry_out(*flags: str):
        return command_line("--project", "Write a guide to tea", "--threshold", "0.1", *flags)

    return carry_out


@pytest.mark.parametrize("name", ["o.prom", "o.json"])
def test_a_metrics_file_is_written_in_the_form_of_its_suffix(run, name):
    code, _, _ = run("--metrics-file", name)

    assert code == 0
    text = Path(name).read_text()
    assert "orchestrator_llm_calls" in text
    assert text.startswith("{" if name.endswith("json") else "# HELP")


def test_it_is_said_where_figures_are_answered(run):
    _, _, err = run("--metrics-port", "0")

    assert re.search(r"Figures are at http://127\.0\.0\.1:\d{2,5}/metrics while", err)


def test_figures_can_go_to_the_standard_error(run):
    _, _, err = run("--metrics-file", "-", "--metrics-port", "0", "--quiet")

    assert "orchestrator_runs{status=SUCCESS}" in err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--metrics-file", "o.txt"], "'o.txt' ends neither in .prom"),
        (["--metrics-file", "no/o.json"], "Cannot write the metrics file 'no/o.json'"),
        (["--metrics-file", "no/o.prom"], "Cannot write the metrics file 'no/o.prom'"),
        (["--metrics-port", "x"], "--metrics-port takes a whole number, not 'x'."),
        (["--metrics-port", "65536"], "There is no port 65536: name one from 0 to 65535."),
        (["--metrics-port", "-1"], "There is no port -1"),
        (
            ["--metrics-file", "-", "--tracing", "--trace-format", "json"],
            "leave one of the two out",
        ),
    ],
)
def test_figures_that_nobody_can_take_are_one_sentence(run, flags, said):
    code, out, err = run(*flags)

    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
