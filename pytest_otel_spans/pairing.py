"""Pair the siblings of a level that does not hold with patterns, and find which pairs do hold.

A verdict on a tall tree takes a walk down to what is wrong with it. To ask for one at every level
of a tall tree would take as many walks, so what follows from other verdicts is not asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeGuard

from pytest_otel_spans.expected import SpanPattern
from pytest_otel_spans.groups import Member
from pytest_otel_spans.judge import Judge
from pytest_otel_spans.match import Alignment, Level, Pair, align
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
    by_name = _by_name(level)
    if is_to_blame and by_name and len(by_name) == len(level.nodes) == len(level.members):
        alignment = Alignment(False, tuple(by_name), (), (), (), False)
        return Pairing(alignment, frozenset(_held(judge, by_name)))
    start, end = _ends(judge, level) if len(level.nodes) >= _MANY else (0, 0)
    alignment = align(judge, _between(level, start, end))
    held = [node for pattern, node in alignment.pairs if judge.holds(pattern, node)]
    missing = [one._replace(before=one.before + start) for one in alignment.missing]
    return Pairing(
        alignment._replace(missing=tuple(missing)),
        frozenset((*level.nodes[:start], *held, *level.nodes[len(level.nodes) - end :])),
    )


def _by_name(level: Level) -> list[Pair]:
    """Return the pairs where names leave no choice, and no other order would do."""
    pairs: list[Pair] = []
    names: set[str] = set()
    for member, node in zip(level.members, level.nodes, strict=False):
        if not _is_single(member) or member.fixed != node.name or node.name in names:
            return []
        pairs.append((member, node))
        names.add(node.name)
    return pairs


def _held(judge: Judge, pairs: list[Pair]) -> list[SpanNode]:
    """Ask about all but the tallest tree: it is to blame if none of the others is."""
    tallest, *others = sorted(pairs, key=lambda pair: -len(range(*judge.terrain.below(pair[1]))))
    held = [node for pattern, node in others if judge.holds(pattern, node)]
    if len(held) < len(others) and judge.holds(*tallest):
        held.append(tallest[1])
    return held


def _ends(judge: Judge, level: Level) -> tuple[int, int]:
    """Count the pairs that hold where they stand, from the start and the end of a closed list."""
    if level.opened or not all(map(_is_single, level.members)):
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


def _is_single(member: Member) -> TypeGuard[SpanPattern]:
    return isinstance(member, SpanPattern) and not member.counted
