"""Processes of their own: no plugin, no provider, no environment but what a test gives them."""

import subprocess
import sys
from textwrap import dedent
from typing import Final

ENVIRON: Final = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
_PREFACE: Final = "from orchestrator.tracing import *\n"


def fresh(code: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run the code, which has the names of `orchestrator.tracing`, to its end."""
    return subprocess.run(
        command(code),
        capture_output=True,
        text=True,
        timeout=90,
        env=ENVIRON | environ,
        check=False,
    )


def command(code: str) -> list[str]:
    """What runs the code in an interpreter of its own."""
    return [sys.executable, "-c", _PREFACE + dedent(code)]
