"""What is to be run: a project that begins, one that goes on, or one that is replayed."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from orchestrator.catalogue import Catalogue, load_catalogue, shipped_catalogue
from orchestrator.cli.arguments import PROGRAM, Arguments
from orchestrator.cli.run_file import RunFile, describe
from orchestrator.engine import Orchestrator
from orchestrator.errors import NotInJournal
from orchestrator.journal import Shelf
from orchestrator.journal.entries import Began, Chosen
from orchestrator.models import Reply, Request, Role
from orchestrator.policies import Policy, load_policies
from orchestrator.ports import Provider
from orchestrator.routing import BACKENDS, Weights
from orchestrator.state_dir import state_dir

Begin = Callable[[Orchestrator], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A run with everything that its files hold, ready to be built."""

    asked: RunFile
    catalogue: Catalogue
    policies: tuple[Policy, ...]
    begin: Begin
    pins: Mapping[Role, str] = field(default_factory=dict)
    connected: Mapping[str, Provider] | None = None
    """Who answers; None: the catalogue's models that are ready."""
    kept_in: Path | None = None
    """Where its journal is; None: it has none."""


def described(given: Arguments, environ: Mapping[str, str]) -> Job:
    """The run that a command line asks for.

    Raises:
        InputError: a file cannot be used, or there is no such journal.
    """
    kept_in = None if given.no_journal else state_dir(given.state_dir, environ)
    if given.resume is not None:
        return _taken_up(given.resume, given, state_dir(given.state_dir, environ))
    flags = {key: value for key, value in asdict(given).items() if key in RunFile.model_fields}
    asked = describe(flags, Path(given.file) if given.file is not None else None)

    def begin(orchestrator: Orchestrator) -> Awaitable[object]:
        run = orchestrator.plan_project if given.plan_only else orchestrator.run_project
        return run(asked.project, asked.criteria, project_id=asked.project_id)

    return Job(
        asked=asked,
        catalogue=_catalogue(asked.models) or shipped_catalogue(),
        policies=_policies(asked.policies) or (),
        begin=begin,
        kept_in=kept_in,
    )


def replayed(project_id: str, given: Arguments, environ: Mapping[str, str]) -> Job:
    """A project's run out of its journal, in which nobody can be asked.

    Raises:
        InputError: there is no journal of it, or it cannot be used.
    """
    kept_in = state_dir(given.state_dir, environ)
    history = Shelf(kept_in).read(project_id)
    chosen = {
        choice.model
        for choices in history.choices.values()
        for choice in choices
        if isinstance(choice, Chosen)
    }
    known = {entry.id for entry in history.began.catalogue.entries()}
    job = _job(history.began, given, kept_in, lambda it: it.replay_project(project_id))
    return replace(job, connected={model: _Nobody() for model in (chosen & known or known)})


def _taken_up(project_id: str, given: Arguments, kept_in: Path) -> Job:
    before = Shelf(kept_in).read(project_id).began
    return _job(before, given, kept_in, lambda it: it.resume_project(project_id))


def _job(before: Began, given: Arguments, kept_in: Path, begin: Begin) -> Job:
    """The run as its journal describes it; its limits, models and rules may be given anew."""
    settings, budget_usd = before.settings, before.budget_usd
    asked = RunFile.model_construct(
        project=before.brief.project,
        criteria=before.brief.criteria,
        project_id=before.project_id,
        budget=given.budget if given.budget is not None else budget_usd and float(budget_usd),
        time=given.time if given.time is not None else before.max_time_s,
        concurrency=given.concurrency or settings.concurrency,
        threshold=settings.threshold,
        max_iterations=settings.max_iterations,
        max_tasks=settings.max_tasks,
        models=given.models,
        policies=given.policies,
        routing=given.routing or (before.routing if before.routing in BACKENDS else "pareto"),
        weights=Weights(**before.weights) if before.weights and not given.routing else None,
        output_dir=given.output_dir,
        validators={kind: list(names) for kind, names in settings.validators.items()},
        skippable=list(settings.skippable),
        remediation={trigger: list(plan) for trigger, plan in settings.remediation.items()},
    )
    policies = _policies(given.policies)
    return Job(
        asked=asked,
        catalogue=_catalogue(given.models) or before.catalogue,
        policies=before.policies if policies is None else policies,
        begin=begin,
        pins=before.pins,
        kept_in=kept_in,
    )


def how_to_go_on(project_id: str, given: Arguments) -> str:
    """What is typed to take a run up."""
    where = f" --state-dir {Path(given.state_dir).absolute()}" if given.state_dir else ""
    return f"{PROGRAM} --resume {project_id}{where}"


def _catalogue(path: str | None) -> Catalogue | None:
    return None if path is None else load_catalogue(Path(path))


def _policies(path: str | None) -> tuple[Policy, ...] | None:
    return None if path is None else load_policies(Path(path))


class _Nobody:
    """Who stands in for a model that a replay must not ask."""

    async def complete(self, request: Request) -> Reply:
        raise NotInJournal(f"A replay asks nobody, and {request.model!r} was to be asked.")

    async def close(self) -> None:
        """There is nothing to give back."""
