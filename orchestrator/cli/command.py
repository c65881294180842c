"""One command line, carried out: everything is built here, run, and shown."""

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from orchestrator import forecast
from orchestrator.budget import Budget
from orchestrator.catalogue import Catalogue, ModelEntry
from orchestrator.cli import job, plan_report, project_list, results, streams
from orchestrator.cli.arguments import Arguments
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.exit_statuses import EXIT_CODES
from orchestrator.cli.interruption import cancelling_on_signals
from orchestrator.cli.job import Job
from orchestrator.cli.metering import metered
from orchestrator.cli.output_folder import OutputFolder
from orchestrator.cli.progress import LineProgress
from orchestrator.engine import Orchestrator
from orchestrator.errors import InputError
from orchestrator.events import Event, PlanReady, ProjectCompleted
from orchestrator.journal import Shelf
from orchestrator.journal.history import FINISHED
from orchestrator.models import Plan, ProjectState, RunStatus
from orchestrator.run import UNPLANNED
from orchestrator.sandbox import Unsandboxed
from orchestrator.state_dir import state_dir
from orchestrator.tracing import TracingConfig, shutdown_tracing


def carry_out(given: Arguments, environ: Mapping[str, str]) -> ExitCode:
    """Do what the command line asks for.

    Raises:
        InputError: something given cannot be used; nothing was run and nothing is left behind.
    """
    if given.list_projects:
        return _list(given, environ)
    return do(job.described(given, environ), given, environ)


def do(what: Job, given: Arguments, environ: Mapping[str, str]) -> ExitCode:
    """Do a job in the way that the command line asks for; raises as `carry_out` does."""
    with ExitStack() as stack:
        stack.enter_context(streams.saying_what_is_logged())
        stack.callback(shutdown_tracing)
        orchestrator = _build(what, given, environ)
        models = [what.catalogue[model] for model in orchestrator.models]
        if given.plan_only:
            return _plan(orchestrator, models, given, what)
        stack.enter_context(metered(orchestrator.hooks, given))
        output_dir = what.asked.output_dir
        folder = OutputFolder(Path(output_dir)) if output_dir is not None else None
        if folder is not None:
            stack.enter_context(folder)
        if not given.is_silent and what.connected is None:
            _note(given, what.catalogue, models)
        return _run(orchestrator, given, what, folder)


def _list(given: Arguments, environ: Mapping[str, str]) -> ExitCode:
    projects = Shelf(state_dir(given.state_dir, environ)).projects()
    if given.json:
        text = results.dumps(project_list.document(projects))
    else:
        text = project_list.markdown(projects)
    return ExitCode.SUCCESS if streams.show(text) else ExitCode.FAILURE


def _build(what: Job, given: Arguments, environ: Mapping[str, str]) -> Orchestrator:
    asked = what.asked
    return Orchestrator(
        catalogue=what.catalogue,
        budget=Budget(max_usd=asked.budget, max_time_s=asked.time),
        policies=what.policies,
        tracing_cfg=_tracing(given),
        settings=asked.settings,
        pins=what.pins,
        routing=asked.backend,
        connected=what.connected,
        environ=environ,
        sandbox=Unsandboxed() if given.unsafe_exec else None,
        state_dir=what.kept_in,
    )


def _tracing(given: Arguments) -> TracingConfig | None:
    if not given.tracing:
        return None
    return TracingConfig(
        enabled=True,
        otlp_endpoint=given.otlp_endpoint,
        sample_rate=1.0 if given.sample_rate is None else given.sample_rate,
        trace_format=given.trace_format or "tree",
        console_last=True,
    )


def _note(given: Arguments, catalogue: Catalogue, models: Sequence[ModelEntry]) -> None:
    """Say what may surprise whoever waits for results or for spans."""
    if all(model.api == "offline" for model in models):
        keys = dict.fromkeys(entry.key_env for entry in catalogue.entries() if entry.key_env)
        cause = f"No key was found ({', '.join(keys)}): using" if keys else "Using"
        streams.say(f"{cause} the embedded offline models, whose text comes from templates.")
    if given.unsafe_exec:
        streams.say("--unsafe-exec runs what models write with your rights and your network.")
    if given.sample_rate is not None and given.sample_rate < 1:
        share = f"{given.sample_rate * 100:g} %"
        streams.say(f"--sample-rate records {share} of runs; the others have no spans.")


class _Outcome:
    """A hook that keeps the plan and the state that a run came to."""

    def __init__(self) -> None:
        self.plan = Plan(tasks=())
        self.state: ProjectState | None = None

    def __call__(self, event: Event) -> None:
        match event:
            case PlanReady():
                self.plan = event.plan
            case ProjectCompleted():
                self.state = event.state


def _run(
    orchestrator: Orchestrator, given: Arguments, what: Job, folder: OutputFolder | None
) -> ExitCode:
    state = asyncio.run(_outcome(orchestrator, given, what)).state
    if state is None:
        return ExitCode.INTERRUPTED
    _complain(state, given)
    if what.kept_in is not None and what.connected is None:
        _advise(state, given)
    text = results.dumps(results.document(state)) if given.json else results.markdown(state)
    shown = streams.show(text)
    kept = folder is None or _keep(folder, state)
    code = EXIT_CODES[state.status]
    return code if shown and kept else code or ExitCode.FAILURE


def _plan(
    orchestrator: Orchestrator, models: Sequence[ModelEntry], given: Arguments, what: Job
) -> ExitCode:
    outcome = asyncio.run(_outcome(orchestrator, given, what))
    state, plan = outcome.state, outcome.plan
    if state is None:
        return ExitCode.INTERRUPTED
    _complain(state, given)
    costs = forecast.forecast(state.brief, plan, models, what.asked.settings)
    if given.json:
        text = results.dumps(plan_report.document(state, plan, costs))
    else:
        text = plan_report.markdown(state, plan, costs)
    code = EXIT_CODES[state.status]
    return code if streams.show(text) else code or ExitCode.FAILURE


async def _outcome(orchestrator: Orchestrator, given: Arguments, what: Job) -> _Outcome:
    """Run or plan the project; its state is None when it was interrupted before it had one."""
    outcome = _Outcome()
    orchestrator.hooks.add(outcome)
    stopping = cancelling_on_signals(silently=given.is_silent)
    # What keeps a project from a plan is said by its state, like every other failure.
    with suppress(asyncio.CancelledError, *UNPLANNED), stopping, _progress(orchestrator, given):
        async with orchestrator:
            await what.begin(orchestrator)
    return outcome


@contextmanager
def _progress(orchestrator: Orchestrator, given: Arguments) -> Iterator[None]:
    """Show what happens on the standard error: a tree where one can be drawn, else lines."""
    if given.is_silent:
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


def _complain(state: ProjectState, given: Arguments) -> None:
    """Say on the standard error why a run failed, for whoever has sent the results elsewhere."""
    if given.has_json_on_stderr or state.status is RunStatus.CANCELLED:
        return
    if state.failure is not None:
        streams.say(f"{state.status.value}: {state.failure.sentence}")


def _advise(state: ProjectState, given: Arguments) -> None:
    """Say how the run is gone on with, where there is something to go on with."""
    if state.status not in FINISHED and not given.is_silent:
        streams.say(f"Go on with it: {job.how_to_go_on(state.project_id, given)}")


def _keep(folder: OutputFolder, state: ProjectState) -> bool:
    try:
        folder.write(results.files(state))
    except OSError as error:
        streams.say(f"Cannot write the output directory: {error.strerror}.")
        return False
    except InputError as error:
        streams.say(f"{error} The results are on the standard output alone.")
        return False
    return True
