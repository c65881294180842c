"""A text in the passages that can stand for something: what each is about, and what it says."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import Final

from orchestrator.providers.offline.words import stems

LEFT_OPEN: Final = "Left open:"
"""How a passage begins, or a sentence in a docstring, that says of itself that it is not done."""

_HEADING: Final = re.compile(r"#{2,6} ")
_LABEL: Final = re.compile(r"# (?:Criterion|Also|Core): ")
_TERM: Final = re.compile(r"- ([^:]+): (.+)")
_DEFINITION: Final = re.compile(r"(?:class|def|async def) \w")
_FENCE: Final = re.compile(r"`{3}")
_ENDS: Final = {
    _HEADING: (_HEADING,),
    _LABEL: (_HEADING, _LABEL, _FENCE),
    _DEFINITION: (_HEADING, _LABEL, _FENCE, _DEFINITION),
}
"""What a passage begins with, and what ends it."""

_OPEN: Final = re.compile(rf'(?:^[\s>*#"-]*|\. ){LEFT_OPEN}')


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A heading with all under it, a definition with its body, a term and its gloss, or a line."""

    title: frozenset[str]
    """The words of what it is about; a line is about all it says."""
    says: frozenset[str]
    """The words that stand there for it."""
    is_heading: bool
    is_open: bool


def passages(text: str) -> tuple[Passage, ...]:
    """The passages of a text after its first line, which is its title."""
    return tuple(_passages(text.splitlines()[1:]))


def _passages(lines: list[str]) -> Iterator[Passage]:
    for place, line in enumerate(lines):
        kind = next((kind for kind in _ENDS if kind.match(line)), None)
        if kind is None:
            term = _TERM.fullmatch(line)
            title, said = term.groups() if term else (line, line)
            yield _passage(title, [said], is_heading=term is not None)
            continue
        body = list(takewhile(partial(_goes_on, _ENDS[kind]), lines[place + 1 :]))
        passage = _passage(line, body, is_heading=True)
        # A label over code that says no word of it is nothing but a label.
        if kind is not _LABEL or not passage.title.isdisjoint(passage.says):
            yield passage


def _goes_on(ends: tuple[re.Pattern[str], ...], line: str) -> bool:
    return not any(end.match(line) for end in ends)


def _passage(title: str, body: list[str], *, is_heading: bool) -> Passage:
    return Passage(
        title=stems(title),
        says=frozenset[str]().union(*map(stems, body)),
        is_heading=is_heading,
        is_open=any(map(_OPEN.search, body)),
    )
