"""Many tasks at once: wall time beside the ideal, and whether spans, money and journal are whole.

`python benchmarks/load.py [TASKS [CONCURRENCY [LATENCY_S]]]`; the models are fakes that take so
long a call. The run is a process of its own that is traced over OTLP; its spans are received and
held against the schema here. It begins from a journal that holds the plan, because no model's
answer may be as long as a plan of ten thousand tasks.
"""

import asyncio
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from orchestrator.budget import Budget
from orchestrator.engine import Orchestrator
from orchestrator.journal import Shelf
from orchestrator.journal.entries import Began, Planned
from orchestrator.models import Brief, Plan, Reply, Request, Settings, Task, Usage
from orchestrator.tracing import TracingConfig, shutdown_tracing
from pytest_otel_spans.receiving.otlp import receive_spans
from tests.fakes import catalogue, model
from tests.span_contract import broken_promises

CALLS_A_TASK = 3
MODELS = catalogue(*(model(name, provider=name, price={"input": 1, "output": 2}) for name in "ab"))
ANSWERS = {
    "generate": "A text that is good enough. " * 40,
    "critique": '{"points": []}',
    "evaluate": '{"reason": "It is good enough.", "score": 0.9}',
}
RESULTS = Path(__file__).parent / "results"


class Fake:
    """A model that takes its time and no other resource."""

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s

    async def complete(self, request: Request) -> Reply:
        await asyncio.sleep(self._latency_s)
        usage = Usage(input_tokens=1000, output_tokens=100)
        text = ANSWERS[request.call_type]
        return Reply(text=text, usage=usage, served_model=request.model, finish_reason="stop")

    async def close(self) -> None:
        pass


def _planned(folder: Path, tasks: int) -> None:
    """Write the journal of a run that was ended when it had its plan."""
    plan = Plan(
        tasks=tuple(
            Task(id=f"t{n}", title=f"Write {n}", instructions="Write.", type="writing")
            for n in range(1, tasks + 1)
        )
    )
    began = Began(
        project_id="load",
        began_at=datetime.now(UTC),
        brief=Brief(project="Write a lot"),
        settings=Settings(max_tasks=tasks),
        budget_usd=None,
        max_time_s=None,
        catalogue=MODELS,
        policies=(),
        pins={},
        routing="pareto",
        weights=None,
        traceparent=None,
    )

    async def write() -> None:
        async with Shelf(folder).begin("load", time.monotonic) as journal:
            await journal.record(began)
            await journal.record(Planned(plan=plan))

    asyncio.run(write())


def _run(folder: Path, concurrency: int, latency_s: float) -> None:
    """What the process that is measured does."""

    async def go_on() -> dict[str, Any]:
        orchestrator = Orchestrator(
            catalogue=MODELS,
            connected={entry.id: Fake(latency_s) for entry in MODELS.entries()},
            budget=Budget(max_usd=1000),
            settings=Settings(concurrency=concurrency),
            tracing_cfg=TracingConfig(enabled=True),
            state_dir=folder,
        )
        began_s = time.monotonic()
        state = await orchestrator.resume_project("load")
        return {
            "status": state.status.value,
            "wall_s": time.monotonic() - began_s,
            "cost_usd": str(state.total_cost_usd),
            "calls": state.calls,
        }

    said = asyncio.run(go_on())
    began_s = time.monotonic()
    said["flushed"] = shutdown_tracing(60)
    said["flush_s"] = time.monotonic() - began_s
    usage = resource.getrusage(resource.RUSAGE_SELF)
    said |= {"peak_mb": usage.ru_maxrss / 1024, "cpu_s": usage.ru_utime + usage.ru_stime}
    print(json.dumps(said))


def main(tasks: int, concurrency: int, latency_s: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name, receive_spans() as received:
        folder = Path(name)
        _planned(folder, tasks)
        command = [sys.executable, __file__, "--run", name, str(concurrency), str(latency_s)]
        done = subprocess.run(command, env=received.env(), stdout=subprocess.PIPE, check=True)
        said = json.loads(done.stdout)
        nodes = received.forest.nodes
        broken = broken_promises(received)
        kept = Shelf(folder).read("load").state()
    ideal_s = math.ceil(tasks / concurrency) * CALLS_A_TASK * latency_s
    names = Counter(span.name.partition(":")[0] for span in nodes)
    expected = Counter(run_project=1, task=tasks, llm_call=3 * tasks, policy_check=2 * tasks)
    cost = Decimal(3 * tasks) * Decimal("0.0012")
    return {
        "tasks": tasks,
        "concurrency": concurrency,
        "latency of a call, s": latency_s,
        "wall, s": round(said["wall_s"], 2),
        "ideal, s": ideal_s,
        "ideal / wall": round(ideal_s / said["wall_s"], 3),
        "CPU of the process, s": round(said["cpu_s"], 1),
        "peak memory, MB": round(said["peak_mb"]),
        "status": said["status"],
        "spans missing or too many": sum(((expected - names) + (names - expected)).values()),
        "spans that break the schema or hang wrong": len(broken),
        "cost is exact": Decimal(said["cost_usd"]) == cost == kept.total_cost_usd,
        "journal: calls kept": kept.calls,
        "journal: tasks kept": sum(result.status == "completed" for result in kept.results),
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        _run(Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
    else:
        given = [float(word) for word in sys.argv[1:]]
        usual = [10_000, 256, 1.0]
        tasks, concurrency, latency_s = given + usual[len(given) :]
        figures = main(int(tasks), int(concurrency), latency_s)
        for title, figure in figures.items():
            print(f"  {title:62} {figure}")
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "load.json").write_text(json.dumps(figures, indent=2))
        assert os.environ.get("CI") is None or figures["ideal / wall"] > 0.8, figures
