"""Run a project from Python and look at its results: `python examples/library.py`."""

import asyncio

from orchestrator import Budget, Orchestrator, ProjectState, Settings


def show(event: object) -> None:
    """A hook is called with every event of the run; an async one is awaited."""
    print(type(event).__name__)


async def main() -> ProjectState:
    async with Orchestrator(
        budget=Budget(max_usd=1.00, max_time_s=300),
        settings=Settings(threshold=0.8, concurrency=8),
        hooks=[show],
    ) as orchestrator:
        return await orchestrator.run_project(
            "Build a rate limiter library", "token bucket, thread safe, tested"
        )


if __name__ == "__main__":
    state = asyncio.run(main())
    for result in state.results:
        print(f"{result.task.title}: {result.status}, score {result.score}")
    print(f"{state.status}, ${state.total_cost_usd}")
