"""`orchestrator doctor`: which models of the catalogue are ready, and what the others lack."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.catalogue import ModelEntry, load_catalogue, shipped_catalogue
from orchestrator.cli import streams
from orchestrator.cli.arguments import PROGRAM, Parser
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.providers import ready_models


def answer(argv: Sequence[str], environ: Mapping[str, str]) -> ExitCode:
    """Print a line for each model; 1 when the only ones that are ready are offline.

    Raises:
        InputError: the catalogue cannot be used.
    """
    parser = Parser(prog=f"{PROGRAM} doctor", description="Say which models are ready.")
    parser.add_argument("--models", metavar="FILE", help="your catalogue of models (YAML)")
    given = parser.parse_args(argv)
    catalogue = shipped_catalogue() if given.models is None else load_catalogue(Path(given.models))
    ready = ready_models(catalogue, environ)
    streams.show("".join(f"{_line(entry, entry in ready)}\n" for entry in catalogue.entries()))
    return ExitCode.FAILURE if all(entry.api == "offline" for entry in ready) else ExitCode.SUCCESS


def _line(entry: ModelEntry, is_ready: bool) -> str:  # noqa: FBT001 - said of the entry beside it
    if is_ready:
        state = "ready"
    elif entry.api == "offline":
        state = "not used: another model is ready"
    else:
        state = f"not ready: set {entry.key_env}"
    return f"{entry.id} ({entry.provider}): {state}"
