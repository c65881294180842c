"""The commands beside the main one, each a room of its own that is entered when it is called."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from orchestrator.cli.exit_codes import ExitCode

COMMANDS: Final = {
    "doctor": "say which models are ready, and what the others lack",
    "explain": "say which models were looked at for each task, and why who was chosen",
    "policies": "find contradictions in a policy file (policies lint FILE)",
    "replay": "run a project from its journal alone, asking nobody",
    "show": "show what a project has come to",
}
"""What can stand first on the command line instead of an option, and what it is for."""


def answer(argv: Sequence[str], environ: Mapping[str, str]) -> "ExitCode":
    """Carry out the command that the first word names.

    Raises:
        InputError: it cannot be carried out as it was typed.
    """
    command = import_module(f"{__name__}.{argv[0]}")
    code: ExitCode = command.answer(argv[1:], environ)
    return code
