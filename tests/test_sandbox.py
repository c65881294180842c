"""Whatever a test file of a model tries, it reaches nothing, and ends; each attack is a test."""

import asyncio
import os
import resource
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from orchestrator.errors import SandboxRefused
from orchestrator.programs import Ended, Limits, Program
from orchestrator.sandbox import Bubblewrap, Unsandboxed
from orchestrator.sandbox.bounded import run_bounded
from orchestrator.sandbox.seccomp import refusals

TIGHT = Limits(
    # No test waits for either; on a busy machine the same work takes more of both.
    seconds=120,
    cpu_seconds=10,
    memory_bytes=256 << 20,
    processes=16,
    file_bytes=1 << 20,
    disk_bytes=4 << 20,
    output_bytes=64 << 10,
)


async def attacked(sandbox: Bubblewrap, attack: str, limits: Limits = TIGHT) -> Ended:
    """What comes of a hostile test; it passes where its attack was beaten off."""
    return await sandbox.run(
        Program(
            module="pytest",
            arguments=(
                "--quiet",
                "--color=no",
                "--tb=short",
                "-pno:cacheprovider",
                "test_attack.py",
            ),
            files={"test_attack.py": dedent(attack)},
            limits=limits,
        )
    )


def assert_beaten_off(ended: Ended) -> None:
    assert (ended.exit_code, ended.stopped) == (0, ""), ended.output
    assert "1 passed" in ended.output


@pytest.fixture
def listener() -> Iterator[int]:
    """A port of the host's loopback where somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def test_there_is_no_way_to_the_network(sandbox):
    ended = await attacked(
        sandbox,
        """
        import pytest, socket
        def test_attack():
            assert [name for _, name in socket.if_nameindex()] == ["lo"]
            with pytest.raises(OSError):
                socket.create_connection(("1.1.1.1", 443), timeout=2)
            with pytest.raises(OSError):
                socket.getaddrinfo("example.org", 443)
        """,
    )

    assert_beaten_off(ended)


async def test_the_loopback_of_the_host_is_out_of_reach(sandbox, listener):
    socket.create_connection(("127.0.0.1", listener)).close()  # it is there, outside

    ended = await attacked(
        sandbox,
        f"""
        import pytest, socket
        def test_attack():
            with pytest.raises(OSError):
                socket.create_connection(("127.0.0.1", {listener}), timeout=2)
        """,
    )

    assert_beaten_off(ended)


async def test_sockets_without_a_name_in_the_file_system_are_out_of_reach(sandbox):
    with socket.socket(socket.AF_UNIX) as server:
        name = f"\0orchestrator-{os.getpid()}"
        server.bind(name)
        server.listen()
        ended = await attacked(
            sandbox,
            f"""
            import pytest, socket
            def test_attack():
                with pytest.raises(OSError):
                    socket.socket(socket.AF_UNIX).connect({name!r})
            """,
        )

    assert_beaten_off(ended)


async def test_the_files_of_the_machine_are_not_there(sandbox, tmp_path):
    (tmp_path / "secret").write_text("s3cret")
    outside = ["/etc/shadow", "/etc/passwd", str(tmp_path / "secret"), str(Path.cwd())]

    ended = await attacked(
        sandbox,
        f"""
        import os
        def test_attack():
            for path in {outside!r}:
                assert not os.path.exists(path), path
            assert set(os.listdir("/")) <= {{
                "bin", "dev", "lib", "lib32", "lib64", "packages", "proc", "python", "sbin", "tmp",
                "usr", "work",
            }}
        """,
    )

    assert_beaten_off(ended)


async def test_the_environment_holds_no_key(sandbox, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-s3cret")

    ended = await attacked(
        sandbox,
        """
        import glob, os
        def test_attack():
            assert "s3cret" not in str(os.environ)
            for path in glob.glob("/proc/[0-9]*/environ"):
                try:
                    assert b"s3cret" not in open(path, "rb").read()
                except PermissionError:
                    pass
        """,
    )

    assert_beaten_off(ended)


async def test_nothing_can_be_written_but_what_goes_with_the_sandbox(sandbox):
    ended = await attacked(
        sandbox,
        """
        import os, pytest
        def test_attack():
            packages = os.path.dirname(pytest.__file__)
            for place in ("/", "/usr", "/usr/bin", "/dev", "/proc", "/etc", packages):
                with pytest.raises(OSError):
                    open(os.path.join(place, "attack"), "w")
            with pytest.raises(OSError):
                open(pytest.__file__, "a")
            open("/tmp/attack", "w").close()
            mounts = [line.split() for line in open("/proc/self/mounts")]
            writable = {place for _, place, _, flags, *_ in mounts if "rw" in flags.split(",")}
            assert {place for place in writable if "/dev/" not in place} == {"/tmp", "/work"}
        """,
    )

    assert_beaten_off(ended)
    assert not os.path.exists("/tmp/attack")  # noqa: ASYNC240, PTH110 - at once


async def test_it_is_nobody_and_sees_no_process_of_ours(sandbox):
    ended = await attacked(
        sandbox,
        """
        import os, pytest, signal
        def test_attack():
            assert os.getuid() != 0 and os.getgid() != 0 and 0 not in os.getgroups()
            status = open("/proc/self/status").read()
            assert "CapEff:\\t0000000000000000" in status and "NoNewPrivs:\\t1" in status
            assert len([name for name in os.listdir("/proc") if name.isdigit()]) < 8
            with pytest.raises(OSError):
                os.setuid(0)
        """,
    )

    assert_beaten_off(ended)


async def test_no_way_leads_deeper_into_the_kernel(sandbox):
    ended = await attacked(
        sandbox,
        """
        import ctypes, errno, os, threading
        def test_attack():
            call = ctypes.CDLL(None, use_errno=True)
            def refused(number, *arguments):
                ctypes.set_errno(0)
                return call.syscall(number, *arguments) == -1 and ctypes.get_errno()
            x86 = os.uname().machine == "x86_64"
            new_user = 0x10000000
            assert refused(272 if x86 else 97, new_user) == errno.EPERM  # unshare
            assert refused(56 if x86 else 220, new_user | 17, 0, 0, 0, 0) == errno.EPERM  # clone
            assert refused(435, 0, 0) == errno.ENOSYS  # clone3
            assert refused(101 if x86 else 117, 0, 0, 0, 0) == errno.EPERM  # ptrace
            assert refused(321 if x86 else 280, 0, 0, 0) == errno.EPERM  # bpf
            assert refused(425, 8, 0) == errno.EPERM  # io_uring_setup
            assert refused(165 if x86 else 40, 0, 0, 0, 0, 0) == errno.EPERM  # mount
            thread = threading.Thread(target=int)
            thread.start()
            thread.join()
        """,
    )

    assert_beaten_off(ended)


def test_a_machine_whose_numbers_are_not_known_has_no_filter():
    assert refusals("riscv64") == b""
    assert len(refusals("x86_64")) == len(refusals("aarch64")) > 0


async def test_a_fork_bomb_is_stopped_at_the_limit_of_processes(sandbox):
    ended = await attacked(
        sandbox,
        """
        import os, pytest, time
        def test_attack():
            born = 0
            with pytest.raises(BlockingIOError):
                while True:
                    if os.fork() == 0:
                        time.sleep(60)
                        os._exit(0)
                    born += 1
            assert born < 16
        """,
    )

    assert_beaten_off(ended)


async def test_four_gigabytes_are_refused(sandbox):
    ended = await attacked(
        sandbox,
        """
        import pytest
        def test_attack():
            with pytest.raises(MemoryError):
                bytearray(4 << 30)
        """,
    )

    assert_beaten_off(ended)


async def test_memory_that_is_in_no_address_space_is_refused(sandbox):
    ended = await attacked(
        sandbox,
        """
        import ctypes, os, pytest
        def test_attack():
            with pytest.raises(PermissionError):
                os.memfd_create("uncounted")
            call = ctypes.CDLL(None)
            assert call.shmget(0, 4096, 0o1666) == call.msgget(0, 0o1666) == -1
        """,
    )

    assert_beaten_off(ended)


async def test_it_is_the_first_to_go_when_memory_runs_out_and_cannot_change_that(sandbox):
    ended = await attacked(
        sandbox,
        """
        import os, pytest
        def test_attack():
            place = "/proc/self/oom_score_adj"
            with pytest.raises(OSError):
                os.open(place, os.O_WRONLY)
            assert open(place).read() == "1000\\n"
        """,
    )

    assert_beaten_off(ended)


async def test_the_disk_and_every_file_have_a_limit(sandbox):
    ended = await attacked(
        sandbox,
        """
        import pytest, signal
        def test_attack():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            with pytest.raises(OSError, match="too large"):
                open("large", "wb").write(bytes(2 << 20))
            with pytest.raises(OSError, match="No space"):
                for number in range(16):
                    open(f"file{number}", "wb").write(bytes(1 << 20))
        """,
    )

    assert_beaten_off(ended)


async def test_an_endless_loop_ends_when_its_processor_time_is_over(sandbox):
    ended = await attacked(sandbox, "while True: pass", Limits(seconds=120, cpu_seconds=1))

    assert (ended.exit_code, ended.stopped) == (128 + signal.SIGKILL, "")


async def test_waiting_for_ever_ends_when_the_time_is_over(sandbox):
    ended = await attacked(sandbox, "import time; time.sleep(60)", Limits(seconds=2))

    assert (ended.exit_code, ended.stopped) == (None, "time")


async def test_output_without_end_is_cut_off(sandbox):
    ended = await attacked(sandbox, "import os\nwhile True: os.write(2, b'x' * 65536)")

    assert (ended.exit_code, ended.stopped) == (None, "output")
    assert len(ended.output) == TIGHT.output_bytes


async def test_a_process_that_stays_behind_goes_with_the_sandbox(sandbox, listener):
    ended = await attacked(
        sandbox,
        """
        import os, time
        def test_attack():
            if os.fork() == 0:
                os.setsid()
                os.execv("/usr/bin/sleep", ["sleep", "654321"])
        """,
    )

    assert_beaten_off(ended)
    await gone("654321")


async def test_a_cancelled_run_takes_its_sandbox_with_it(sandbox):
    attack = "import os; os.execv('/usr/bin/sleep', ['sleep', '765432'])"
    running = asyncio.ensure_future(attacked(sandbox, attack, Limits(seconds=30)))
    while not _running("765432"):  # noqa: ASYNC110 - what is shut off cannot tell us
        await asyncio.sleep(0.01)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    await gone("765432")


async def gone(argument: str) -> None:
    """Return when no process has this argument: a kill is carried out when the kernel gets to it.

    Raises:
        TimeoutError: it lives on.
    """
    async with asyncio.timeout(5):
        while _running(argument):  # noqa: ASYNC110 - the dead do not tell us
            await asyncio.sleep(0.001)


def _running(argument: str) -> bool:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if argument.encode() in path.read_bytes().split(b"\0"):
                return True
        except OSError:
            continue
    return False


# Where no sandbox can be made


@pytest.fixture
def few_descriptors() -> Iterator[int]:
    """How many this process may have, for as long as the test runs."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = len(os.listdir("/proc/self/fd")) + 50  # noqa: PTH208 - it is no place for a Path
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, before[1]))
    yield few
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_without_bubblewrap_nothing_is_run():
    with pytest.raises(SandboxRefused) as refusal:
        await Bubblewrap("no-bwrap").run(Program(module="this"))

    assert str(refusal.value) == "no-bwrap is not installed; install bubblewrap 0.8 or later"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo 'bwrap: No permissions to create a namespace' >&2; exit 1", "No permissions"),
        ("exit 3", "exit code 3"),
        ("echo all is well", "all is well"),
    ],
)
async def test_a_bubblewrap_that_does_not_shut_is_not_used(tmp_path, script, why):
    bwrap = tmp_path / "bwrap"
    bwrap.write_text(f"#!/bin/sh\n{script}\n")
    bwrap.chmod(0o755)

    with pytest.raises(SandboxRefused, match=why):
        await Bubblewrap(str(bwrap)).run(Program(module="this"))


@pytest.mark.parametrize("kind", ["ipc", "net", "pid", "uts"])
async def test_nothing_is_run_where_the_probe_sees_that_it_is_not_shut_off(tmp_path, sandbox, kind):
    leaky = tmp_path / "bwrap"
    leaky.write_text(
        f"#!{sys.executable} -IS\n"
        "import os, sys\n"
        f"os.execv({shutil.which('bwrap')!r}, [w for w in sys.argv if w != '--unshare-{kind}'])\n"
    )
    leaky.chmod(0o755)

    with pytest.raises(SandboxRefused, match=rf"it would share {kind}:\[\d+\] with this machine"):
        await Bubblewrap(str(leaky)).run(Program(module="this"))


async def test_a_bubblewrap_that_is_not_ready_in_time_is_not_used(tmp_path):
    bwrap = tmp_path / "bwrap"
    bwrap.write_text("#!/bin/sh\nexec sleep 60\n")
    bwrap.chmod(0o755)

    with pytest.raises(SandboxRefused, match=r"was not ready in 0\.1 s"):
        await Bubblewrap(str(bwrap)).run(Program(module="this", limits=Limits(seconds=0.1)))


async def test_a_bubblewrap_that_cannot_be_started_is_not_used(tmp_path):
    bwrap = tmp_path / "bwrap"
    bwrap.write_text("#!/no/interpreter")
    bwrap.chmod(0o755)

    with pytest.raises(SandboxRefused, match="No such file"):
        await Bubblewrap(str(bwrap)).run(Program(module="this"))


async def test_more_files_than_may_be_open_are_not_run(sandbox, few_descriptors):
    files = {f"file{number}.py": "" for number in range(few_descriptors)}

    with pytest.raises(SandboxRefused, match="cannot be started: Too many open files"):
        await sandbox.run(Program(module="this", files=files))


async def test_more_words_than_the_kernel_hands_over_are_not_run(sandbox):
    with pytest.raises(SandboxRefused, match="cannot be started: Argument list too long"):
        await sandbox.run(Program(module="this", arguments=("a" * (1 << 20),)))


# Without a sandbox


async def test_unsandboxed_is_bounded_and_has_no_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-s3cret")
    program = Program(
        module="pytest",
        arguments=("--quiet", "a/test_it.py"),
        files={
            "a/test_it.py": "import os\ndef test_it():\n    assert 's3cret' not in str(os.environ)"
        },
    )

    ended = await Unsandboxed().run(program)

    assert ended.exit_code == 0
    assert "1 passed" in ended.output


async def test_where_nothing_can_be_written_nothing_is_run(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))

    with pytest.raises(SandboxRefused, match="no program can be started here: No such file"):
        await Unsandboxed().run(Program(module="this"))


async def test_a_loop_ends_by_itself_even_without_a_sandbox():
    limits = Limits(seconds=120, cpu_seconds=1)
    loop = Program(module="timeit", arguments=("while True: pass",), limits=limits)

    ended = await Unsandboxed().run(loop)

    assert (ended.exit_code, ended.stopped) == (-signal.SIGKILL, "")


async def test_what_a_bounded_command_left_running_is_gone():
    command = ("/bin/sh", "-c", "sleep 876543 & echo started")

    ended = await run_bounded(command, Limits(), environ={})

    assert ended == Ended(exit_code=0, output="started\n")
    await gone("876543")


async def test_the_event_loop_goes_on_while_a_program_runs():
    command = (sys.executable, "-S", "-c", "import time; time.sleep(60)")
    running = asyncio.ensure_future(run_bounded(command, Limits(seconds=0.3), environ={}))
    turns = 0
    while not running.done():
        await asyncio.sleep(0.01)
        turns += 1

    assert (await running).stopped == "time"
    assert turns > 5
