"""What each routing backend makes of a budget: tasks done, how well, and what they cost.

Four models of two providers, one of them beaten by another in everything, write thirty tasks under
budgets from tight to none. A draft is as good as its author, give or take, and costs what such a
draft costs; a score below the threshold brings another attempt.
"""

import asyncio
import json
import random
from pathlib import Path

from run_loop import plan

from orchestrator import telemetry_store
from orchestrator.breaker import Breakers
from orchestrator.budget import Budget
from orchestrator.catalogue import Catalogue, ModelEntry
from orchestrator.clock import SystemClock
from orchestrator.hooks import HookRegistry
from orchestrator.journal import History, Journal
from orchestrator.models import Brief, ProjectState, Reply, Request, Settings, TaskStatus, Usage
from orchestrator.rate_limits import RateLimits
from orchestrator.routing import GreedyBackend, ParetoBackend, RoutingBackend, WeightedSumBackend
from orchestrator.run import Run
from orchestrator.sandbox import Bubblewrap
from orchestrator.workshop import House, open_workshop, opening

TASKS = 30
SEEDS = 6
BUDGETS = (0.3, 0.5, 1.0, 1.5, 2.0, 4.0, None)
BACKENDS: tuple[RoutingBackend, ...] = (GreedyBackend(), WeightedSumBackend(), ParetoBackend())
RESULTS = Path(__file__).parent / "results"
# Quality, and dollars per million tokens each way.
MODELS = {
    "large": ("north", 0.92, 25),
    "medium": ("south", 0.85, 8),
    "small": ("north", 0.72, 0.6),
    "bad": ("south", 0.6, 9),
}
CATALOGUE = Catalogue(
    models=tuple(
        ModelEntry.model_validate(
            {
                "id": name,
                "provider": provider,
                "api": "offline",
                "quality": quality,
                "price": {"input": price, "output": price},
            }
        )
        for name, (provider, quality, price) in MODELS.items()
    )
)


class Writer:
    """A model whose drafts bear its name, and whose scores are those of whoever is named."""

    def __init__(self, name: str, seed: int) -> None:
        self._name = name
        self._chance = random.Random(f"{name}{seed}")

    async def complete(self, request: Request) -> Reply:
        await asyncio.sleep(0)
        usage = Usage(input_tokens=800, output_tokens=1200)
        if request.call_type == "generate":
            text = f"A draft by {self._name}."
        else:
            usage = Usage(input_tokens=1500, output_tokens=60)
            text = '{"points": []}'
        if request.call_type == "evaluate":
            author = next(name for name in MODELS if f"by {name}." in request.prompt.text)
            score = min(1.0, max(0.0, self._chance.gauss(MODELS[author][1], 0.08)))
            text = json.dumps({"reason": "as it is", "score": score})
        return Reply(text=text, usage=usage, served_model=request.model, finish_reason="stop")

    async def close(self) -> None:
        """Nothing to give back."""


async def run(backend: RoutingBackend, max_usd: float | None, seed: int) -> ProjectState:
    clock = SystemClock()
    telemetry, _ = telemetry_store.opened(None, CATALOGUE)
    house = House(
        catalogue=CATALOGUE,
        providers={name: Writer(name, seed) for name in MODELS},
        policies=(),
        pins={},
        routing=backend,
        budget=Budget(max_usd=max_usd),
        settings=Settings(concurrency=4, max_tasks=TASKS),
        telemetry=telemetry,
        breakers=Breakers(clock),
        limits=RateLimits(CATALOGUE, clock),
        hooks=HookRegistry([telemetry]),
        clock=clock,
        sandbox=Bubblewrap(),
        audit=None,
        state_dir=None,
    )
    shop = open_workshop(house, "benchmark", Brief(project="B"), Journal(History(plan=plan(TASKS))))
    return await Run(shop, clock).execute(opening(house, shop, None))


def row(state: ProjectState) -> dict[str, float]:
    scores = [result.score for result in state.results if result.score is not None]
    done = sum(result.status is TaskStatus.COMPLETED for result in state.results)
    return {
        "completed": done,
        "with_a_result": len(scores),
        "mean_score": sum(scores) / len(scores) if scores else 0.0,
        "usd": float(state.total_cost_usd),
    }


def main() -> None:
    figures: dict[str, dict[str, float]] = {}
    print(
        f"routing ({TASKS} tasks, means of {SEEDS} runs: above the threshold, with a result, "
        "mean score, dollars)"
    )
    for budget in BUDGETS:
        for backend in BACKENDS:
            case = f"{'no budget' if budget is None else f'${budget:.2f}'}, {backend.name}"
            rows = [row(asyncio.run(run(backend, budget, seed))) for seed in range(SEEDS)]
            figures[case] = each = {key: sum(one[key] for one in rows) / SEEDS for key in rows[0]}
            print(
                f"  {case:22} {each['completed']:5.1f} {each['with_a_result']:5.1f} "
                f"{each['mean_score']:6.2f} {each['usd']:8.2f}"
            )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "routing.json").write_text(f"{json.dumps(figures, indent=2)}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
