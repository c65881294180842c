"""A command line, carried out in this process by the front door."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from orchestrator.cli import main


class Done(NamedTuple):
    """What came of it."""

    code: int | str | None
    out: str
    err: str


Run = Callable[..., Done]


def carry_out(capsys: pytest.CaptureFixture[str], *args: str) -> Done:
    """Do what it says, as the shell would."""
    with pytest.raises(SystemExit) as exit_:
        main(args)
    said = capsys.readouterr()
    return Done(exit_.value.code, said.out, said.err)
