"""The hall: a run opens here, its plan is scheduled, its results are settled."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self
from uuid import uuid4

from orchestrator import (
    audit,
    prices,
    providers,
    remediation,
    run_span,
    streaming,
    telemetry_store,
    tracing,
    validators,
)
from orchestrator.audit import AuditLog
from orchestrator.breaker import Breakers
from orchestrator.budget import Budget
from orchestrator.casting import vacancies_kept
from orchestrator.catalogue import Catalogue, shipped_catalogue
from orchestrator.clock import SystemClock
from orchestrator.errors import InputError
from orchestrator.events import Event, ProjectCompleted, ProjectStarted
from orchestrator.hooks import HookRegistry
from orchestrator.journal import Journal, Shelf
from orchestrator.journal.entries import Settled
from orchestrator.models import Brief, Plan, ProjectState, Role, Settings
from orchestrator.policies import Policy, refuse_unknown
from orchestrator.policy_lint import refuse_unsatisfiable
from orchestrator.policy_rules import ceilings_of
from orchestrator.ports import Clock, Hook, Provider, Sandbox
from orchestrator.rate_limits import RateLimits
from orchestrator.routing import ParetoBackend, RoutingBackend
from orchestrator.run import UNPLANNED, Run
from orchestrator.run_span import budget_told_to
from orchestrator.sandbox import Bubblewrap
from orchestrator.telemetry import TelemetryCollector
from orchestrator.tracing import TracingConfig
from orchestrator.workshop import House, open_workshop, opening

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext


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
        for names in (*settings.validators.values(), settings.skippable):
            validators.refuse_unknown(names)
        remediation.checked(settings.remediation)
        policies = tuple(policies)
        refuse_unknown(policies, catalogue)
        ready = tuple(catalogue[model] for model in connected)
        prices.refuse_unpriced(ready)
        refuse_unsatisfiable(policies, ready)
        self._audit = AuditLog(state_dir / audit.FILE_NAME) if state_dir and policies else None
        telemetry, keepers = telemetry_store.opened(state_dir, catalogue)
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
            limits=RateLimits(catalogue, clock, ceilings_of(policies, catalogue.entries())),
            hooks=HookRegistry([telemetry, *keepers, *hooks]),
            audit=self._audit,
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
            InputError: there is no project to run, or its id is that of another one.
            asyncio.CancelledError: the run was cancelled; its state went out as the last event.
        """
        brief, project_id = _brief(project, criteria), project_id or str(uuid4())
        async with self._journal(project_id) as journal:
            return await self._run(project_id, brief, self._house, journal)

    async def resume_project(self, project_id: str) -> ProjectState:
        """Go on with a project that was broken off; what it has paid for is not paid again.

        Brief and settings are the journal's, but for `concurrency`; the limit on money counts what
        was spent before, the limit on time begins anew.

        Raises:
            InputError: there is nothing to go on with; the sentence says why.
            asyncio.CancelledError: as for `run_project`.
        """
        async with self._shelf().take_up(project_id, self._stopwatch()) as journal:
            began = journal.history.began
            concurrency = self._house.settings.concurrency
            settings = replace(began.settings, concurrency=concurrency)
            house = replace(self._house, settings=settings)
            return await self._run(project_id, began.brief, house, journal)

    async def replay_project(self, project_id: str) -> ProjectState:
        """Run a project from its journal alone: nobody is asked, and nothing is written.

        Raises:
            InputError: there is no journal of it, or it cannot be used.
        """
        journal = Journal(self._shelf().read(project_id), replays=True)
        began = journal.history.began
        # What was measured since, or judged slow by it, must not change what is told.
        house = replace(
            self._house,
            settings=began.settings,
            budget=Budget(),
            telemetry=TelemetryCollector(),
            audit=None,
        )
        return await self._run(project_id, began.brief, house, journal)

    def stream(
        self, project: str, criteria: str = "", *, project_id: str | None = None
    ) -> AsyncGenerator[Event, None]:
        """Run a project and yield its events; who leaves the iteration cancels the run.

        What `run_project` raises is raised after the last event.
        """
        project_id = project_id or str(uuid4())
        begin = partial(self.run_project, project, criteria, project_id=project_id)
        return streaming.stream(self.hooks, project_id, begin)

    async def plan_project(
        self, project: str, criteria: str = "", *, project_id: str | None = None
    ) -> Plan:
        """Decompose the project and run nothing; what that cost is in the last event.

        Nothing of it is kept: a run of the same project plans anew.

        Raises:
            OrchestratorError: there is no plan, and why.
        """
        brief, journal = _brief(project, criteria), Journal()
        shop = open_workshop(self._house, project_id or str(uuid4()), brief, journal)
        run = Run(shop, self._house.clock)
        await shop.hooks.emit(ProjectStarted(project_id=shop.project_id, brief=shop.brief))
        with tracing.traced_run(shop.project_id) as span:
            try:
                plan = await run.plan()
            except asyncio.CancelledError:
                await self._settle(run.cancelled(), span, journal)
                raise
            except UNPLANNED as error:
                await self._settle(run.unplanned(error), span, journal)
                raise
            await self._settle(run.planned(), span, journal)
        return plan

    async def _run(
        self, project_id: str, brief: Brief, house: House, journal: Journal
    ) -> ProjectState:
        shop = open_workshop(house, project_id, brief, journal)
        run = Run(shop, house.clock)
        await shop.hooks.emit(ProjectStarted(project_id=project_id, brief=brief))
        with tracing.traced_run(project_id, _resumed_from(journal)) as span:
            try:
                with (
                    shop.hooks.listening(budget_told_to(span, project_id)),
                    shop.hooks.listening(vacancies_kept(journal, project_id)),
                ):
                    state = await run.execute(opening(house, shop, tracing.traceparent_of(span)))
            except asyncio.CancelledError:
                await self._settle(run.cancelled(), span, journal)
                raise
            await self._settle(state, span, journal)
        return state

    async def _settle(self, state: ProjectState, span: tracing.Span, journal: Journal) -> None:
        budget_usd = self._house.budget.max_usd
        run_span.record(span, state, None if budget_usd is None else float(budget_usd), journal)
        journal.note(
            Settled(status=state.status, failure=state.failure, duration_s=state.duration_s)
        )
        await self.hooks.emit(
            ProjectCompleted(project_id=state.project_id, state=state, is_retold=journal.replays)
        )

    def _journal(self, project_id: str) -> Journal:
        """The journal of a project that begins; one that keeps nothing where there is no place."""
        if self._house.state_dir is None:
            return Journal()
        return self._shelf().begin(project_id, self._stopwatch())

    def _shelf(self) -> Shelf:
        if self._house.state_dir is None:
            raise InputError(
                "There are no journals, because this orchestrator has no state directory. "
                "Give it one: Orchestrator(state_dir=…)."
            )
        return Shelf(self._house.state_dir)

    def _stopwatch(self) -> Callable[[], float]:
        clock, began_s = self._house.clock, self._house.clock.monotonic()
        return lambda: clock.monotonic() - began_s


def _resumed_from(journal: Journal) -> "SpanContext | None":
    """The root of the run that this one takes up."""
    if journal.replays or not journal.is_resumed:
        return None
    return tracing.span_named(journal.history.began.traceparent)


def _brief(project: str, criteria: str) -> Brief:
    if not project.strip():
        raise InputError("The project is empty. Say in a sentence what is to be made.")
    return Brief(project=project, criteria=criteria)
