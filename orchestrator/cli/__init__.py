"""The front door: argv in, exit code out.

Nothing heavy is imported before the command line is understood, so ``--help`` answers at once.
"""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from orchestrator.cli.arguments import Arguments
    from orchestrator.cli.exit_codes import ExitCode

DISTRIBUTION: Final = "multi-llm-orchestrator"


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Carry out a command line (``sys.argv`` when None) and exit with its code."""
    # Imported within, even what is light: Ctrl-C is answered from the first moment.
    try:
        code = _answer(argv)
    except KeyboardInterrupt:
        from orchestrator.cli.exit_codes import ExitCode

        code = ExitCode.INTERRUPTED
    sys.exit(code)


def _answer(argv: Sequence[str] | None) -> "ExitCode":
    from orchestrator.cli import arguments, commands, streams
    from orchestrator.cli.exit_codes import ExitCode
    from orchestrator.errors import InputError

    streams.open_both()
    words = sys.argv[1:] if argv is None else argv
    try:
        if words and words[0] in commands.COMMANDS:
            return commands.answer(words, os.environ)
        given = arguments.parse(words)
        if not given.version:
            return _carried_out(given)
    except InputError as error:
        streams.say(str(error))
        return ExitCode.BAD_INPUT
    from importlib.metadata import version

    streams.show(f"{arguments.PROGRAM} {version(DISTRIBUTION)}\n")
    return ExitCode.SUCCESS


def _carried_out(given: "Arguments") -> "ExitCode":
    from orchestrator.cli import command

    return command.carry_out(given, os.environ)
