"""The audit: every decision of the policies, one JSON line each, in a file that only grows."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from orchestrator.errors import AuditFailed, InputError
from orchestrator.events import PolicyDecided

FILE_NAME: Final = "audit.jsonl"
"""Its name in the state directory."""


def _now() -> datetime:
    return datetime.now(UTC)


class AuditLog:
    """Keeps who was judged, who may serve, and which rules the others break.

    No hook, because hooks cannot stop a run, and a verdict that is not kept must not be acted on.
    Several processes may write one file: a line is one write that the system appends whole. It
    holds ids, rules and reasons, never what was asked or answered, and nothing here deletes it.

    Args:
        path: the file; it and its directory are made when they are missing, for the user alone.
        now: the time that a line carries.

    Raises:
        InputError: it cannot be written.
    """

    def __init__(self, path: Path, *, now: Callable[[], datetime] = _now) -> None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Unbuffered, so that a line is one write, and kept by the kernel if we are killed.
            self._file = open(path, "a+b", buffering=0, opener=_for_the_user_alone)  # noqa: SIM115 - Path.open takes no opener; closed by `close`
        except OSError as error:
            raise InputError(
                f"Cannot write the audit file {str(path)!r}: {error.strerror}. Policies are obeyed "
                "only where their decisions can be kept; choose another directory with --state-dir."
            ) from error
        self._end_torn_line()
        self._path = path
        self._now = now

    def keep(self, decided: PolicyDecided) -> None:
        """Append a decision.

        Raises:
            AuditFailed: it is not, or not wholly.
        """
        line = json.dumps(_record(decided, self._now()), ensure_ascii=False)
        whole = f"{line}\n".encode()
        try:
            is_whole = self._file.write(whole) == len(whole)
            why = "no space left for a whole line"
        except OSError as error:
            is_whole, why = False, str(error.strerror)
        if not is_whole:
            raise AuditFailed(
                f"The audit file {str(self._path)!r} cannot be written ({why}), so the run stops "
                "before it acts on a decision that nobody could look up. Mend that, or choose "
                "another directory with --state-dir."
            )

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _end_torn_line(self) -> None:
        """What was cut off by a full disk must not spoil the line after it."""
        if self._file.seek(0, os.SEEK_END):
            self._file.seek(-1, os.SEEK_END)
            if self._file.read(1) != b"\n":
                self._file.write(b"\n")


def _for_the_user_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _record(event: PolicyDecided, now: datetime) -> dict[str, object]:
    return {
        "time": now.isoformat(timespec="milliseconds"),
        "project_id": event.project_id,
        "task_id": event.task_id,
        "role": event.role,
        "operation": event.operation,
        "passed": bool(event.allowed),
        "candidates": event.candidates,
        "allowed": event.allowed,
        "violations": [asdict(violation) for violation in event.violations],
    }
