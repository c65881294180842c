"""Whole runs on scripted models: what each is asked, and what it answers, is in the test."""

import json
from collections import deque
from typing import Any

from orchestrator.budget import Budget
from orchestrator.engine import Orchestrator
from orchestrator.models import CallType, Request
from tests.fakes import ManualClock, ScriptedProvider, Step, catalogue, model


def plan(*tasks: tuple[str, list[str]], **facts: Any) -> str:
    """The answer of a planner: task ids, each with those it depends on."""
    return json.dumps(
        {
            "tasks": [
                {
                    "id": name,
                    "title": f"Write {name}",
                    "instructions": f"Write {name} down.",
                    "type": "writing",
                    "depends_on": needs,
                }
                | facts
                for name, needs in tasks
            ]
        }
    )


def critique(*points: str) -> str:
    """The answer of a reviewer: what is missing."""
    return json.dumps({"points": points})


def score(value: float) -> str:
    """The answer of a reviewer: how good it is."""
    return json.dumps({"reason": "as scripted", "score": value})


class Script:
    """Answers by what is asked for: a list is played to its end, its last step for ever."""

    def __init__(self, **by_call_type: Step | list[Step]) -> None:
        usual: dict[str, Step | list[Step]] = {
            "decompose": plan(("a", [])),
            "generate": "A first draft.",
            "critique": critique("It lacks a title."),
            "revise": "A title, and a better draft.",
            "evaluate": score(0.9),
        }
        self._steps = {
            call_type: deque(steps if isinstance(steps, list) else [steps])
            for call_type, steps in (usual | by_call_type).items()
        }

    def __call__(self, request: Request) -> Step:
        steps = self._steps[request.call_type]
        return steps.popleft() if len(steps) > 1 else steps[0]


def cast(**scripts: Script | Step) -> dict[str, ScriptedProvider]:
    """Models by id, each of a provider of its own."""
    return {name: ScriptedProvider(then=script) for name, script in scripts.items()}


def stage(
    models: dict[str, ScriptedProvider],
    *,
    budget: Budget | None = None,
    price: dict[str, float] | None = None,
    prices: dict[str, dict[str, float]] | None = None,
    **facts: Any,
) -> Orchestrator:
    """An orchestrator with these models; the first is the better author, time is manual."""
    price, prices = price or {"input": 1, "output": 1}, prices or {}
    entries = [
        model(name, provider=f"{name}_inc", quality=0.9 - index / 10, price=prices.get(name, price))
        for index, name in enumerate(models)
    ]
    facts = {"clock": ManualClock(), **facts}
    return Orchestrator(
        catalogue=catalogue(*entries), connected=models, budget=budget or Budget(), **facts
    )


def asked(provider: ScriptedProvider) -> list[CallType]:
    """What a model was asked for, in order."""
    return [request.call_type for request in provider.requests]
