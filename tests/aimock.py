"""A model server that nobody here wrote: `@copilotkit/aimock` from npm, as a process of its own.

It speaks the vendors' protocols over loopback, plays fixtures (errors, delays, broken connections
among them) and keeps a journal of every request.
"""

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

Fixture = Mapping[str, Any]
"""``match`` and ``response`` (or ``chaos``), in aimock's own words."""

KEY: Final = "sk-test"
"""The one key that a server lets in."""

_ENTRY: Final = Path("dist", "cli.js")
_PACKAGE: Final = Path("node_modules", "@copilotkit", "aimock")
_READY: Final = "listening on "


class AimockMissing(Exception):
    """It cannot be run here; says why."""


def command() -> list[str]:
    """The command that starts aimock.

    Raises:
        AimockMissing: there is no node, or no aimock.
    """
    node = shutil.which("node")
    if node is None:
        raise AimockMissing("aimock needs node, which is not installed")
    named = os.environ.get("ORCHESTRATOR_AIMOCK")
    home = Path(named) if named else Path(__file__).parents[1] / _PACKAGE
    if not (home / _ENTRY).is_file():
        raise AimockMissing(
            f"there is no aimock in {str(home)!r}: run `npm install @copilotkit/aimock` and set "
            "ORCHESTRATOR_AIMOCK to its folder in node_modules"
        )
    return [node, str(home / _ENTRY)]


@contextmanager
def started(fixtures: Sequence[Fixture], folder: Path) -> "Iterator[Aimock]":
    """A server that plays these fixtures while the block lasts.

    Without node or aimock the test is skipped, in CI it fails.
    """
    try:
        server = Aimock(fixtures, folder)
    except AimockMissing as missing:
        if os.environ.get("CI") in {"true", "1"}:
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    yield server
    server.stop()


class Aimock:
    """One server, from construction to `stop`, on a port that the system chose."""

    def __init__(self, fixtures: Sequence[Fixture], folder: Path) -> None:
        path = folder / "fixtures.json"
        path.write_text(json.dumps({"fixtures": list(fixtures)}), encoding="utf-8")
        self._process = subprocess.Popen(
            [*command(), "--port", "0", "--journal-max", "0", "--fixtures", str(path)],
            env=os.environ | {"AIMOCK_API_KEYS": KEY},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.origin = self._started()

    @property
    def base_url(self) -> str:
        """Where an OpenAI client finds it."""
        return f"{self.origin}/v1"

    def journal(self) -> list[dict[str, Any]]:
        """Every request so far that carried the right key, with its headers, body and outcome."""
        asked = urllib.request.Request(
            f"{self.origin}/__aimock/journal", headers={"Authorization": f"Bearer {KEY}"}
        )
        with urllib.request.urlopen(asked, timeout=10) as answer:
            entries: list[dict[str, Any]] = json.load(answer)
        return entries

    def stop(self) -> None:
        """End the process; every port and pipe of it is free again."""
        self._process.terminate()
        self._process.communicate(timeout=10)

    def _started(self) -> str:
        """Read what it says until it says where it listens."""
        said = []
        for line in self._process.stdout or ():
            if _READY in line:
                return line.split(_READY)[1].strip()
            said.append(line)
        self._process.wait(timeout=10)
        raise AssertionError(f"aimock did not start: {''.join(said)}")
