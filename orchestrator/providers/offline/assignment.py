"""One request, read back from the sections of its prompt."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from orchestrator.providers.offline.kernel import kernel_for
from orchestrator.providers.offline.subject import Kind, Subject, subject_of
from orchestrator.providers.offline.words import phrases, says, stems
from orchestrator.sections import Heading, Section, sections

MOST_CRITERIA: Final = 16
"""More are not looked at: nobody reads a text with a section for each."""

_THINKING: Final = frozenset({"reasoning", "summarization"})
"""Types of tasks whose results help others, and need not meet criteria by themselves."""

_PLENTY: Final = 20
"""How many tasks may be planned when the prompt does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What is to be done, and with what."""

    subject: Subject
    criteria: tuple[str, ...]
    """All of the project's, one by one; first of them the purpose of an unknown program."""
    title: str
    task_type: str
    wishes: tuple[str, ...]
    """The instructions, one by one."""
    inputs: Mapping[str, str]
    draft: str
    """What is to be revised or judged, or the attempt before this one."""
    critique: str
    max_tasks: int

    @property
    def own_criteria(self) -> tuple[str, ...]:
        """The criteria that the task repeats; all of them when it makes something and has none."""
        repeated = tuple(phrase for phrase in self.criteria if self.demands(phrase))
        return repeated if repeated or self.task_type in _THINKING else self.criteria

    def demands(self, point: str) -> bool:
        """Whether the task asks for it in so many words."""
        return any(says(line, point) for line in (self.title, *self.wishes))


def read(text: str) -> Assignment:
    """Read a prompt; one that has no sections is a project's sentence as a whole."""
    found = sections(text)
    project = _of(found, Heading.PROJECT) or text
    subject = subject_of(project)
    criteria = phrases(_of(found, Heading.CRITERIA), MOST_CRITERIA)
    return Assignment(
        subject=subject,
        criteria=(*_unknown(subject), *criteria),
        title=_of(found, Heading.TASK) or "Answer",
        task_type=_of(found, Heading.TASK_TYPE),
        wishes=phrases(_of(found, Heading.INSTRUCTIONS)),
        inputs={part.label: part.text for part in found if part.heading is Heading.INPUT},
        draft=_of(found, Heading.DRAFT) or _of(found, Heading.PREVIOUS),
        critique=_of(found, Heading.CRITIQUE),
        max_tasks=_number(_of(found, Heading.MOST_TASKS)),
    )


def _unknown(subject: Subject) -> Iterator[str]:
    """What a program has to do that the author does not know: a criterion that nobody wrote."""
    names = f"{subject.thing} {subject.whole}"
    if subject.kind is Kind.SOFTWARE and kernel_for(names) is None:
        purpose = f"what a {subject.thing} is for" if stems(subject.thing) else "what was asked for"
        yield subject.deed if stems(subject.deed) else purpose


def _of(found: tuple[Section, ...], heading: Heading) -> str:
    return next((part.text for part in found if part.heading is heading), "")


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else _PLENTY
