"""One orchestrator that runs project after project: does anything grow that should not?

`python benchmarks/soak.py [MINUTES]`. Runs end well, are cancelled, are taken up and are replayed,
traced into a processor that drops; memory, threads, files and tasks are counted once a minute,
after the garbage collector, and compared from the second count on.
"""

import asyncio
import gc
import json
import os
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from orchestrator.budget import Budget
from orchestrator.clock import SystemClock
from orchestrator.engine import Orchestrator
from orchestrator.journal.shelf import Retention, Shelf
from orchestrator.tracing import TracingConfig, configure_tracing
from tests.stories import Script, cast, plan, stage

FOUR = plan(("a", []), ("b", ["a"]), ("c", []), ("d", ["b", "c"]))
RESULTS = Path(__file__).parent / "results"


async def _round(orchestrator: Orchestrator, shelf: Shelf, number: int) -> None:
    """Three runs at once: one to its end and replayed, one cancelled and taken up, one streamed."""

    async def whole() -> None:
        state = await orchestrator.run_project("Make it", project_id=f"whole-{number}")
        assert await orchestrator.replay_project(f"whole-{number}") == state

    async def broken_off() -> None:
        run = asyncio.create_task(
            orchestrator.run_project("Make it", project_id=f"broken-{number}")
        )
        await asyncio.sleep(0.005 * (number % 7))
        run.cancel()
        with suppress(asyncio.CancelledError):
            await run
        if any(each.project_id == f"broken-{number}" for each in shelf.projects() if each.history):
            await orchestrator.resume_project(f"broken-{number}")

    async def streamed() -> None:
        async for _ in orchestrator.stream("Make it", project_id=f"streamed-{number}"):
            pass

    await asyncio.gather(whole(), broken_off(), streamed())


def _counted(state_dir: Path) -> dict[str, Any]:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "memory, MB": round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1),
        "objects": len(gc.get_objects()),
        "threads": threading.active_count(),
        "open files": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        "files of state": sum(1 for _ in state_dir.rglob("*")),
    }


async def _soak(minutes: float, state_dir: Path) -> tuple[int, list[dict[str, Any]]]:
    shelf = Shelf(state_dir, Retention(journals=20, always=5))
    models = cast(ann=Script(decompose=FOUR), bob=Script())
    orchestrator = stage(
        models,
        state_dir=state_dir,
        budget=Budget(max_usd=10),
        clock=SystemClock(),
    )
    began_s, rounds, counts = time.monotonic(), 0, list[dict[str, Any]]()
    async with orchestrator:
        while (passed_s := time.monotonic() - began_s) < minutes * 60:
            if passed_s >= len(counts) * 60:
                counts.append(_counted(state_dir))
                print(rounds, counts[-1], flush=True)
            await _round(orchestrator, shelf, rounds)
            shelf.tidy()
            for each in models.values():
                each.requests.clear()  # what a fake keeps is no growth of ours
            rounds += 1
    counts.append(_counted(state_dir))
    return rounds, counts


def main(minutes: float) -> None:
    provider = TracerProvider()
    provider.add_span_processor(SpanProcessor())
    configure_tracing(TracingConfig(enabled=True), tracer_provider=provider)
    with tempfile.TemporaryDirectory() as name:
        rounds, counts = asyncio.run(_soak(minutes, Path(name)))
    warm, last = counts[min(1, len(counts) - 1)], counts[-1]
    figures = {"minutes": minutes, "runs": rounds * 3, "after a minute": warm, "at the end": last}
    for title, figure in figures.items():
        print(f"  {title:30} {figure}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "soak.json").write_text(json.dumps(figures | {"counts": counts}, indent=2))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 15.0)
