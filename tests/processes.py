"""Processes of their own: no plugin, no provider, no environment but what a test gives them."""

import atexit
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent
from typing import IO, Final

ENVIRON: Final = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
_PREFACE: Final = "from orchestrator.tracing import *\n"
_NURSERY: Final = """
import json, os, sys
import orchestrator.tracing, orchestrator.tracing.provider, orchestrator.tracing.recorder
import opentelemetry.exporter.otlp.proto.grpc.trace_exporter
import opentelemetry.exporter.otlp.proto.http.trace_exporter

for line in sys.stdin:
    job = json.loads(line)
    child = os.fork()
    if not child:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    raise SystemExit

os.environ.clear()
os.environ.update(job["environ"])
for number, name in enumerate(("/dev/null", job["stdout"], job["stderr"])):
    os.dup2(os.open(name, os.O_RDWR | os.O_CREAT), number)
exec(compile(job["code"], "<test>", "exec"), {"__name__": "__main__"})
"""


def fresh(code: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run the code, which has the names of `orchestrator.tracing`, to its end.

    It runs in a fork of an interpreter that has imported OpenTelemetry and done nothing else, and
    ends as any process does; what is read from the environment on import needs `started`.
    """
    nursery, code = _nursery(), _PREFACE + dedent(code)
    with TemporaryDirectory() as folder:
        stdout, stderr = Path(folder, "stdout"), Path(folder, "stderr")
        job = {
            "code": code,
            "environ": ENVIRON | environ,
            "stdout": str(stdout),
            "stderr": str(stderr),
        }
        _pipe(nursery.stdin).write(f"{json.dumps(job)}\n")
        _pipe(nursery.stdin).flush()
        returncode = int(_pipe(nursery.stdout).readline())
        return subprocess.CompletedProcess(
            [code], returncode, stdout.read_text("utf-8"), stderr.read_text("utf-8")
        )


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


@cache
def _nursery() -> "subprocess.Popen[str]":
    """One for each worker, with which it ends."""
    nursery = subprocess.Popen(
        [sys.executable, "-c", _NURSERY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=ENVIRON | {key: value for key, value in os.environ.items() if key.startswith("COV")},
        text=True,
    )
    atexit.register(nursery.communicate)
    return nursery


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream
