"""`orchestrator replay ID`: a project's run once more, told by its journal, asking nobody."""

from collections.abc import Mapping, Sequence

from orchestrator.cli import arguments, command, job
from orchestrator.cli.arguments import PROGRAM, Parser
from orchestrator.cli.exit_codes import ExitCode


def answer(argv: Sequence[str], environ: Mapping[str, str]) -> ExitCode:
    """Run it, with spans if they are asked for, and print the same results every time.

    Raises:
        InputError: there is no journal of the project, or it cannot be used.
    """
    parser = Parser(
        prog=f"{PROGRAM} replay",
        description="Run a project from its journal alone: nobody is asked, nothing is paid.",
    )
    parser.add_argument("project_id", metavar="ID", help="as --list-projects says it")
    arguments.add_output(parser.add_argument_group("output"))
    arguments.add_tracing(parser.add_argument_group("tracing"))
    namespace = vars(parser.parse_args(argv))
    project_id = namespace.pop("project_id")
    given = arguments.completed(namespace)
    return command.do(job.replayed(project_id, given, environ), given, environ)
