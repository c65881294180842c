"""The system calls that no test needs and that lead deeper into the kernel: refused inside.

With them go the namespaces that a program could make itself, in which it would have rights again,
and memory that nobody counts: in no address space, in no file of a limited size.
"""

import errno
import platform
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class _Machine:
    audit_arch: int
    clone: int
    refused: tuple[int, ...]
    """In this order, a line each:

    - unshare, setns, mount, umount2, pivot_root, chroot
    - ptrace, process_vm_readv, process_vm_writev, add_key, request_key, keyctl
    - bpf, perf_event_open, userfaultfd, name_to_handle_at, open_by_handle_at, syslog
    - kexec_load, kexec_file_load, init_module, finit_module, delete_module, reboot
    - swapon, swapoff, acct, quotactl
    - memfd_create, shmget, msgget
    """


_CLONE3: Final = 435
_EVERYWHERE: Final = (*range(425, 434), 442, 447)
"""io_uring_*, open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, mount_setattr,
memfd_secret."""

_MACHINES: Final[Mapping[str, _Machine]] = MappingProxyType(
    {
        "x86_64": _Machine(
            audit_arch=0xC000003E,
            clone=56,
            refused=(
                *(272, 308, 165, 166, 155, 161),
                *(101, 310, 311, 248, 249, 250),
                *(321, 298, 323, 303, 304, 103),
                *(246, 320, 175, 313, 176, 169),
                *(167, 168, 163, 179),
                *(319, 29, 68),
            ),
        ),
        "aarch64": _Machine(
            audit_arch=0xC00000B7,
            clone=220,
            refused=(
                *(97, 268, 40, 39, 41, 51),
                *(117, 270, 271, 217, 218, 219),
                *(280, 241, 282, 264, 265, 116),
                *(104, 294, 105, 273, 106, 142),
                *(224, 225, 89, 60),
                *(279, 194, 186),
            ),
        ),
    }
)

_NEW_USER: Final = 0x10000000
_X32: Final = 0x40000000
"""From here on, x86 has the numbers of another way to call the same."""

_LOAD, _RETURN, _EQUAL, _AT_LEAST, _HAS_BIT = 0x20, 0x06, 0x15, 0x35, 0x45
_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16
"""Where they are in what a filter is shown of a call."""

_ALLOWED: Final = 0x7FFF0000
_REFUSED: Final = 0x00050000 | errno.EPERM
_UNKNOWN: Final = 0x00050000 | errno.ENOSYS
"""What glibc takes for an old kernel: it then uses `clone`, whose flags a filter can read."""

_Step = tuple[int, int, int, int]
"""An instruction: its code, how far to jump if it holds, how far if not, its operand."""


def refusals(machine: str = "") -> bytes:
    """The filter as bubblewrap takes it; empty for a machine whose numbers are not known here."""
    known = _MACHINES.get(machine or platform.machine())
    if known is None:
        return b""
    steps: list[_Step] = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, known.audit_arch),
        (_RETURN, 0, 0, _REFUSED),
        (_LOAD, 0, 0, _NUMBER),
        *_where(_AT_LEAST, _X32, _REFUSED),
        *_where(_EQUAL, _CLONE3, _UNKNOWN),
    ]
    for number in (*known.refused, *_EVERYWHERE):
        steps += _where(_EQUAL, number, _REFUSED)
    steps += [
        (_EQUAL, 0, 3, known.clone),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        *_where(_HAS_BIT, _NEW_USER, _REFUSED),
        (_RETURN, 0, 0, _ALLOWED),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def _where(test: int, operand: int, verdict: int) -> tuple[_Step, _Step]:
    return (test, 0, 1, operand), (_RETURN, 0, 0, verdict)
