"""The hall: a run opens here, its plan is scheduled, its results are settled."""

import asyncio
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self
from uuid import uuid4

from orchestrator import audit, prices, providers, run_span, tracing, validators
from orchestrator.audit import AuditLog
from orchestrator.breaker import Breakers
from orchestrator.budget import Budget
from orchestrator.catalogue import Catalogue, shipped_catalogue
from orchestrator.clock import SystemClock
from orchestrator.errors import InputError
from orchestrator.events import ProjectCompleted, ProjectStarted
from orchestrator.hooks import HookRegistry
from orchestrator.models import Brief, Plan, ProjectState, Role, Settings
from orchestrator.policies import Policy, refuse_unknown
from orchestrator.policy_lint import refuse_unsatisfiable
from orchestrator.ports import Clock, Hook, Provider, Sandbox
from orchestrator.routing import ParetoBackend, RoutingBackend
from orchestrator.run import UNPLANNED, Run
from orchestrator.run_span import budget_told_to
from orchestrator.sandbox import Bubblewrap
from orchestrator.telemetry import TelemetryCollector
from orchestrator.tracing import TracingConfig
from orchestrator.workshop import House, Workshop, open_workshop


class Orchestrator:
    """Runs projects; several at once share what is known of models, and nothing else.

    Args:
        catalogue: the models there are; the shipped ones unless given.
        budget: what each run may spend, in dollars and seconds.
        policies: which models may be used for what.
        tracing_cfg: passed to `configure_tracing`; None leaves tracing as it is.
        hooks: called with every event of every run.
        settings: how hard a run tries.
        pins: a model id per role, where the choice is not to be the router's.
        routing: what the best of several models is; a `ParetoBackend` unless given.
        connected: providers by model id; None connects the catalogue's that are ready.
        environ: where keys and base URLs are read from.
        clock: time, for back-off and limits.
        sandbox: where what models write is run; None: bubblewrap, where it works.
        state_dir: where what outlives a run is kept, such as the audit; None keeps nothing.

    Raises:
        InputError: something given cannot be used; the sentence says what.
    """

    def __init__(
        self,
        *,
        catalogue: Catalogue | None = None,
        budget: Budget | None = None,
        policies: Iterable[Policy] = (),
        tracing_cfg: TracingConfig | None = None,
        hooks: Iterable[Hook] = (),
        settings: Settings | None = None,
        pins: Mapping[Role, str] | None = None,
        routing: RoutingBackend | None = None,
        connected: Mapping[str, Provider] | None = None,
        environ: Mapping[str, str] = os.environ,
        clock: Clock | None = None,
        sandbox: Sandbox | None = None,
        state_dir: Path | None = None,
    ) -> None:
        if tracing_cfg is not None:
            tracing.configure_tracing(tracing_cfg)
        catalogue = catalogue or shipped_catalogue()
        clock = clock or SystemClock()
        if connected is None:
            connected = providers.connect(catalogue, environ, clock)
        settings = settings or Settings()
        for names in settings.validators.values():
            validators.refuse_unknown(names)
        policies = tuple(policies)
        refuse_unknown(policies, catalogue)
        ready = tuple(catalogue[model] for model in connected)
        prices.refuse_unpriced(ready)
        refuse_unsatisfiable(policies, ready)
        self._audit = AuditLog(state_dir / audit.FILE_NAME) if state_dir and policies else None
        telemetry = TelemetryCollector()
        self._house = House(
            catalogue=catalogue,
            providers=connected,
            policies=policies,
            pins=pins or {},
            routing=routing or ParetoBackend(),
            budget=budget or Budget(),
            settings=settings,
            telemetry=telemetry,
            breakers=Breakers(clock),
            hooks=HookRegistry([telemetry, *([self._audit] if self._audit else ()), *hooks]),
            clock=clock,
            sandbox=sandbox or Bubblewrap(),
            state_dir=state_dir,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Give back every provider's connections, and let go of the audit file."""
        for provider in self._house.providers.values():
            await provider.close()
        if self._audit is not None:
            self._audit.close()

    @property
    def models(self) -> tuple[str, ...]:
        """The ids of the models that are ready."""
        return tuple(self._house.providers)

    @property
    def hooks(self) -> HookRegistry:
        """Where to add and remove hooks while runs are on."""
        return self._house.hooks

    @property
    def telemetry(self) -> TelemetryCollector:
        """What is known of each model by having used it."""
        return self._house.telemetry

    async def run_project(
        self, project: str, criteria: str = "", *, project_id: str | None = None
    ) -> ProjectState:
        """Decompose the project, run its tasks, settle.

        Raises:
            InputError: there is no project to run.
            asyncio.CancelledError: the run was cancelled; its state went out as the last event.
        """
        shop = self._open(project, criteria, project_id)
        run = Run(shop, self._house.clock)
        await shop.hooks.emit(ProjectStarted(project_id=shop.project_id, brief=shop.brief))
        with tracing.traced_run(shop.project_id) as span:
            try:
                with shop.hooks.listening(budget_told_to(span, shop.project_id)):
                    state = await run.execute()
            except asyncio.CancelledError:
                await self._settle(run.cancelled(), span)
                raise
            await self._settle(state, span)
        return state

    async def plan_project(
        self, project: str, criteria: str = "", *, project_id: str | None = None
    ) -> Plan:
        """Decompose the project and run nothing; what that cost is in the last event.

        Raises:
            OrchestratorError: there is no plan, and why.
        """
        shop = self._open(project, criteria, project_id)
        run = Run(shop, self._house.clock)
        await shop.hooks.emit(ProjectStarted(project_id=shop.project_id, brief=shop.brief))
        with tracing.traced_run(shop.project_id) as span:
            try:
                plan = await run.plan()
            except asyncio.CancelledError:
                await self._settle(run.cancelled(), span)
                raise
            except UNPLANNED as error:
                await self._settle(run.unplanned(error), span)
                raise
            await self._settle(run.planned(), span)
        return plan

    def _open(self, project: str, criteria: str, project_id: str | None) -> Workshop:
        if not project.strip():
            raise InputError("The project is empty. Say in a sentence what is to be made.")
        brief = Brief(project=project, criteria=criteria)
        return open_workshop(self._house, project_id or str(uuid4()), brief)

    async def _settle(self, state: ProjectState, span: tracing.Span) -> None:
        budget_usd = self._house.budget.max_usd
        run_span.record(span, state, None if budget_usd is None else float(budget_usd))
        await self.hooks.emit(ProjectCompleted(project_id=state.project_id, state=state))
