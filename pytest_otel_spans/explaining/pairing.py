"""Pair the siblings of a level that does not hold with patterns, and find which pairs do hold.

A verdict on a tall tree takes a walk down to what is wrong with it. To ask for one at every level
of a tall tree would take as many walks, so what follows from other verdicts is not asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from pytest_otel_spans.matching.judge import Judge
from pytest_otel_spans.matching.match import Alignment, Level, Pair, align
from pytest_otel_spans.patterns.expected import Member, SpanPattern
from pytest_otel_spans.tree import SpanNode

__all__ = ["Pairing", "pair_up"]

_MANY: Final = 100
"""Of a level of so many siblings only the part is aligned in which something does not hold."""


class Pairing(NamedTuple):
    """The pairs of a level.

    Attributes:
        alignment: Which pattern each sibling belongs to, who is missing, who unexpected.
        held: The siblings for which their pattern holds, with all below.
    """

    alignment: Alignment
    held: frozenset[SpanNode]


def pair_up(judge: Judge, level: Level, *, is_to_blame: bool) -> Pairing:
    """Pair the siblings with the patterns.

    Args:
        judge: Who decides.
        level: The siblings and the members.
        is_to_blame: Whether it is certain that this level does not hold, or something below it.
    """
    if is_to_blame and (pairs := _by_name(level)):
        alignment = Alignment(False, tuple(pairs), (), (), (), False)
        return Pairing(alignment, frozenset(_held(judge, pairs)))
    start, end = _ends(judge, level) if len(level.nodes) >= _MANY else (0, 0)
    alignment = align(judge, _between(level, start, end))
    held = [node for pattern, node in alignment.pairs if judge.holds(pattern, node)]
    missing = [one._replace(before=one.before + start) for one in alignment.missing]
    first = _zipped(level.members[:start], level.nodes[:start])
    last = _zipped(level.members[-end:], level.nodes[-end:]) if end else []
    return Pairing(
        alignment._replace(pairs=(*first, *alignment.pairs, *last), missing=tuple(missing)),
        frozenset((*held, *(node for _, node in (*first, *last)))),
    )


def _zipped(members: Sequence[Member], nodes: Sequence[SpanNode]) -> list[Pair]:
    pairs = zip(members, nodes, strict=True)
    return [(member, node) for member, node in pairs if isinstance(member, SpanPattern)]


def _by_name(level: Level) -> list[Pair]:
    """Return the pairs where names leave no choice, and no other order would do."""
    pairs = _zipped(level.members, level.nodes) if len(level.members) == len(level.nodes) else []
    fitting = [pattern for pattern, node in pairs if pattern.fixed == node.name]
    names = {pattern.fixed for pattern in fitting if not pattern.counted}
    return pairs if len(names) == len(level.nodes) else []


def _held(judge: Judge, pairs: list[Pair]) -> list[SpanNode]:
    """Ask about all but the tallest tree: it is to blame if none of the others is."""
    tallest, *others = sorted(pairs, key=lambda pair: -len(range(*judge.terrain.below(pair[1]))))
    held = [node for pattern, node in others if judge.holds(pattern, node)]
    if len(held) < len(others) and judge.holds(*tallest):
        held.append(tallest[1])
    return held


def _ends(judge: Judge, level: Level) -> tuple[int, int]:
    """Count the pairs that hold where they stand, from the start and the end of a closed list."""
    single = (isinstance(one, SpanPattern) and not one.counted for one in level.members)
    if level.opened or not all(single):
        return 0, 0
    start = _run(judge, level.members, level.nodes)
    rest = level.members[start:][::-1], level.nodes[start:][::-1]
    return start, _run(judge, *rest)


def _run(judge: Judge, members: Sequence[Member], nodes: Sequence[SpanNode]) -> int:
    """Count the pairs up to the first that does not hold."""
    count = 0
    for member, node in zip(members, nodes, strict=False):
        if not (isinstance(member, SpanPattern) and judge.holds(member, node)):
            break
        count += 1
    return count


def _between(level: Level, start: int, end: int) -> Level:
    return level._replace(
        members=level.members[start : len(level.members) - end],
        nodes=level.nodes[start : len(level.nodes) - end],
    )
