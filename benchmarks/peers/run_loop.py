"""What a task of three model calls costs in the graph libraries people use, beside ours.

Run by `make bench-peers` in an environment of its own. Every peer runs the same independent tasks,
each three calls of the same model one after the other, in the way its own pages recommend; nobody
keeps anything, and nobody traces. Each is a process of its own: CPU time a task (the same tasks,
merely awaited, are subtracted), the memory it added, and what its import took.

The peers run three functions. Ours writes prompts, reserves a budget, asks policies, chooses
models, reads structured answers, validates and scores.
"""

import asyncio
import json
import operator
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

TASKS = 300
FEWER = {"prefect": 30}
"""It keeps every task in a database by way of a server: ten times as many take minutes."""

RESULTS = Path(__file__).parents[1] / "results"
STAGES = ("generate", "critique", "evaluate")


async def ask(stage: str) -> str:
    """The model: it answers as soon as the loop comes back to it."""
    await asyncio.sleep(0)
    return stage


async def bare(tasks: int) -> None:
    async def one() -> None:
        for stage in STAGES:
            await ask(stage)

    await asyncio.gather(*(one() for _ in range(tasks)))


def ours() -> Callable[[int], Awaitable[Any]]:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import run_loop

    return lambda tasks: run_loop.run(run_loop.plan(tasks))


def langgraph() -> Callable[[int], Awaitable[Any]]:
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import Send
    from typing_extensions import TypedDict

    class One(TypedDict, total=False):
        generate: str
        critique: str
        evaluate: str

    class All(TypedDict):
        tasks: int
        done: Annotated[list[str], operator.add]

    def stage(name: str) -> Callable[[One], Awaitable[One]]:
        async def run(_: One) -> One:
            return {name: await ask(name)}  # type: ignore[misc]

        return run

    task: Any = StateGraph(One)
    for before, name in zip((START, *STAGES), (*STAGES, END), strict=True):
        if name != END:
            task.add_node(f"do_{name}", stage(name))
        source = before if before == START else f"do_{before}"
        task.add_edge(source, name if name == END else f"do_{name}")
    one = task.compile()

    async def run_one(_: One) -> dict[str, list[str]]:
        return {"done": [(await one.ainvoke({}))["evaluate"]]}

    graph: Any = StateGraph(All)
    graph.add_node("one", run_one)
    graph.add_conditional_edges(START, lambda state: [Send("one", {})] * state["tasks"], ["one"])
    graph.add_edge("one", END)
    compiled = graph.compile()

    async def run(tasks: int) -> None:
        result = await compiled.ainvoke({"tasks": tasks, "done": []}, {"max_concurrency": 64})
        assert len(result["done"]) == tasks

    return run


def pydantic_graph() -> Callable[[int], Awaitable[Any]]:
    from pydantic_graph import GraphBuilder, StepContext, reduce_list_append

    builder = GraphBuilder(input_type=list[int], output_type=list[str])

    @builder.step
    async def generate(_: StepContext[Any, Any, int]) -> str:
        return await ask("generate")

    @builder.step
    async def critique(_: StepContext[Any, Any, str]) -> str:
        return await ask("critique")

    @builder.step
    async def evaluate(_: StepContext[Any, Any, str]) -> str:
        return await ask("evaluate")

    done = builder.join(reduce_list_append, initial_factory=list[str])
    builder.add(
        builder.edge_from(builder.start_node).map().to(generate),
        builder.edge_from(generate).to(critique),
        builder.edge_from(critique).to(evaluate),
        builder.edge_from(evaluate).to(done),
        builder.edge_from(done).to(builder.end_node),
    )
    graph = builder.build()

    async def run(tasks: int) -> None:
        assert len(await graph.run(inputs=list(range(tasks)))) == tasks

    return run


def prefect() -> Callable[[int], Awaitable[Any]]:
    os.environ |= {
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_HOME": tempfile.mkdtemp(),
    }
    from prefect import flow, task

    calls = [task(ask, name=name) for name in STAGES]

    @flow
    async def project(tasks: int) -> None:
        slots = asyncio.Semaphore(64)

        async def one() -> None:
            async with slots:
                for call, stage in zip(calls, STAGES, strict=True):
                    await call(stage)

        await asyncio.gather(*(one() for _ in range(tasks)))

    return project


PEERS = {"ours": ours, "langgraph": langgraph, "pydantic_graph": pydantic_graph, "prefect": prefect}


def measured(peer: str) -> dict[str, float]:
    """What one peer takes, in this process."""
    tasks = FEWER.get(peer, TASKS)
    empty_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began_s = time.process_time()
    run = PEERS[peer]()
    import_s = time.process_time() - began_s

    async def best_s(run: Callable[[int], Awaitable[Any]], rounds: int) -> float:
        await run(3)  # what is made once is made
        best = float("inf")
        for _ in range(rounds):
            began_s = time.process_time()
            await run(tasks)
            best = min(best, time.process_time() - began_s)
        return best

    took_s = asyncio.run(best_s(run, 3)) - asyncio.run(best_s(bare, 3))
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - empty_mb
    return {"us_a_task": took_s / tasks * 1e6, "megabytes": megabytes, "import_s": import_s}


def main() -> None:
    figures = {}
    print(f"run_loop beside its peers ({TASKS} tasks; CPU µs a task, MB, s of import)")
    for peer in PEERS:
        done = subprocess.run(
            [sys.executable, __file__, peer], capture_output=True, text=True, check=False
        )
        if done.returncode:
            print(f"  {peer:16} left out: {done.stderr.strip().splitlines()[-1][:70]}")
            continue
        figures[peer] = row = json.loads(done.stdout.splitlines()[-1])
        print(
            f"  {peer:16} {row['us_a_task']:10.0f} {row['megabytes']:8.0f} {row['import_s']:8.2f}"
        )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "run_loop_peers.json").write_text(f"{json.dumps(figures, indent=2)}\n", "utf-8")


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(measured(sys.argv[1])))
    else:
        main()
