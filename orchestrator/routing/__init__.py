"""Who may serve, and who of them serves best."""

from orchestrator.routing.backends import (
    BACKENDS,
    BackendName,
    Candidate,
    GreedyBackend,
    Left,
    ParetoBackend,
    RoutingBackend,
    Selection,
    WeightedSumBackend,
    Weights,
    backend_called,
)
from orchestrator.routing.router import Choice, Router

__all__ = [
    "BACKENDS",
    "BackendName",
    "Candidate",
    "Choice",
    "GreedyBackend",
    "Left",
    "ParetoBackend",
    "Router",
    "RoutingBackend",
    "Selection",
    "WeightedSumBackend",
    "Weights",
    "backend_called",
]
