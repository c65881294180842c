"""The front door: argv in, exit code out.

Nothing heavy is imported before the command line is understood, so ``--help`` answers at once.
"""

import os
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

from orchestrator.cli import arguments, streams
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.errors import InputError

DISTRIBUTION: Final = "multi-llm-orchestrator"


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Carry out a command line (``sys.argv`` when None) and exit with its code."""
    streams.open_both()
    try:
        code = _answer(argv)
    except InputError as error:
        streams.say(str(error))
        code = ExitCode.BAD_INPUT
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    sys.exit(code)


def _answer(argv: Sequence[str] | None) -> ExitCode:
    given = arguments.parse(argv)
    if given.version:
        from importlib.metadata import version

        streams.show(f"{arguments.PROGRAM} {version(DISTRIBUTION)}\n")
        return ExitCode.SUCCESS
    from orchestrator.cli import command

    return command.carry_out(given, os.environ)
