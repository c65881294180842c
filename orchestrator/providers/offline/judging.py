"""How far a text does what was asked for, as far as it can be measured.

The rule: a point is covered where the text stands for it, under a heading, in a definition or in a
sentence of its own. Saying the words is not enough: a criterion that is only repeated, a list that
names three points in a row and a heading over nothing cover none. What the text itself calls left
open counts half, so that a frame with everything left to fill in stays below the threshold.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from orchestrator.providers.offline.passages import Passage, passages
from orchestrator.providers.offline.source_reading import blocks, parses
from orchestrator.providers.offline.vocabulary import VOCABULARY
from orchestrator.providers.offline.words import listed, stems

COVERAGE_WEIGHT: Final = 0.85
"""The rest of a score is quality."""

OPEN_WEIGHT: Final = 0.5
"""What a point counts that is named and left open."""

OPEN_SHARE: Final = 0.75
"""A text that lacks or leaves open what its task asks for by name gets this share of its score: it
is not done, however much else is in it, and what is added to it still counts."""

FEWEST_NAMED: Final = 2
"""A critique names two thirds of what is lacking, at least so many points, the gravest first."""

MOST_POINTS: Final = 2
"""A sentence that names more of them is a list of what was asked for, and answers nothing."""

FEWEST_WORDS: Final = 2
"""What covers a point says so many words beside it: it is more than the point again."""

_ENOUGH_WORDS: Final = 300
_ENOUGH_VARIETY: Final = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What was measured."""

    missing: tuple[str, ...]
    """Points that the text does not cover, those asked for by name first."""
    left_open: tuple[str, ...]
    """Points that it names and says to be open."""
    score: float
    reason: str

    @property
    def lacking(self) -> tuple[str, ...]:
        """What there is to criticise, the gravest first."""
        return (*self.missing, *self.left_open)


def is_beyond_text(criterion: str) -> bool:
    """Whether it demands what no text can have, such as being measured in production."""
    return any(demand in criterion.lower() for demand in VOCABULARY.beyond_text)


def coverage(text: str, points: Iterable[str], subject: str) -> dict[str, float]:
    """1 for a point that the text stands for after its first line, less for an open one, else 0.

    A sentence says nothing of a point that is one word, or whose words are all the subject's: it
    may have them for other reasons. Such a point takes a heading, a definition or a term.
    """
    about = stems(subject)
    wanted = {point: stems(point) for point in points}
    answers = [passage for passage in passages(text) if _answers(passage, wanted.values())]
    return {
        point: 0.0
        if is_beyond_text(point)
        else _worth(words, answers, needs_heading=len(words) == 1 or words <= about)
        for point, words in wanted.items()
    }


def _answers(passage: Passage, wanted: Iterable[frozenset[str]]) -> bool:
    """Whether it is more than the points that it names."""
    named = [words for words in wanted if words <= passage.title]
    if len(named) > MOST_POINTS and not passage.is_heading:
        return False
    return len(passage.says.difference(*named)) >= FEWEST_WORDS


def _worth(wanted: frozenset[str], answers: list[Passage], *, needs_heading: bool) -> float:
    saying = [passage for passage in answers if wanted <= passage.title]
    headed = [passage for passage in saying if passage.is_heading]
    if not headed and not needs_heading:
        headed = saying
    return 0.0 if not headed else OPEN_WEIGHT if any(p.is_open for p in headed) else 1.0


def judged(
    text: str, points: Iterable[str], demands: Callable[[str], bool], subject: str
) -> Judgement:
    """Measure a text against the points of its task."""
    worth = coverage(text, points, subject)
    missing = sorted((p for p in worth if not worth[p]), key=lambda point: not demands(point))
    left_open = [point for point in worth if worth[point] == OPEN_WEIGHT]
    covered = sum(worth.values()) / len(worth) if worth else 1.0
    score = COVERAGE_WEIGHT * covered + (1 - COVERAGE_WEIGHT) * _quality(text)
    if any(map(demands, [*missing, *left_open])):
        score *= OPEN_SHARE
    findings = [f"{len(worth) - len(missing) - len(left_open)} of {len(worth)} points are covered"]
    findings += [f"missing: {listed(missing)}"] if missing else []
    findings += [f"left open: {listed(left_open)}"] if left_open else []
    return Judgement(
        missing=tuple(missing),
        left_open=tuple(left_open),
        score=round(score, 2) if text.strip() else 0.0,
        reason=f"{'; '.join(findings)}.",
    )


def criticised(judgement: Judgement) -> tuple[str, ...]:
    """The sentences that a critique says in one round, a point each."""
    number = max(FEWEST_NAMED, len(judgement.lacking) * 2 // 3)
    lacks = [f"It lacks this: {point}." for point in judgement.missing]
    leaves = [f"It leaves this open: {point}." for point in judgement.left_open]
    return (*lacks, *leaves)[:number]


def _quality(text: str) -> float:
    """Enough words, not always the same ones, and code that is code; each from 0 to 1."""
    words = text.split()
    if not words:
        return 0.0
    length = min(1.0, len(words) / _ENOUGH_WORDS)
    variety = min(1.0, len(set(words)) / len(words) / _ENOUGH_VARIETY)
    sound = float(all(map(parses, blocks(text))) and text.count("```") % 2 == 0)
    return (length + variety + sound) / 3
