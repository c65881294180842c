"""The Python that runs inside: what of it must be there, and where it is then."""

import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

SYSTEM: Final = Path("/usr")
_HOME: Final = Path("/python")
_PACKAGES: Final = "/packages"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """An interpreter and its packages, as seen from inside."""

    executable: str
    flags: tuple[str, ...]
    mounts: tuple[tuple[str, str], ...]
    """What is bound read-only: a path outside, its path inside."""
    environ: tuple[tuple[str, str], ...]
    """What it needs to find its libraries and packages."""


@cache
def interpreter() -> Interpreter:
    """The interpreter that runs this, wherever it is installed, and the packages it sees.

    One under ``/usr`` is there already. Of any other (pyenv, uv, conda) the binary and the
    libraries are bound, and of a virtual environment its packages: never a whole prefix, which
    may be somebody's project or home.
    """
    binary, base = Path(sys.executable).resolve(), Path(sys.base_prefix).resolve()
    packages = {
        str(path): str(path) if path.is_relative_to(SYSTEM) else f"{_PACKAGES}/{number}"
        for number, path in enumerate(_packages())
    }
    mounts = [(outside, inside) for outside, inside in packages.items() if outside != inside]
    environ = {"PYTHONPATH": ":".join(packages.values())}
    executable = str(binary)
    if not binary.is_relative_to(SYSTEM):
        executable = str(_HOME / "bin" / binary.name)
        mounts += [(str(binary), executable), (str(base / "lib"), str(_HOME / "lib"))]
        environ["LD_LIBRARY_PATH"] = str(_HOME / "lib")
    # A virtual environment does not see what is installed beside the interpreter it was made of.
    is_virtual = sys.prefix != sys.base_prefix
    return Interpreter(
        executable=executable,
        flags=("-s", "-P", "-S") if is_virtual else ("-s", "-P"),
        mounts=tuple(mounts),
        environ=tuple(environ.items()),
    )


def _packages() -> Iterator[Path]:
    """Where installed packages are, each place once."""
    paths = (Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib"))
    yield from dict.fromkeys(path for path in paths if path.is_dir())
