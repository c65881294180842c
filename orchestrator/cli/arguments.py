"""What may stand on the command line, and what stood there.

`argparse`, because ``--help`` must answer at once: nothing here imports more than the standard
library, and a usage error becomes one sentence like every other bad input.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, Final, Literal, NoReturn

from orchestrator.cli.commands import COMMANDS
from orchestrator.errors import InputError

PROGRAM: Final = "orchestrator"

_DESCRIPTION: Final = (
    "Turn a sentence into reviewed results: the project is split into tasks, each is written by "
    "one model, criticised by another provider's, revised and scored."
)
_EPILOG: Final = (
    "Results go to the standard output as Markdown, everything else to the standard error. "
    "Exit codes: 0 success, 1 failed or degraded, 2 bad input, 3 budget or time exhausted, "
    "130 interrupted. "
    "Commands (each has its --help): {commands}."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """A command line as it was typed; None means that the option was not given."""

    project: str | None
    criteria: str | None
    file: str | None
    project_id: str | None
    resume: str | None
    list_projects: bool
    no_journal: bool
    budget: float | None
    time: float | None
    concurrency: int | None
    threshold: float | None
    max_iterations: int | None
    max_tasks: int | None
    models: str | None
    policies: str | None
    routing: Literal["pareto", "weighted", "greedy"] | None
    plan_only: bool
    unsafe_exec: bool
    output_dir: str | None
    json: bool
    quiet: bool
    verbose: bool
    metrics_file: str | None
    metrics_port: int | None
    tracing: bool
    otlp_endpoint: str | None
    sample_rate: float | None
    trace_format: Literal["tree", "json"] | None
    state_dir: str | None
    version: bool

    @property
    def is_silent(self) -> bool:
        """Nothing is to be said of a run that goes as it should."""
        return self.quiet or self.has_json_on_stderr

    @property
    def has_json_on_stderr(self) -> bool:
        """The standard error is for a program to read, and holds spans alone."""
        return self.trace_format == "json"


_KINDS: Final = {each.name: each.type for each in fields(Arguments)}


def parse(argv: Sequence[str] | None = None) -> Arguments:
    """Read a command line (``sys.argv`` when None); ``--help`` prints and exits with 0.

    Raises:
        InputError: it cannot be understood, or two options contradict each other.
    """
    parser = _parser()
    namespace, unknown = parser.parse_known_args(argv)
    if unknown:
        raise InputError(_unknown_sentence(unknown[0], parser))
    return completed(vars(namespace))


def completed(given: Mapping[str, Any]) -> Arguments:
    """The arguments, where only some of the options could be given.

    Raises:
        InputError: two of them contradict each other.
    """
    nothing = {name: False if kind is bool else None for name, kind in _KINDS.items()}
    arguments = Arguments(**{**nothing, **given})
    _refuse_contradictions(arguments)
    return arguments


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence instead of printing the usage; takes no abbreviations."""

    def __init__(self, **described: Any) -> None:
        super().__init__(add_help=False, allow_abbrev=False, **described)
        self.add_argument("--help", action="help", help="print this and exit")

    def error(self, message: str) -> NoReturn:
        """Refuse the command line; raises InputError."""
        sentence = message[:1].upper() + message[1:]
        raise InputError(f"{sentence}; `{self.prog} --help` shows what fits.")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog=PROGRAM,
        usage=f"{PROGRAM} --project TEXT [options]\n       {PROGRAM} COMMAND [options]",
        description=_DESCRIPTION,
        epilog=_EPILOG.format(
            commands="; ".join(f"{name}: {why}" for name, why in COMMANDS.items())
        ),
    )
    _add_project(parser.add_argument_group("the project"))
    _add_limits(parser.add_argument_group("limits"))
    _add_choices(parser.add_argument_group("models and policies"))
    add_output(parser.add_argument_group("output"))
    add_tracing(parser.add_argument_group("tracing"))
    return parser


def _add_project(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--project", metavar="TEXT", help="what to build or write, in a sentence")
    group.add_argument("--criteria", metavar="TEXT", help="what makes the result good")
    group.add_argument(
        "--file", metavar="FILE", help="a YAML file with these options; a flag beats its entry"
    )
    group.add_argument("--project-id", metavar="ID", help="a name for the run (default: made up)")
    group.add_argument(
        "--resume",
        metavar="ID",
        help="go on with a run that was broken off; what it paid for is not paid again",
    )
    group.add_argument(
        "--plan-only", action="store_true", help="show the tasks and what they may cost, and stop"
    )
    group.add_argument("--list-projects", action="store_true", help="show all runs, and stop")
    group.add_argument(
        "--no-journal", action="store_true", help="keep nothing: the run cannot be resumed"
    )
    group.add_argument("--version", action="store_true", help="print the version and exit")


def _add_limits(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--budget", metavar="USD", type=_number("--budget"), help="never spend more than this"
    )
    group.add_argument(
        "--time", metavar="SECONDS", type=_number("--time"), help="stop after this long"
    )
    group.add_argument(
        "--concurrency", metavar="N", type=_count("--concurrency"), help="tasks at once (4)"
    )
    group.add_argument(
        "--threshold",
        metavar="SCORE",
        type=_number("--threshold"),
        help="the score from 0 to 1 at which a task is done (0.8)",
    )
    group.add_argument(
        "--max-iterations",
        metavar="N",
        type=_count("--max-iterations"),
        help="attempts at each task (3)",
    )
    group.add_argument(
        "--max-tasks", metavar="N", type=_count("--max-tasks"), help="tasks in a plan (20)"
    )


def _add_choices(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--models", metavar="FILE", help="your catalogue of models (YAML)")
    group.add_argument(
        "--routing",
        choices=("pareto", "weighted", "greedy"),
        help="which of the models that may serve is the best (pareto)",
    )
    group.add_argument("--policies", metavar="FILE", help="which models may be used (YAML)")
    group.add_argument(
        "--unsafe-exec",
        action="store_true",
        help="run what models write without a sandbox, as yourself",
    )


def add_output(group: argparse._ArgumentGroup) -> None:
    """Take the options that say what is shown, and where it is kept."""
    group.add_argument(
        "--output-dir", metavar="DIR", help="also write files into this new or empty directory"
    )
    group.add_argument(
        "--json", action="store_true", help="one JSON document on the standard output"
    )
    group.add_argument(
        "--state-dir", metavar="DIR", help="where what outlives a run is kept (the user's state)"
    )
    group.add_argument(
        "--metrics-file",
        metavar="FILE",
        help="figures of calls and tasks: a .prom or .json file, or - for the standard error",
    )
    group.add_argument(
        "--metrics-port",
        metavar="PORT",
        type=_count("--metrics-port"),
        help="answer Prometheus on this port of the loopback while the run lasts",
    )
    group.add_argument("--quiet", action="store_true", help="no progress, no notes")
    group.add_argument("--verbose", action="store_true", help="every call and every decision")


def add_tracing(group: argparse._ArgumentGroup) -> None:
    """Take the options that say whether, where to and how spans are recorded."""
    group.add_argument(
        "--tracing", action="store_true", help="record the run as OpenTelemetry spans"
    )
    group.add_argument(
        "--otlp-endpoint", metavar="URL", help="send the spans there, not to the console"
    )
    group.add_argument(
        "--sample-rate",
        metavar="RATE",
        type=_number("--sample-rate"),
        help="the share of runs to record, from 0 to 1 (1)",
    )
    group.add_argument(
        "--trace-format",
        choices=("tree", "json"),
        help="how the console shows spans (tree); json: one a line, and nothing else there",
    )


def _number(flag: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            return float(text)
        except ValueError:
            raise InputError(f"{flag} takes a number, not {text!r}.") from None

    return read


def _count(flag: str) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            return int(text)
        except ValueError:
            raise InputError(f"{flag} takes a whole number, not {text!r}.") from None

    return read


def _unknown_sentence(argument: str, parser: argparse.ArgumentParser) -> str:
    if argument in COMMANDS:
        return (
            f"{argument!r} is a command, which comes before all options: `{PROGRAM} {argument} …`."
        )
    if not argument.startswith("-"):
        return (
            f"{argument!r} belongs to no option; put the whole project in quotes: "
            '--project "Build a …".'
        )
    flag = argument.partition("=")[0]
    known = [name for action in parser._actions for name in action.option_strings]  # noqa: SLF001 - argparse has no public list of its options
    near = get_close_matches(flag, known, n=1)
    advice = f"did you mean {near[0]}?" if near else f"`{PROGRAM} --help` lists them all."
    return f"There is no option {flag!r}; {advice}"


_FIXED: Final = {
    "--project": "project",
    "--criteria": "criteria",
    "--file": "file",
    "--project-id": "project_id",
    "--threshold": "threshold",
    "--max-iterations": "max_iterations",
    "--max-tasks": "max_tasks",
    "--plan-only": "plan_only",
    "--no-journal": "no_journal",
}
"""What a run that goes on has from its journal, by the flag that would say otherwise."""


def _refuse_other_than_journalled(arguments: Arguments) -> None:
    for flag, name in _FIXED.items():
        if getattr(arguments, name) not in {None, False}:
            raise InputError(
                f"--resume takes a run up as its journal describes it; leave {flag} out. "
                "What may change are its limits, models, policies and routing."
            )


def _refuse_contradictions(arguments: Arguments) -> None:
    if arguments.resume is not None:
        _refuse_other_than_journalled(arguments)
    needs_tracing = {
        "--otlp-endpoint": arguments.otlp_endpoint,
        "--sample-rate": arguments.sample_rate,
        "--trace-format": arguments.trace_format,
    }
    for flag, value in needs_tracing.items():
        if value is not None and not arguments.tracing:
            raise InputError(f"{flag} {value} does nothing without tracing; add --tracing.")
    if arguments.trace_format and arguments.otlp_endpoint:
        raise InputError(
            f"--trace-format {arguments.trace_format} is about the console, but the spans go to "
            f"{arguments.otlp_endpoint!r}; leave one of the two out."
        )
    talking = {"--verbose": arguments.verbose, "--metrics-file -": arguments.metrics_file == "-"}
    for flag, talks in talking.items():
        if talks and arguments.has_json_on_stderr:
            raise InputError(
                f"{flag} would write among the spans of --trace-format json; leave one of the two "
                "out."
            )
    if arguments.plan_only and arguments.output_dir is not None:
        raise InputError("--plan-only writes no files; leave --output-dir out.")
    if arguments.quiet and arguments.verbose:
        raise InputError("--quiet and --verbose contradict each other; leave one of them out.")
