"""A sandbox made of the kernel's namespaces, by bubblewrap."""

import os
import random
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Final

from orchestrator.errors import SandboxRefused
from orchestrator.programs import Ended, Limits, Program
from orchestrator.sandbox.bounded import run_bounded
from orchestrator.sandbox.interpreter import SYSTEM, interpreter
from orchestrator.sandbox.seccomp import refusals

WORK: Final = "/work"
"""The directory that a program runs in; it lies in memory and goes with the sandbox."""

STRANGERS: Final = range(60706, 61184)
"""User ids that are nobody's (systemd leaves them free); where we are root, one of them runs it."""

_NOBODY: Final = 65534
_SYSTEM_LINKS: Final = ("/bin", "/lib", "/lib32", "/lib64", "/sbin")
_SHARED_MEMORY: Final = 16 << 20

_FIRST_TO_GO: Final = ("/usr/bin/choom", "-n", "1000", "--")
"""When memory runs out; said outside, because inside ``/proc`` is read-only and it stays so."""

_SHUT: Final = b"shut"
_PROBE: Final = f"""
import _thread, os, sys
witness, outside, *program = sys.argv[1:]
shared = [of for of in outside.split() if os.readlink("/proc/self/ns/" + of.split(":")[0]) == of]
assert not shared, "it would share " + " ".join(shared) + " with this machine"
assert os.getuid() != 0, "it would run as root"
assert not os.path.exists("/etc/shadow"), "it would see the files of this machine"
_thread.start_new_thread(int, ())
os.write(int(witness), {_SHUT!r})
os.close(int(witness))
os.execv(sys.executable, [sys.executable, *program])
"""
"""Looks around inside, and becomes the program only where it is shut off."""


class Bubblewrap:
    """Runs programs in bubblewrap: those that are seen to be shut off, and no other.

    Inside there are ``/usr`` and the interpreter, read-only; a directory in memory; no environment;
    a network of its own that leads nowhere, not even to the host's loopback; no process but its
    own. Whoever we are, it is somebody else: as root it would be beyond the limit of processes.

    Args:
        command: the name or the path of ``bwrap``, 0.8 or later.
    """

    def __init__(self, command: str = "bwrap") -> None:
        self._command = command

    async def run(self, program: Program) -> Ended:
        """Run a program to its end or to its limit.

        Raises:
            SandboxRefused: no sandbox can be made here; the sentence says why.
        """
        path = shutil.which(self._command)
        if path is None:
            raise SandboxRefused(
                f"{self._command} is not installed; install bubblewrap 0.8 or later"
            )
        try:
            ended, is_shut = await _run(path, program)
        except OSError as error:
            cause = f"{error.filename or path} cannot be started: {error.strerror}"
            raise SandboxRefused(cause) from error
        if not is_shut:
            raise SandboxRefused(f"{self._command} {_cause(ended, program.limits)}")
        return ended


async def _run(path: str, program: Program) -> tuple[Ended, bool]:
    """How it ended, and whether the probe has seen that it is shut off."""
    with ExitStack() as stack:
        files = {
            name: stack.enter_context(_in_memory(text.encode(errors="backslashreplace")))
            for name, text in program.files.items()
        }
        witness, rules = (stack.enter_context(_in_memory(text)) for text in (b"", refusals()))
        given = {name: file.fileno() for name, file in files.items()}
        command = _command(program, given, witness.fileno(), rules.fileno())
        ended = await run_bounded(
            [*_FIRST_TO_GO, path, *command],
            program.limits,
            environ={},  # it could read bubblewrap's environment: that has to be empty as well
            pass_fds=[witness.fileno(), rules.fileno(), *given.values()],
        )
        return ended, os.pread(witness.fileno(), len(_SHUT), 0) == _SHUT


def _cause(ended: Ended, limits: Limits) -> str:
    """Why the probe did not get to see that it is shut off."""
    if ended.stopped == "time":
        return f"was not ready in {limits.seconds:.3g} s"
    said = ended.output.strip().splitlines() or [f"exit code {ended.exit_code}"]
    return f"can make no sandbox here: {said[-1]}"


def _command(program: Program, files: Mapping[str, int], witness: int, rules: int) -> Iterator[str]:
    """Everything after ``bwrap``; the numbers are descriptors."""
    yield from _shut_off()
    yield from _file_system(program.limits)
    yield from _given(files)
    if refusals():
        yield from ("--seccomp", str(rules))
    yield from ("--remount-ro", "/", "--")
    yield from _bounds(program.limits)
    inside = interpreter()
    yield from (inside.executable, "-I", "-S", "-c", _PROBE)
    yield from (str(witness), " ".join(_namespaces()))
    yield from (*inside.flags, "-m", program.module, *program.arguments)


def _namespaces() -> Iterator[str]:
    """Ours, of which it must have none."""
    for kind in ("ipc", "mnt", "net", "pid", "uts"):
        yield str(Path(f"/proc/self/ns/{kind}").readlink())


def _shut_off() -> Iterator[str]:
    """No namespace of ours, and no way to get one; gone as soon as we are."""
    for what in ("pid", "net", "ipc", "uts", "cgroup-try"):
        yield f"--unshare-{what}"
    yield from ("--die-with-parent", "--new-session", "--clearenv")
    if os.geteuid() == 0:
        # What is left is given up when `setpriv` takes the stranger's id.
        yield from ("--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
    else:
        yield from ("--unshare-user", "--disable-userns")
        yield from ("--uid", str(_NOBODY), "--gid", str(_NOBODY))


def _file_system(limits: Limits) -> Iterator[str]:
    yield from ("--ro-bind", str(SYSTEM), str(SYSTEM))
    for link in map(Path, _SYSTEM_LINKS):
        if link.is_symlink():
            yield from ("--symlink", str(link.readlink()), str(link))
        elif link.is_dir():
            yield from ("--ro-bind", str(link), str(link))
    made = set[Path]()
    for outside, inside in interpreter().mounts:
        # Directories that bubblewrap makes by itself are closed to everybody but root.
        for parent in [*reversed(Path(inside).parents)][1:]:
            if parent not in made:
                yield from ("--perms", "0755", "--dir", str(parent))
                made.add(parent)
        yield from ("--ro-bind", outside, inside)
    yield from ("--proc", "/proc", "--dev", "/dev")
    yield from _memory("/dev/shm", _SHARED_MEMORY)  # noqa: S108 - inside
    yield from ("--remount-ro", "/dev", "--remount-ro", "/proc")
    yield from _memory("/tmp", limits.disk_bytes // 2)  # noqa: S108 - inside
    yield from _memory(WORK, limits.disk_bytes // 2)
    yield from ("--chdir", WORK)


def _memory(path: str, size: int) -> Iterator[str]:
    yield from ("--perms", "1777", "--size", str(size), "--tmpfs", path)


def _given(fds: Mapping[str, int]) -> Iterator[str]:
    """The program's files, copied in, and its environment."""
    made = set[Path]()
    for path, fd in fds.items():
        for parent in [*reversed(Path(path).parents)][1:]:
            if parent not in made:
                yield from ("--perms", "0777", "--dir", f"{WORK}/{parent}")
                made.add(parent)
        yield from ("--perms", "0666", "--file", str(fd), f"{WORK}/{path}")
    environ = {"PATH": "/usr/bin", "HOME": WORK, "USER": "stranger", "MALLOC_ARENA_MAX": "2"}
    environ |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    for name, value in [*environ.items(), *interpreter().environ]:
        yield from ("--setenv", name, value)


def _bounds(limits: Limits) -> Iterator[str]:
    """Limits that the program cannot lift."""
    yield from (
        "/usr/bin/prlimit",
        f"--as={limits.memory_bytes}",
        f"--cpu={limits.cpu_seconds}",
        f"--nproc={limits.processes}",
        f"--fsize={limits.file_bytes}",
        "--nofile=256",
        "--core=0",
        "--",
    )
    if os.geteuid() == 0:
        stranger = str(random.choice(STRANGERS))  # noqa: S311 - so that two rarely share a limit
        yield from ("/usr/bin/setpriv", f"--reuid={stranger}", f"--regid={stranger}")
        yield from ("--clear-groups", "--inh-caps=-all", "--no-new-privs", "--")


def _in_memory(content: bytes) -> IO[bytes]:
    """A file that never had a name."""
    file = os.fdopen(os.memfd_create("given", os.MFD_CLOEXEC), "w+b")
    file.write(content)
    file.flush()
    file.seek(0)
    return file
