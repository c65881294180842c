"""How far a text does what was asked for, as far as it can be measured."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from orchestrator.providers.offline.source_reading import blocks, parses
from orchestrator.providers.offline.vocabulary import VOCABULARY
from orchestrator.providers.offline.words import listed, stems

COVERAGE_WEIGHT: Final = 0.85
"""The rest of a score is quality."""

OPEN_WEIGHT: Final = 0.5
"""What a point counts that is named and left open."""

CEILING: Final = 0.75
"""A text that lacks or leaves open what its task asks for by name scores no more: it is not done,
however much else is in it."""

FEWEST_NAMED: Final = 2
"""A critique names two thirds of what is lacking, at least so many points, the gravest first."""

_LEFT_OPEN: Final = re.compile(r'^\s*""".*\bleft open\b', re.IGNORECASE)
"""A docstring that says so; elsewhere the words are only talked about."""

_ENOUGH_WORDS: Final = 300
_ENOUGH_VARIETY: Final = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What was measured."""

    lacking: tuple[str, ...]
    """Points that are missing, those asked for by name first; then points left open."""
    score: float
    reason: str


def is_beyond_text(criterion: str) -> bool:
    """Whether it demands what no text can have, such as being measured in production."""
    return any(demand in criterion.lower() for demand in VOCABULARY.beyond_text)


def coverage(text: str, points: Iterable[str]) -> dict[str, float]:
    """1 for a point that a line after the first says, less when it is left open there, else 0."""
    lines = [(stems(line), bool(_LEFT_OPEN.search(line))) for line in text.splitlines()[1:]]
    return {point: 0.0 if is_beyond_text(point) else _worth(point, lines) for point in points}


def _worth(point: str, lines: list[tuple[frozenset[str], bool]]) -> float:
    wanted = stems(point)
    saying = [left_open for line, left_open in lines if wanted <= line]
    return 0.0 if not saying else OPEN_WEIGHT if any(saying) else 1.0


def judged(text: str, points: Iterable[str], demands: Callable[[str], bool]) -> Judgement:
    """Measure a text against the points of its task."""
    worth = coverage(text, points)
    missing = sorted((p for p in worth if not worth[p]), key=lambda point: not demands(point))
    left_open = [point for point in worth if worth[point] == OPEN_WEIGHT]
    covered = sum(worth.values()) / len(worth) if worth else 1.0
    score = COVERAGE_WEIGHT * covered + (1 - COVERAGE_WEIGHT) * _quality(text)
    if any(map(demands, [*missing, *left_open])):
        score = min(score, CEILING)
    findings = [f"{len(worth) - len(missing) - len(left_open)} of {len(worth)} points are covered"]
    findings += [f"missing: {listed(missing)}"] if missing else []
    findings += [f"left open: {listed(left_open)}"] if left_open else []
    return Judgement(
        lacking=(*missing, *left_open),
        score=round(score, 2) if text.strip() else 0.0,
        reason=f"{'; '.join(findings)}.",
    )


def named(judgement: Judgement) -> tuple[str, ...]:
    """The points that a critique names in one round."""
    number = max(FEWEST_NAMED, len(judgement.lacking) * 2 // 3)
    return judgement.lacking[:number]


def _quality(text: str) -> float:
    """Enough words, not always the same ones, and code that is code; each from 0 to 1."""
    words = text.split()
    if not words:
        return 0.0
    length = min(1.0, len(words) / _ENOUGH_WORDS)
    variety = min(1.0, len(set(words)) / len(words) / _ENOUGH_VARIETY)
    sound = float(all(map(parses, blocks(text))) and text.count("```") % 2 == 0)
    return (length + variety + sound) / 3
