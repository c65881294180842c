"""What is examined, and what comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from orchestrator.models import Task

LONGEST_REPORT: Final = 2_000
"""Characters; a report goes into the next prompt."""


class Finding(NamedTuple):
    """An outcome; `detail` says why in our words, `report` in the words of the tool."""

    outcome: Literal["passed", "failed", "unverified"]
    detail: str = ""
    report: str = ""
    """It may quote the output, and so goes to people and models, never into a trace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """An output, the task it answers, and the results that the task builds on."""

    task: Task
    output: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Outputs by the id of their task."""
    seconds: float = float("inf")
    """What is left of the run's time."""


def shortened(text: str) -> str:
    """The end of a tool's report, where the verdict stands."""
    text = text.strip()
    return text if len(text) <= LONGEST_REPORT else f"…{text[1 - LONGEST_REPORT :]}"
