"""The material of a prompt, in sections that can be told apart again."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import takewhile
from typing import Final


class Heading(StrEnum):
    """The name of a section, as it is written and as it is looked for."""

    PROJECT = "Project"
    CRITERIA = "Criteria"
    MOST_TASKS = "Most tasks"
    TASK = "Task"
    TASK_TYPE = "Task type"
    INSTRUCTIONS = "Instructions"
    OUTPUT_SCHEMA = "JSON Schema of the result"
    INPUT = "Input"
    PREVIOUS = "Previous attempt"
    FAILED_CHECKS = "Failed checks"
    CRITIQUE = "Critique"
    DRAFT = "Draft"
    PROBLEM = "Problem with your last answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Material under a heading; it is fenced off, so whatever it says, it stays material."""

    heading: Heading
    text: str
    label: str = ""
    """Which one it is, where a heading comes more than once; kept on one line."""

    def __str__(self) -> str:
        tildes = max((len(run) for run in re.findall("~+", self.text)), default=0)
        fence = "~" * max(3, tildes + 1)
        label = f": {' '.join(self.label.split())}" if self.label else ""
        return f"## {self.heading}{label}\n{fence}\n{self.text}\n{fence}\n"


def sections(text: str) -> tuple[Section, ...]:
    """The sections of a prompt's text, in order; what stands between them is left out."""
    return tuple(_read(iter(text.split("\n"))))


def abridged(text: str) -> str:
    """The text without the middle of its longest section."""
    longest = max(sections(text), key=lambda section: len(section.text), default=None)
    if longest is None:
        return text
    kept = len(longest.text) // 4
    left_out = len(longest.text) - 2 * kept
    shorter = f"{longest.text[:kept]}\n[{left_out} characters are left out]\n{longest.text[-kept:]}"
    return text.replace(str(longest), str(replace(longest, text=shorter)), 1)


_HEADING: Final = re.compile(rf"## ({'|'.join(Heading)})(?:: (.+))?")
_FENCE: Final = re.compile("~{3,}")


def _read(lines: Iterator[str]) -> Iterator[Section]:
    for line in lines:
        heading = _HEADING.fullmatch(line)
        if heading is None:
            continue
        fence = next(lines, "")
        if not _FENCE.fullmatch(fence):
            continue
        material = "\n".join(takewhile(fence.__ne__, lines))
        yield Section(heading=Heading(heading[1]), label=heading[2] or "", text=material)
