"""What all tasks of one run work with, built from what its orchestrator was given."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.admission import Gate
from orchestrator.api_clients import UnifiedClient
from orchestrator.audit import AuditLog
from orchestrator.breaker import Breakers
from orchestrator.budget import Budget, Deadline, Ledger
from orchestrator.casting import Casting
from orchestrator.catalogue import Catalogue
from orchestrator.hooks import HookRegistry
from orchestrator.journal import Journal
from orchestrator.journal.entries import Began
from orchestrator.models import Brief, Role, Settings
from orchestrator.policies import Policy
from orchestrator.policy_engine import PolicyEngine
from orchestrator.ports import Clock, Provider, Sandbox
from orchestrator.rate_limits import RateLimits
from orchestrator.remediation import RemediationEngine
from orchestrator.routing import Router, RoutingBackend, WeightedSumBackend
from orchestrator.telemetry import TelemetryCollector


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What every run of an orchestrator shares."""

    catalogue: Catalogue
    providers: Mapping[str, Provider]
    policies: tuple[Policy, ...]
    pins: Mapping[Role, str]
    routing: RoutingBackend
    budget: Budget
    settings: Settings
    telemetry: TelemetryCollector
    breakers: Breakers
    limits: RateLimits
    hooks: HookRegistry
    clock: Clock
    sandbox: Sandbox
    audit: AuditLog | None
    state_dir: Path | None
    """Where what outlives a run is kept; None: nothing is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """One run's own: its money, its time, its door to the models, and who chooses among them."""

    project_id: str
    brief: Brief
    ledger: Ledger
    deadline: Deadline
    client: UnifiedClient
    casting: Casting
    remediation: RemediationEngine
    hooks: HookRegistry
    settings: Settings
    sandbox: Sandbox
    journal: Journal


def open_workshop(house: House, project_id: str, brief: Brief, journal: Journal) -> Workshop:
    """Set up a run; its time starts now.

    Raises:
        InputError: no model is ready, or a pinned one is not.
    """
    before = journal.history.spending
    ledger = Ledger(house.budget.max_usd, spent=before.cost_usd, estimated=before.estimated_usd)
    deadline = Deadline(house.clock, house.budget.max_time_s)
    gate = Gate(
        project_id=project_id,
        breakers=house.breakers,
        limits=house.limits,
        deadline=deadline,
        hooks=house.hooks,
        clock=house.clock,
    )
    policies = PolicyEngine(
        house.policies,
        project_id=project_id,
        hooks=house.hooks,
        telemetry=house.telemetry,
        audit=house.audit,
        replays=journal.replays,
    )
    return Workshop(
        project_id=project_id,
        brief=brief,
        ledger=ledger,
        deadline=deadline,
        client=UnifiedClient(
            project_id=project_id,
            catalogue=house.catalogue,
            providers=house.providers,
            ledger=ledger,
            deadline=deadline,
            gate=gate,
            hooks=house.hooks,
            clock=house.clock,
            journal=journal,
        ),
        casting=Casting(
            Router(
                project_id=project_id,
                catalogue=house.catalogue,
                ready=tuple(house.providers),
                policies=policies,
                telemetry=house.telemetry,
                gate=gate,
                ledger=ledger,
                hooks=house.hooks,
                pins=house.pins,
                backend=house.routing,
            ),
            journal,
        ),
        remediation=RemediationEngine(
            project_id=project_id,
            hooks=house.hooks,
            plans=house.settings.remediation,
            has_told=journal.has_told,
        ),
        hooks=house.hooks,
        settings=house.settings,
        sandbox=house.sandbox,
        journal=journal,
    )


def opening(house: House, shop: Workshop, traceparent: str | None) -> Began:
    """What the journal says first of a run: all that another process needs to go on with it."""
    routing = house.routing
    return Began(
        project_id=shop.project_id,
        began_at=datetime.now(UTC),
        brief=shop.brief,
        settings=shop.settings,
        budget_usd=shop.ledger.max_usd,
        max_time_s=house.budget.max_time_s,
        catalogue=house.catalogue,
        policies=house.policies,
        pins=dict(house.pins),
        routing=routing.name,
        weights=(routing.weights.model_dump() if isinstance(routing, WeightedSumBackend) else None),
        traceparent=traceparent,
    )
