"""The command line in processes that are killed, and what their journals and bills say then.

The processes are forked from an interpreter that has imported everything and done nothing.
"""

import json
import multiprocessing
import os
import resource
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from threading import Timer
from typing import Any, Final

from orchestrator.journal import book
from orchestrator.journal.entries import Answered
from tests.model_server import ModelServer

LIMIT_S: Final = 60
MODELS: Final = """\
models:
  - {{id: writer, provider: one, api: openai, base_url: "{url}", quality: 0.9, {price}}}
  - {{id: critic, provider: two, api: openai, base_url: "{url}", quality: 0.1, {price}}}
"""
PRICE: Final = "price: {input: 1, output: 2}"


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["openai", "orchestrator.cli.command", "tests.killing"])
    return context


def _orchestrate(
    arguments: Sequence[str], environ: dict[str, str], said: str, limit_bytes: int
) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, resource.RLIM_INFINITY))
    os.environ.clear()
    os.environ.update(environ)
    for number, name in enumerate(("/dev/null", f"{said}.out", f"{said}.err")):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), number)
    from orchestrator.cli import main

    main(arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A process that has ended."""

    code: int | None
    out: str
    err: str


class Desk:
    """Where command lines are carried out against one server, with one state directory."""

    def __init__(self, server: ModelServer, folder: Path) -> None:
        self.server = server
        self.state = folder / "state"
        self._folder = folder
        self._context = _context()
        folder.mkdir(parents=True, exist_ok=True)
        self._models = folder / "models.yaml"
        self._models.write_text(MODELS.format(url=server.base_url, price=PRICE))

    def begin(
        self, project_id: str, *flags: str, limit_bytes: int = resource.RLIM_INFINITY
    ) -> ForkServerProcess:
        """Begin a project, in a process that can write no file longer than the limit."""
        asked = ("--project", "Make it", "--project-id", project_id, "--models", str(self._models))
        return self._started(project_id, *asked, *flags, limit_bytes=limit_bytes)

    def resume(self, project_id: str, *flags: str) -> ForkServerProcess:
        """Begin to go on with it."""
        return self._started(project_id, "--resume", project_id, *flags)

    def _started(
        self, project_id: str, *arguments: str, limit_bytes: int = resource.RLIM_INFINITY
    ) -> ForkServerProcess:
        environ = {"PATH": "/usr/bin:/bin", "ORCHESTRATOR_STATE_DIR": str(self.state)}
        process = self._context.Process(
            target=_orchestrate,
            args=((*arguments, "--json"), environ, str(self._folder / project_id), limit_bytes),
            name=project_id,
        )
        process.start()
        return process

    def ended(self, process: ForkServerProcess) -> Ended:
        """Wait for its end."""
        process.join(LIMIT_S)
        if process.is_alive():
            process.kill()
            raise AssertionError("the process did not come to its end")
        said = self._folder / process.name
        return Ended(
            code=process.exitcode,
            out=Path(f"{said}.out").read_text(),
            err=Path(f"{said}.err").read_text(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A run that nobody has disturbed."""

    tasks: list[dict[str, Any]]
    requests: Counter[str]
    cost_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run that was killed, and taken up to its end."""

    at: str
    code: int | None
    is_equal: bool
    """Its results are those of an undisturbed run."""
    requests: int
    under_way: int
    """Requests that the server had, and whose answers were not in the journal, at the kill."""
    paid_twice: int
    """Requests made again although their answers were in the journal."""
    lost: int
    """Requests of the undisturbed run that were never made."""
    is_exact: bool
    """The cost, less what is marked as estimated, is that of the undisturbed run."""


def undisturbed(desk: Desk) -> Whole:
    """Run the project to its end."""
    desk.server.requests.clear()
    done = desk.ended(desk.begin("whole"))
    assert done.code == 0, done.err
    said = json.loads(done.out)
    return Whole(
        tasks=_results(said),
        requests=Counter(desk.server.requests),
        cost_usd=said["total_cost_usd"],
    )


def killed(desk: Desk, whole: Whole, project_id: str, request: int, delay_s: float) -> Trial:
    """Kill a run so long after its n-th request has come in, and take it up."""
    server = desk.server
    server.requests.clear()
    process = desk.begin(project_id)

    def kill(number: int) -> None:
        if number == request:
            Timer(delay_s, _kill, (process.pid,)).start()

    server.on_request = kill
    process.join(LIMIT_S)
    server.on_request = lambda _: None
    before, kept = Counter(server.requests), _answers(desk, project_id)
    done = desk.ended(desk.begin(project_id) if kept is None else desk.resume(project_id))
    said = json.loads(done.out) if done.code == 0 else {}
    asked = Counter(server.requests)
    under_way = before.total() - (kept or 0)
    exact = Decimal(repr(said.get("total_cost_usd", 0.0))) - Decimal(
        repr(said.get("estimated_cost_usd", 0.0))
    )
    return Trial(
        at=f"request {request} + {delay_s * 1000:.1f} ms",
        code=done.code,
        is_equal=_results(said) == whole.tasks,
        requests=asked.total(),
        under_way=under_way,
        paid_twice=max(0, (asked - whole.requests).total() - under_way),
        lost=(whole.requests - asked).total(),
        is_exact=exact == Decimal(repr(whole.cost_usd)),
    )


def _kill(pid: int | None) -> None:
    with suppress(ProcessLookupError):  # it has ended meanwhile
        os.kill(pid or 0, signal.SIGKILL)


def _answers(desk: Desk, project_id: str) -> int | None:
    """How many answers its journal holds; None: it has none yet."""
    path = desk.state / "journals" / f"{project_id}.journal"
    if not path.exists() or book.is_blank(path):
        return None
    return sum(isinstance(line.entry, Answered) for line in book.read(path))


def _results(said: dict[str, Any]) -> list[dict[str, Any]]:
    told = ("id", "status", "score", "iterations", "model", "reviewer", "output")
    return [{key: task[key] for key in told} for task in said.get("tasks", [])]
