"""Warm interpreters: one has made its imports once, and forks a process for every job."""

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Final

_LIMIT_S: Final = 100
_PROGRAM: Final = """
import json, os, signal, sys
{imports}

for line in sys.stdin:
    job = json.loads(line)
    child = os.fork()
    if not child:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    raise SystemExit

signal.alarm({limit})
os.environ.clear()
os.environ.update(job["environ"])
os.chdir(job["folder"])
for number, name in enumerate(("/dev/null", job["stdout"], job["stderr"])):
    os.dup2(os.open(name, os.O_RDWR | os.O_CREAT), number)
exec(compile(job["code"], "<test>", "exec"), {{"__name__": "__main__"}})
"""


def forked(
    code: str, environ: Mapping[str, str], *, imports: str
) -> "subprocess.CompletedProcess[str]":
    """Run the code to its end, in the working directory, with this environment and no other.

    It has a process of its own that has imported what it needs, and done nothing else; it ends as
    any process does.

    Args:
        code: Python.
        environ: What the process finds in its environment; too late for what reads it on import.
        imports: Statements; all jobs with the same ones are forks of one interpreter.
    """
    nursery = _nursery(imports)
    with TemporaryDirectory() as folder:
        stdout, stderr = Path(folder, "stdout"), Path(folder, "stderr")
        job = {
            "code": code,
            "environ": dict(environ),
            "folder": str(Path.cwd()),
            "stdout": str(stdout),
            "stderr": str(stderr),
        }
        _pipe(nursery.stdin).write(f"{json.dumps(job)}\n")
        _pipe(nursery.stdin).flush()
        returncode = int(_pipe(nursery.stdout).readline())
        return subprocess.CompletedProcess(
            [code], returncode, stdout.read_text("utf-8"), stderr.read_text("utf-8")
        )


@cache
def _nursery(imports: str) -> "subprocess.Popen[str]":
    """One for each worker, with which it ends."""
    measuring = {key: value for key, value in os.environ.items() if key.startswith("COV")}
    nursery = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM.format(imports=imports, limit=_LIMIT_S)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)} | measuring,
        text=True,
    )
    atexit.register(nursery.communicate)
    return nursery


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream
