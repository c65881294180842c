"""Texts that are not about code: an outline with substance, a section for each criterion."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from orchestrator.providers.offline.assignment import Assignment
from orchestrator.providers.offline.deliverable import Deliverable, Part, in_sections
from orchestrator.providers.offline.frames import FRAMES, Standing, text_for
from orchestrator.providers.offline.judging import is_beyond_text
from orchestrator.providers.offline.words import plain, says, sentence_case

_SENTENCE: Final = re.compile(r"^[^#|>`\n-][^\n]*?[.!?](?=\s|$)", re.MULTILINE)
_HEADING: Final = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_BEYOND: Final = "No text can have this: it takes somebody who does it and notes what came of it."


def text(work: Assignment) -> Deliverable:
    """The sections of the task's type, with those of its criteria before the last ones."""
    words = _words(work)
    standing = FRAMES.sections.get(work.task_type, FRAMES.sections["writing"])
    basic = [_standing(section, words) for section in standing if section.basic]
    last = [_standing(section, words) for section in standing if not section.basic]
    return Deliverable(
        opening=f"{sentence_case(plain(work.title, 120))}.",
        parts=(*basic, *_criteria(work, words), *last),
        joined=in_sections,
    )


def _words(work: Assignment) -> dict[str, str]:
    """What the frames leave to be filled in; user's text is filled in, never read as a frame."""
    subject = work.subject
    named = [option for option in subject.options if says(work.title, option)]
    focus = named[0] if len(named) == 1 else subject.thing
    return {
        "thing": subject.thing,
        "whole": subject.whole,
        "focus": focus,
        "Focus": sentence_case(focus),
        "digest": _digest(work.inputs),
    }


def _standing(section: Standing, words: Mapping[str, str]) -> Part:
    return Part(point=section.point, text=section.text.format_map(words), is_basic=section.basic)


def _criteria(work: Assignment, words: Mapping[str, str]) -> Iterator[Part]:
    turns = FRAMES.criterion.get(work.task_type, FRAMES.criterion["writing"])
    forms = FRAMES.form if turns is FRAMES.criterion["writing"] else ()
    for turn, phrase in enumerate(work.own_criteria):
        point = plain(phrase)
        frame = text_for(phrase, forms) or turns[turn % len(turns)]
        if is_beyond_text(phrase):
            frame = _BEYOND
        filled = frame.format_map({**words, "point": point, "point_name": sentence_case(point)})
        yield Part(point=phrase, text=filled.rstrip())


def _digest(inputs: Mapping[str, str]) -> str:
    """Each input by its headings and the first sentence it has."""
    lines = []
    for title, result in inputs.items():
        headings = [plain(heading, 60) for heading in _HEADING.findall(result)]
        first = _SENTENCE.search(result)
        said = f" {plain(first[0])}" if first else ""
        lines.append(f"- {plain(title, 100)}:{said} It speaks of {'; '.join(headings) or 'this'}.")
    return "\n".join(lines) or "- Nothing came before this."
