"""What the journal costs: microseconds a call at the door, one after the other and side by side.

The answers take no time, so that everything that is measured is the orchestrator's own; each
figure is the least of several rounds. Also bytes a call, and what reading it all again takes.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from orchestrator.clock import SystemClock
from orchestrator.journal import Journal, Shelf, book
from orchestrator.models import Prompt, Task
from tests.fakes import ScriptedProvider, door

CALLS = 1000
ROUNDS = 5
TEXT = "An answer of usual length is two thousand characters long. " * 34
PROMPT = Prompt(system="You write.", text="What is asked takes as many. " * 70)
RESULTS = Path(__file__).parent / "results"


@asynccontextmanager
async def _journal(folder: Path | None, project_id: str) -> AsyncIterator[Journal]:
    if folder is None:
        yield Journal()
        return
    async with Shelf(folder).begin(project_id, time.monotonic) as journal:
        yield journal


async def _round(folder: Path | None, project_id: str, at_once: int) -> float:
    """Seconds a call."""
    async with _journal(folder, project_id) as journal:
        provider = ScriptedProvider(then=TEXT)
        client = door({"m": provider}, clock=SystemClock(), journal=journal)
        task = Task(id="t1", title="Write", instructions="Write.", type="writing")

        async def ask(share: int) -> None:
            for number in range(share):
                await client.call(
                    "m", PROMPT, call_type="generate", task=task, iteration=number + 1
                )

        began_s = time.perf_counter()
        await asyncio.gather(*(ask(CALLS // at_once) for _ in range(at_once)))
        return (time.perf_counter() - began_s) / (CALLS // at_once * at_once)


def main() -> None:
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for at_once in (1, 64):
            for kept in (None, folder):
                title = f"{'with' if kept else 'without'} a journal, {at_once} at once"
                figures[title] = 1e6 * min(
                    asyncio.run(_round(kept, f"p{at_once}-{number}", at_once))
                    for number in range(ROUNDS)
                )
        path = folder / "journals" / "p1-0.journal"
        figures["bytes a call"] = path.stat().st_size / CALLS
        began_s = time.perf_counter()
        lines = book.read(path)
        figures["reading it again, a call"] = 1e6 * (time.perf_counter() - began_s) / CALLS
        assert len(lines) == 2 * CALLS
    print("What the journal costs (µs a call)")
    for title, figure in figures.items():
        print(f"  {title:62} {figure:10.0f}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "journal.json").write_text(json.dumps({"unit": "µs", "figures": figures}, indent=2))


if __name__ == "__main__":
    main()
