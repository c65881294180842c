"""No sandbox at all, for those who ask for it by name."""

import sys
import tempfile
from pathlib import Path
from typing import Final

from orchestrator.errors import SandboxRefused
from orchestrator.programs import Ended, Program
from orchestrator.sandbox.bounded import run_bounded

_BOUNDED: Final = """
import runpy, sys
seconds, module, *sys.argv[1:] = sys.argv[1:]
try:
    import resource
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds)))
except (ImportError, ValueError):
    pass  # not every system has it; where less is allowed already, that holds
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""
"""Becomes the module: a loop ends even where nobody is left to stop it, because we were killed."""


class Unsandboxed:
    """Runs programs as the user who runs this, with the user's rights and network.

    They get a directory of their own, an empty environment and the limits of time, processor time
    and output; all that keeps them from the rest of the machine is their author.
    """

    async def run(self, program: Program) -> Ended:
        """Run a program to its end or to its limit.

        Raises:
            SandboxRefused: nothing can be run here; the sentence says why.
        """
        try:
            with tempfile.TemporaryDirectory(prefix="orchestrator-") as folder:
                return await _run(program, Path(folder))
        except OSError as error:
            raise SandboxRefused(f"no program can be started here: {error.strerror}") from error


async def _run(program: Program, home: Path) -> Ended:
    for path, text in program.files.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text, encoding="utf-8", errors="backslashreplace")
    bounded = (_BOUNDED, str(program.limits.cpu_seconds), program.module)
    command = (sys.executable, "-s", "-P", "-c", *bounded, *program.arguments)
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(home), "TMPDIR": str(home)}
    environ |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return await run_bounded(command, program.limits, environ=environ, cwd=home)
