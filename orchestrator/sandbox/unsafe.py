"""No sandbox at all, for those who ask for it by name."""

import sys
import tempfile
from pathlib import Path

from orchestrator.programs import Ended, Program
from orchestrator.sandbox.bounded import run_bounded


class Unsandboxed:
    """Runs programs as the user who runs this, with the user's rights and network.

    They get a directory of their own, an empty environment and the limits of time and output; all
    that keeps them from the rest of the machine is their author.
    """

    async def run(self, program: Program) -> Ended:
        """Run a program to its end or to its limit."""
        with tempfile.TemporaryDirectory(prefix="orchestrator-") as folder:
            home = Path(folder)
            for path, text in program.files.items():
                (home / path).parent.mkdir(parents=True, exist_ok=True)
                (home / path).write_text(text, encoding="utf-8", errors="backslashreplace")
            command = (sys.executable, "-s", "-P", "-m", program.module, *program.arguments)
            environ = {"PATH": "/usr/bin:/bin", "HOME": folder, "TMPDIR": folder}
            environ |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
            return await run_bounded(command, program.limits, environ=environ, cwd=home)
