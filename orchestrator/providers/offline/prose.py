"""Texts that are not about code: what can be made of the asker's words, and frames for the rest."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from orchestrator.providers.offline.assignment import Assignment
from orchestrator.providers.offline.deliverable import Deliverable, Part, in_sections
from orchestrator.providers.offline.frames import FRAMES, Standing, form_for
from orchestrator.providers.offline.judging import is_beyond_text
from orchestrator.providers.offline.passages import LEFT_OPEN
from orchestrator.providers.offline.subject import Kind
from orchestrator.providers.offline.words import listed, mentions, plain, says, sentence_case

_SENTENCE: Final = re.compile(r"^[^#|>`\n-][^\n]*?[.!?](?=\s|$)", re.MULTILINE)
_HEADING: Final = re.compile(r"^#{2,6} (.+)$", re.MULTILINE)
_OPEN_HEADING: Final = re.compile(rf"^#{{2,6}} (.+)\n\n{LEFT_OPEN}", re.MULTILINE)
_BEYOND: Final = "No text can have this: it takes somebody who does it and notes what came of it."
_NOWHERE: Final = f"{LEFT_OPEN} no earlier result has a section on it."
_DATES: Final = ("today", "tomorrow", "week", "month", "year", "day", "deadline", "until", "spring")


def text(work: Assignment) -> Deliverable:
    """The sections of the task's type, with those of its criteria before the last ones."""
    form = work.task_type if work.task_type in FRAMES.sections else "writing"
    if form == "writing" and work.subject.is_structure:
        form = "structure"
    words = _words(work)
    standing = FRAMES.sections[form]
    basic = [_standing(section, words) for section in standing if section.basic]
    last = [_standing(section, words) for section in standing if not section.basic]
    return Deliverable(
        opening=f"{sentence_case(plain(work.title, 120))}.",
        parts=(*basic, *_criteria(work, form, words), *last),
        joined=in_sections,
    )


def _words(work: Assignment) -> dict[str, str]:
    """What the frames leave to be filled in; user's text is filled in, never read as a frame."""
    subject = work.subject
    named = [option for option in subject.options if says(work.title, option)]
    thing = f'"{subject.sentence}"' if subject.kind is Kind.QUESTION else subject.thing
    return {
        "thing": subject.thing,
        "whole": subject.whole,
        "focus": named[0] if len(named) == 1 else thing,
        "sentence": subject.sentence or subject.whole,
        "digest": _digest(work.inputs),
        "gaps": "\n".join(_gaps(work)),
        "boxes": "\n".join(f"- [ ] {plain(phrase)}" for phrase in work.criteria),
    }


def _gaps(work: Assignment) -> Iterator[str]:
    """What the asker's words do not say, as questions."""
    said = " ".join([work.subject.sentence, *work.criteria])
    if not re.search(r"\d", said):
        yield "- How much, how many, how large? No number was named."
    if not mentions(said, _DATES):
        yield "- By when? No day was named."
    if not re.search(r"\bfor\b", said):
        yield "- For whom? Nobody was named."
    if not work.criteria:
        yield "- What counts as good? No criterion was named."
    yield "- Who says that it is good enough, and by looking at what?"


def _standing(section: Standing, words: Mapping[str, str]) -> Part:
    return Part(point=section.point, text=section.text.format_map(words), is_basic=section.basic)


def _criteria(work: Assignment, form: str, words: Mapping[str, str]) -> Iterator[Part]:
    turns = FRAMES.criterion[form]
    for turn, phrase in enumerate(work.own_criteria):
        frame = turns[turn % len(turns)]
        where = _where(phrase, work.inputs)
        if is_beyond_text(phrase):
            frame = _BEYOND
        elif form == "structure":
            frame = form_for(phrase) or frame
        elif form == "summarization" and not where:
            frame = _NOWHERE
        filled = frame.format_map({**words, "point": plain(phrase), "where": where})
        yield Part(point=phrase, text=filled.rstrip())


def _where(phrase: str, inputs: Mapping[str, str]) -> str:
    """The inputs that have a heading about it."""
    titles = [
        plain(title, 100)
        for title, result in inputs.items()
        if any(says(heading, phrase) for heading in _HEADING.findall(result))
    ]
    return listed(titles) if titles else ""


def _digest(inputs: Mapping[str, str]) -> str:
    """Each input by its headings, the first sentence it has, and what it leaves open."""
    lines = []
    for title, result in inputs.items():
        headings = [plain(heading, 60) for heading in _HEADING.findall(result)]
        still_open = [plain(heading, 60) for heading in _OPEN_HEADING.findall(result)]
        first = _SENTENCE.search(result)
        said = f" {plain(first[0])}" if first else ""
        opened = f" It leaves open: {'; '.join(still_open)}." if still_open else ""
        spoken = "; ".join(headings) or "this"
        lines.append(f"- {plain(title, 100)}:{said} It speaks of {spoken}.{opened}")
    return "\n".join(lines) or "- Nothing came before this."
