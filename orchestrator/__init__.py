"""One command turns a sentence into reviewed results, and the run is one span tree.

    async with Orchestrator(budget=Budget(max_usd=1)) as orchestrator:
        state = await orchestrator.run_project("Build a rate limiter library", "thread safe")

The names are imported when they are first used: `import orchestrator` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from orchestrator.budget import Budget
    from orchestrator.catalogue import Catalogue, ModelEntry, load_catalogue
    from orchestrator.engine import Orchestrator
    from orchestrator.errors import InputError, OrchestratorError
    from orchestrator.models import ProjectState, RunStatus, Settings, TaskResult, TaskStatus
    from orchestrator.policies import Policy, load_policies
    from orchestrator.routing import GreedyBackend, ParetoBackend, WeightedSumBackend
    from orchestrator.tracing import TracingConfig, configure_tracing, shutdown_tracing

__all__ = [
    "Budget",
    "Catalogue",
    "GreedyBackend",
    "InputError",
    "ModelEntry",
    "Orchestrator",
    "OrchestratorError",
    "ParetoBackend",
    "Policy",
    "ProjectState",
    "RunStatus",
    "Settings",
    "TaskResult",
    "TaskStatus",
    "TracingConfig",
    "WeightedSumBackend",
    "configure_tracing",
    "load_catalogue",
    "load_policies",
    "shutdown_tracing",
]

_HOMES: Final = {
    "Budget": "budget",
    "Catalogue": "catalogue",
    "GreedyBackend": "routing",
    "InputError": "errors",
    "ModelEntry": "catalogue",
    "Orchestrator": "engine",
    "OrchestratorError": "errors",
    "ParetoBackend": "routing",
    "Policy": "policies",
    "ProjectState": "models",
    "RunStatus": "models",
    "Settings": "models",
    "TaskResult": "models",
    "TaskStatus": "models",
    "TracingConfig": "tracing",
    "WeightedSumBackend": "routing",
    "configure_tracing": "tracing",
    "load_catalogue": "catalogue",
    "load_policies": "policies",
    "shutdown_tracing": "tracing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
