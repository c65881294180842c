"""The hall: a run opens here, its plan is scheduled, its results are settled."""

import asyncio
import os
from collections.abc import Iterable, Mapping
from typing import Self
from uuid import uuid4

from orchestrator import prices, providers, tracing
from orchestrator.budget import Budget
from orchestrator.catalogue import Catalogue, shipped_catalogue
from orchestrator.clock import SystemClock
from orchestrator.errors import InputError
from orchestrator.events import ProjectCompleted, ProjectStarted
from orchestrator.hooks import HookRegistry
from orchestrator.models import Brief, Plan, ProjectState, Role, Settings
from orchestrator.policies import Policy, refuse_unknown
from orchestrator.ports import Clock, Hook, Provider
from orchestrator.run import UNPLANNED, Run
from orchestrator.telemetry import TelemetryCollector
from orchestrator.tracing import TracingConfig


class Orchestrator:
    """Runs projects; an instance may run several at once, and they share nothing but telemetry.

    Args:
        catalogue: the models there are; the shipped ones unless given.
        budget: what each run may spend, in dollars and seconds.
        policies: which models may be used for what.
        tracing_cfg: passed to `configure_tracing`; None leaves tracing as it is.
        hooks: called with every event of every run.
        settings: how hard a run tries.
        pins: a model id per role, where the choice is not to be the router's.
        connected: providers by model id; None connects the catalogue's that are ready.
        environ: where keys and base URLs are read from.
        clock: time, for back-off and limits.

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
        connected: Mapping[str, Provider] | None = None,
        environ: Mapping[str, str] = os.environ,
        clock: Clock | None = None,
    ) -> None:
        if tracing_cfg is not None:
            tracing.configure_tracing(tracing_cfg)
        self.telemetry = TelemetryCollector()
        self.hooks = HookRegistry([self.telemetry, *hooks])
        self._catalogue = catalogue or shipped_catalogue()
        self._clock = clock or SystemClock()
        self._providers = (
            connected
            if connected is not None
            else providers.connect(self._catalogue, environ, self._clock)
        )
        self._budget = budget or Budget()
        self._policies = tuple(policies)
        self._settings = settings or Settings()
        self._pins = pins or {}
        refuse_unknown(self._policies, self._catalogue)
        prices.refuse_unpriced(self._catalogue[model] for model in self._providers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Give back every provider's connections."""
        for provider in self._providers.values():
            await provider.close()

    @property
    def models(self) -> tuple[str, ...]:
        """The ids of the models that are ready."""
        return tuple(self._providers)

    async def run_project(
        self, project: str, criteria: str = "", *, project_id: str | None = None
    ) -> ProjectState:
        """Decompose the project, run its tasks, settle.

        Raises:
            InputError: there is no project to run.
            asyncio.CancelledError: the run was cancelled; its state went out as the last event.
        """
        run = self._open(project, criteria, project_id)
        await self.hooks.emit(ProjectStarted(project_id=run.project_id, brief=run.brief))
        with tracing.traced_run(run.project_id) as span:
            try:
                state = await run.execute(span)
            except asyncio.CancelledError:
                state = run.cancelled()
                run.record(span, state)
                await self.hooks.emit(ProjectCompleted(project_id=run.project_id, state=state))
                raise
            run.record(span, state)
        await self.hooks.emit(ProjectCompleted(project_id=run.project_id, state=state))
        return state

    async def plan_project(
        self, project: str, criteria: str = "", *, project_id: str | None = None
    ) -> Plan:
        """Decompose the project and run nothing.

        Raises:
            OrchestratorError: there is no plan, and why.
        """
        run = self._open(project, criteria, project_id)
        with tracing.traced_run(run.project_id) as span:
            try:
                plan = await run.plan()
            except UNPLANNED as error:
                run.record(span, run.unplanned(error))
                raise
            run.record(span, run.planned())
        return plan

    def _open(self, project: str, criteria: str, project_id: str | None) -> Run:
        if not project.strip():
            raise InputError("The project is empty. Say in a sentence what is to be made.")
        return Run(
            project_id=project_id or str(uuid4()),
            brief=Brief(project=project, criteria=criteria),
            catalogue=self._catalogue,
            providers=self._providers,
            policies=self._policies,
            telemetry=self.telemetry,
            hooks=self.hooks,
            budget=self._budget,
            settings=self._settings,
            pins=self._pins,
            clock=self._clock,
        )
