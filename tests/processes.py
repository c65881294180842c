"""Processes of their own: no plugin, no provider, no environment but what a test gives them."""

import subprocess
import sys
from textwrap import dedent
from typing import Final

from tests.nursery import forked

ENVIRON: Final = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
_PREFACE: Final = "from orchestrator.tracing import *\n"
_IMPORTS: Final = """
import orchestrator.tracing, orchestrator.tracing.provider, orchestrator.tracing.recorder
import opentelemetry.exporter.otlp.proto.grpc.trace_exporter
import opentelemetry.exporter.otlp.proto.http.trace_exporter
"""


def fresh(code: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run the code, which has the names of `orchestrator.tracing`, to its end.

    It runs in a fork of an interpreter that has imported OpenTelemetry and done nothing else, and
    ends as any process does; what is read from the environment on import needs `started`.
    """
    return forked(_PREFACE + dedent(code), ENVIRON | environ, imports=_IMPORTS)


def started(code: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """The same in an interpreter that starts with the environment."""
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
