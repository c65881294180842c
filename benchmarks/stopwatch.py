"""Times snippets side by side: each in its own compiled loop, in turns, the minimum of many."""

import json
import timeit
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A snippet and the names it uses."""

    title: str
    code: str
    names: Mapping[str, Any]


def measure(cases: list[Case], *, loops: int, rounds: int) -> dict[str, float]:
    """Nanoseconds of each case, without the loop around it; the collector runs as users have it."""
    timers = [
        timeit.Timer(case.code, "import gc; gc.enable()", globals={**case.names}) for case in cases
    ]
    empty = timeit.Timer("pass", "import gc; gc.enable()")
    best = [float("inf")] * len(cases)
    idle = float("inf")
    for _ in range(rounds):
        idle = min(idle, empty.timeit(loops))
        for number, timer in enumerate(timers):
            best[number] = min(best[number], timer.timeit(loops))
    return {case.title: (best[number] - idle) / loops * 1e9 for number, case in enumerate(cases)}


def report(name: str, figures: dict[str, float], reference: str, unit: str, per: float) -> None:
    """Print a table against `reference`, and keep it as JSON beside the others."""
    print(f"{name} ({unit}, relative to: {reference})")
    for title, value in figures.items():
        print(f"  {title:62} {value / per:10.3f} {value / figures[reference]:8.2f}")
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({"unit": "ns", "reference": reference, "figures": figures}, indent=2)
    (RESULTS / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")
