"""What a run costs beside the models it waits for: per call, at 64 tasks at once, to 10,000 tasks.

A model that answers at once shows the overhead; one that takes half a second shows what is left of
the ideal wall time. Budget, policies and telemetry are on, tracing is off, unless a line says
otherwise. A task is three calls: a draft, a critique that finds nothing, a score. Overhead is CPU
time of the whole process, the journal's thread among it: the clock would time the neighbours too.
"""

import asyncio
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from orchestrator import telemetry_store
from orchestrator.breaker import Breakers
from orchestrator.budget import Budget
from orchestrator.catalogue import Catalogue, ModelEntry
from orchestrator.clock import SystemClock
from orchestrator.hooks import HookRegistry
from orchestrator.journal import History, Journal, book
from orchestrator.journal.lock import Lock
from orchestrator.journal.writer import Writer
from orchestrator.models import Brief, Plan, Prompt, Reply, Request, Settings, Task, Usage
from orchestrator.policies import Policy, Rules
from orchestrator.rate_limits import RateLimits
from orchestrator.routing import ParetoBackend
from orchestrator.run import Run
from orchestrator.sandbox import Bubblewrap
from orchestrator.tracing import TracingConfig, configure_tracing
from orchestrator.workshop import House, open_workshop, opening

CALLS_A_TASK = 3
RESULTS = Path(__file__).parent / "results"
REPLIES = {
    "generate": "A draft that says what it has to.",
    "critique": '{"points": []}',
    "evaluate": '{"reason": "as it should be", "score": 0.9}',
}
CATALOGUE = Catalogue(
    models=tuple(
        ModelEntry.model_validate(
            {"id": name, "provider": name, "api": "offline", "price": {"input": 1, "output": 1}}
        )
        for name in ("author", "reviewer")
    )
)
POLICIES = (Policy(name="ours", rules=Rules(blocked_models=("nobody",))),)


class Fake:
    """A model that answers after so many seconds, or as soon as the loop comes back to it."""

    def __init__(self, latency_s: float = 0.0) -> None:
        self._latency_s = latency_s

    async def complete(self, request: Request) -> Reply:
        await asyncio.sleep(self._latency_s)
        return Reply(
            text=REPLIES[request.call_type],
            usage=Usage(input_tokens=100, output_tokens=20),
            served_model=request.model,
            finish_reason="stop",
        )

    async def close(self) -> None:
        """Nothing to give back."""


def plan(tasks: int, *, chained: bool = False) -> Plan:
    """So many tasks, independent or each after the one before it."""
    return Plan(
        tasks=tuple(
            Task(
                id=f"t{number}",
                title=f"Task {number}",
                instructions="Write it down.",
                type="writing",
                depends_on=(f"t{number - 1}",) if chained and number > 1 else (),
            )
            for number in range(1, tasks + 1)
        )
    )


async def run(
    tasks: Plan, *, latency_s: float = 0.0, concurrency: int = 64, folder: Path | None = None
) -> float:
    """CPU seconds that a run of the plan takes, and by the clock where the models take their time.

    With a folder it keeps a journal and its measurements there.
    """
    now = time.perf_counter if latency_s else time.process_time
    clock = SystemClock()
    telemetry, keepers = telemetry_store.opened(folder, CATALOGUE)
    house = House(
        catalogue=CATALOGUE,
        providers=dict.fromkeys(("author", "reviewer"), Fake(latency_s)),
        policies=POLICIES,
        pins={},
        routing=ParetoBackend(),
        budget=Budget(max_usd=1_000_000),
        settings=Settings(concurrency=concurrency, max_tasks=len(tasks.tasks)),
        telemetry=telemetry,
        breakers=Breakers(clock),
        limits=RateLimits(CATALOGUE, clock),
        hooks=HookRegistry([telemetry, *keepers]),
        clock=clock,
        sandbox=Bubblewrap(),
        audit=None,
        state_dir=folder,
    )
    async with _journal(tasks, folder) as journal:
        shop = open_workshop(house, "benchmark", Brief(project="Benchmark"), journal)
        began_s = now()
        state = await Run(shop, clock).execute(opening(house, shop, None))
        took_s = now() - began_s
    if state.status != "SUCCESS" or state.calls != CALLS_A_TASK * len(tasks.tasks):
        raise SystemExit(f"the run did something else: {state.status}, {state.calls} calls")
    return took_s


@asynccontextmanager
async def _journal(tasks: Plan, folder: Path | None) -> AsyncIterator[Journal]:
    """A journal that knows the plan already, so that nothing is planned."""
    history = History(plan=tasks)
    if folder is None:
        yield Journal(history)
        return
    path = Path(tempfile.mkdtemp(dir=folder)) / "benchmark.journal"
    lock = Lock(path.with_suffix(".lock"), "benchmark")
    writer = Writer(book.make(path), lock, time.monotonic, "benchmark")
    async with Journal(history, writer) as journal:
        yield journal


async def bare(calls: int) -> float:
    """CPU seconds of the same calls of the same model, awaited and nothing else, 64 at a time."""
    prompt = Prompt(system="", text="")
    request = Request(model="m", call_type="generate", prompt=prompt, timeout_s=1)
    model, waiting = Fake(), iter(range(calls))

    async def work() -> None:
        for _ in waiting:
            await model.complete(request)

    began_s = time.process_time()
    await asyncio.gather(*(work() for _ in range(64)))
    return time.process_time() - began_s


def overhead(folder: Path, *, tasks: int = 200, rounds: int = 7) -> dict[str, float]:
    """CPU microseconds a call, the minimum of several rounds taken in turns."""
    calls = tasks * CALLS_A_TASK
    cases: dict[str, Callable[[], Awaitable[float]]] = {
        "a bare await": lambda: bare(calls),
        "a run that keeps nothing": lambda: run(plan(tasks)),
        "a run with journal and telemetry kept": lambda: run(plan(tasks), folder=folder),
        "the same, traced": lambda: run(plan(tasks), folder=folder),
    }
    best = dict.fromkeys(cases, math.inf)
    for _ in range(rounds):
        for name, case in cases.items():
            _trace(on=name == "the same, traced")
            best[name] = min(best[name], asyncio.run(_seconds(case)) / calls * 1e6)
    _trace(on=False)
    return best


async def _seconds(case: Callable[[], Awaitable[float]]) -> float:
    return await case()


def _trace(*, on: bool) -> None:
    """Have spans made, and thrown away; OpenTelemetry is not imported before they are."""
    if not on:
        configure_tracing(TracingConfig())
        return
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SpanProcessor())
    configure_tracing(TracingConfig(enabled=True), tracer_provider=provider)


def efficiency(
    folder: Path | None, *, tasks: int = 1000, latency_s: float = 0.5
) -> dict[str, float]:
    """A run of independent tasks at 64 at once, beside what the models alone would take."""
    waves = math.ceil(tasks / 64)
    ideal_s = waves * CALLS_A_TASK * latency_s
    began_s = time.process_time()
    took_s = asyncio.run(run(plan(tasks), latency_s=latency_s, folder=folder))
    cpu_s = time.process_time() - began_s
    return {"ideal_s": ideal_s, "took_s": took_s, "share": ideal_s / took_s, "cpu_s": cpu_s}


def growth() -> list[dict[str, float]]:
    """Time a task and memory, each size in a process of its own."""
    rows = []
    for chained in (False, True):
        for tasks in (1, 1000, 3000, 10_000):
            told = subprocess.run(
                [sys.executable, __file__, "grow", str(tasks), str(int(chained))],
                capture_output=True,
                text=True,
                check=True,
            )
            rows.append(json.loads(told.stdout))
    return rows


def grow(tasks: int, *, chained: bool) -> None:
    """One size: what it took, and the most memory the process ever had."""
    with tempfile.TemporaryDirectory() as folder:
        took_s = asyncio.run(run(plan(tasks, chained=chained), folder=Path(folder)))
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = {"tasks": tasks, "chained": chained, "took_s": took_s, "megabytes": megabytes}
    print(json.dumps(figures))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        per_call = overhead(Path(folder))
        print("run_loop: CPU microseconds a call")
        for name, micros in per_call.items():
            print(f"  {name:45} {micros:10.1f}")
        shares = {"nothing kept": efficiency(None), "all kept": efficiency(Path(folder))}
    print("run_loop: 1,000 independent tasks, 64 at once, 500 ms a call")
    for name, share in shares.items():
        print(
            f"  {name:16} {share['took_s']:.2f} s, ideal {share['ideal_s']:.2f} s: "
            f"{share['share']:.1%}, with {share['cpu_s']:.2f} s of CPU"
        )
    rows = growth()
    print("run_loop: growth (tasks, shape, CPU ms a task, MB at most)")
    for row in rows:
        shape = "a chain" if row["chained"] else "independent"
        millis = row["took_s"] / row["tasks"] * 1000
        print(f"  {row['tasks']:6} {shape:12} {millis:8.2f} {row['megabytes']:8.0f}")
    RESULTS.mkdir(exist_ok=True)
    figures = {"microseconds_a_call": per_call, "half_a_second": shares, "growth": rows}
    (RESULTS / "run_loop.json").write_text(f"{json.dumps(figures, indent=2)}\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["grow"]:
        grow(int(sys.argv[2]), chained=bool(int(sys.argv[3])))
    else:
        main()
