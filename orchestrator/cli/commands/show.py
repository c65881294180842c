"""`orchestrator show ID`: what a project has come to, as its run has shown it or would have."""

from collections.abc import Mapping, Sequence

from orchestrator.cli import results, streams
from orchestrator.cli.arguments import PROGRAM, Parser
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.exit_statuses import EXIT_CODES
from orchestrator.journal import Shelf
from orchestrator.state_dir import state_dir


def answer(argv: Sequence[str], environ: Mapping[str, str]) -> ExitCode:
    """Print the results that a journal holds; the exit code is that of the run.

    Raises:
        InputError: there is no journal of the project, or it cannot be used.
    """
    parser = Parser(prog=f"{PROGRAM} show", description="Show what a project has come to.")
    parser.add_argument("project_id", metavar="ID", help="as --list-projects says it")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--state-dir", metavar="DIR", help="where the journals are")
    given = parser.parse_args(argv)
    shelf = Shelf(state_dir(given.state_dir, environ))
    state = shelf.read(given.project_id).state()
    if shelf.is_running(given.project_id):
        streams.say("It is being run now; this is how far it has come.")
    text = results.dumps(results.document(state)) if given.json else results.markdown(state)
    code = EXIT_CODES[state.status]
    return code if streams.show(text) else code or ExitCode.FAILURE
