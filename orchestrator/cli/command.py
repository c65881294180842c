"""One command line, carried out: everything is built here, run, and shown."""

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from orchestrator import forecast
from orchestrator.budget import Budget
from orchestrator.catalogue import Catalogue, ModelEntry, load_catalogue, shipped_catalogue
from orchestrator.cli import plan_report, results, streams
from orchestrator.cli.arguments import Arguments
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.interruption import cancelling_on_signals
from orchestrator.cli.output_folder import OutputFolder
from orchestrator.cli.progress import LineProgress
from orchestrator.cli.run_file import RunFile, describe
from orchestrator.engine import Orchestrator
from orchestrator.errors import BudgetExceeded, InputError, OrchestratorError, TimeExceeded
from orchestrator.events import Event, ProjectCompleted
from orchestrator.models import Brief, Plan, ProjectState, RunStatus
from orchestrator.policies import load_policies
from orchestrator.tracing import TracingConfig, shutdown_tracing

EXIT_CODES: Final = {
    RunStatus.SUCCESS: ExitCode.SUCCESS,
    RunStatus.COMPLETED_DEGRADED: ExitCode.FAILURE,
    RunStatus.PARTIAL_SUCCESS: ExitCode.FAILURE,
    RunStatus.FAILED: ExitCode.FAILURE,
    RunStatus.BUDGET_EXHAUSTED: ExitCode.EXHAUSTED,
    RunStatus.TIMEOUT: ExitCode.EXHAUSTED,
    RunStatus.CANCELLED: ExitCode.INTERRUPTED,
}


def carry_out(given: Arguments, environ: Mapping[str, str]) -> ExitCode:
    """Do what the command line asks for.

    Raises:
        InputError: something given cannot be used; nothing was run and nothing is left behind.
    """
    asked = describe(_entries(given), Path(given.file) if given.file is not None else None)
    catalogue = shipped_catalogue() if asked.models is None else load_catalogue(Path(asked.models))
    with ExitStack() as stack:
        stack.callback(shutdown_tracing)
        orchestrator = _build(given, asked, catalogue, environ)
        models = [catalogue[model] for model in orchestrator.models]
        if given.plan_only:
            return _plan(orchestrator, models, given, asked)
        folder = OutputFolder(Path(asked.output_dir)) if asked.output_dir is not None else None
        if folder is not None:
            stack.enter_context(folder)
        if all(model.api == "offline" for model in models):
            streams.say(_offline_note(catalogue))
        return _run(orchestrator, given, asked, folder)


def _entries(given: Arguments) -> dict[str, Any]:
    """The flags that a run file may hold as well."""
    return {key: value for key, value in asdict(given).items() if key in RunFile.model_fields}


def _build(
    given: Arguments, asked: RunFile, catalogue: Catalogue, environ: Mapping[str, str]
) -> Orchestrator:
    return Orchestrator(
        catalogue=catalogue,
        budget=Budget(max_usd=asked.budget, max_time_s=asked.time),
        policies=load_policies(Path(asked.policies)) if asked.policies is not None else (),
        tracing_cfg=_tracing(given),
        settings=asked.settings,
        environ=environ,
    )


def _tracing(given: Arguments) -> TracingConfig | None:
    if not given.tracing:
        return None
    return TracingConfig(
        enabled=True,
        otlp_endpoint=given.otlp_endpoint,
        sample_rate=1.0 if given.sample_rate is None else given.sample_rate,
        trace_format=given.trace_format or "tree",
    )


def _offline_note(catalogue: Catalogue) -> str:
    keys = dict.fromkeys(entry.key_env for entry in catalogue.entries() if entry.key_env)
    cause = f"No key was found ({', '.join(keys)}): using" if keys else "Using"
    return f"{cause} the embedded offline models, whose text comes from templates."


def _run(
    orchestrator: Orchestrator, given: Arguments, asked: RunFile, folder: OutputFolder | None
) -> ExitCode:
    state = asyncio.run(_state(orchestrator, given, asked))
    if state is None:
        return ExitCode.INTERRUPTED
    _complain(state)
    code = EXIT_CODES[state.status]
    text = results.dumps(results.document(state)) if given.json else results.markdown(state)
    shown = streams.show(text)
    kept = folder is None or _keep(folder, state)
    return code if shown and kept else code or ExitCode.FAILURE


async def _state(
    orchestrator: Orchestrator, given: Arguments, asked: RunFile
) -> ProjectState | None:
    """Run the project; None when it was interrupted before it began."""
    last: list[ProjectState] = []

    def remember(event: Event) -> None:
        if isinstance(event, ProjectCompleted):
            last.append(event.state)

    orchestrator.hooks.add(remember)
    try:
        with cancelling_on_signals(), _progress(orchestrator, given):
            async with orchestrator:
                return await orchestrator.run_project(
                    asked.project, asked.criteria, project_id=asked.project_id
                )
    except asyncio.CancelledError:
        return last[-1] if last else None


def _plan(
    orchestrator: Orchestrator, models: Sequence[ModelEntry], given: Arguments, asked: RunFile
) -> ExitCode:
    try:
        plan = asyncio.run(_decomposed(orchestrator, given, asked))
    except InputError:
        raise
    except OrchestratorError as error:
        streams.say(str(error))
        limited = isinstance(error, BudgetExceeded | TimeExceeded)
        return ExitCode.EXHAUSTED if limited else ExitCode.FAILURE
    if plan is None:
        return ExitCode.INTERRUPTED
    brief = Brief(project=asked.project, criteria=asked.criteria)
    costs = forecast.forecast(brief, plan, models, asked.settings)
    if given.json:
        text = results.dumps(plan_report.document(brief, plan, costs))
    else:
        text = plan_report.markdown(brief, plan, costs)
    return ExitCode.SUCCESS if streams.show(text) else ExitCode.FAILURE


async def _decomposed(orchestrator: Orchestrator, given: Arguments, asked: RunFile) -> Plan | None:
    """Plan the project; None when that was interrupted."""
    try:
        with cancelling_on_signals(), _progress(orchestrator, given):
            async with orchestrator:
                return await orchestrator.plan_project(
                    asked.project, asked.criteria, project_id=asked.project_id
                )
    except asyncio.CancelledError:
        return None


@contextmanager
def _progress(orchestrator: Orchestrator, given: Arguments) -> Iterator[None]:
    """Show what happens on the standard error: a tree where one can be drawn, else lines."""
    if given.quiet:
        yield
    elif sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        from rich.console import Console

        from orchestrator.cli.live_tree import LiveTree

        # The tree stays only where the results will not follow it on the same terminal.
        keep = not sys.stdout.isatty()
        with LiveTree(Console(stderr=True), verbose=given.verbose, keep=keep) as tree:
            orchestrator.hooks.add(tree)
            yield
    else:
        orchestrator.hooks.add(LineProgress(sys.stderr, verbose=given.verbose))
        yield


def _complain(state: ProjectState) -> None:
    """Say on the standard error why a run failed, for whoever has sent the results elsewhere."""
    if state.failure is not None and state.status is not RunStatus.CANCELLED:
        streams.say(f"{state.status.value}: {state.failure.sentence}")


def _keep(folder: OutputFolder, state: ProjectState) -> bool:
    try:
        folder.write(results.files(state))
    except OSError as error:
        streams.say(f"Cannot write the output directory: {error.strerror}.")
        return False
    return True
