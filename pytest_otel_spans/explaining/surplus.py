"""Say of siblings that nobody expected whether they are one too many, and how to allow them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import chain, groupby

from pytest_otel_spans.explaining.wording import count_text
from pytest_otel_spans.matching.judge import Judge
from pytest_otel_spans.matching.match import Alignment, Level
from pytest_otel_spans.matching.seats import seats_of
from pytest_otel_spans.patterns.expected import SpanPattern
from pytest_otel_spans.patterns.groups import AnyOrder
from pytest_otel_spans.text.calls import quoted
from pytest_otel_spans.text.render import counted
from pytest_otel_spans.tree import SpanNode

__all__ = ["Surplus"]


class Surplus:
    """The siblings of one level that are too many.

    A pattern that all its siblings hold for says how many there may be; it is found by the name.
    """

    def __init__(
        self, judge: Judge, level: Level, alignment: Alignment, above: SpanPattern | None
    ) -> None:
        self._judge = judge
        self._leaf = None if level.members else above
        self._room: Counter[SpanPattern] = Counter()
        self._by_name: dict[str | None, list[SpanPattern]] = {}
        for seat in seats_of(level.members) if alignment.unexpected else ():
            for pattern in seat.patterns:
                if pattern not in self._room:
                    self._by_name.setdefault(pattern.fixed, []).append(pattern)
                self._room[pattern] += seat.most or 0
        self._found = Counter(pattern for pattern, _ in alignment.pairs if self._room)
        self._of = {node: self._pattern(node) for node in alignment.unexpected}
        self._found.update(pattern for pattern in self._of.values() if pattern is not None)
        self._together = _together(level, {node: one for one, node in alignment.pairs} | self._of)

    def __contains__(self, node: SpanNode) -> bool:
        return node in self._of

    def remark(self, node: SpanNode) -> str:
        """Say what is wrong with an unexpected sibling, and what to write if it is not."""
        pattern = self._of[node]
        if pattern is not None:
            together = pattern in self._together
            return _too_many(pattern, self._room[pattern], self._found[pattern], together=together)
        what = "child" if node.parent else f"root of trace {node.trace}"
        size = len(range(*self._judge.terrain.below(node)))
        below = f" with {counted(size, 'span')} below" if size else ""
        return f"+ unexpected {what}{below}{self._allowance(node)}"

    def _allowance(self, node: SpanNode) -> str:
        """Say what to write where the span may stand; under a leaf, say it of the first."""
        if self._leaf is not None:
            if node is not next(iter(self._of)):
                return ""
            name = self._leaf.name
            leaf = f"span({quoted(name) if isinstance(name, str) else repr(name)}"
            return f"  → {leaf}) means a leaf: allow children with {leaf}, ...)"
        inside = f"{quoted(node.name)}, ..." if node.children else quoted(node.name)
        return f"  → allow it with `...` or span({inside}).optional()"

    def _pattern(self, node: SpanNode) -> SpanPattern | None:
        for pattern in chain(self._by_name.get(node.name, []), self._by_name.get(None, [])):
            if self._judge.holds(pattern, node):
                return pattern
        return None


def _together(
    level: Level, owners: Mapping[SpanNode, SpanPattern | None]
) -> set[SpanPattern | None]:
    """Return the patterns whose siblings a count could take: in a list they stand together."""
    if level.opened or any(isinstance(member, AnyOrder) for member in level.members):
        return set(owners.values())
    runs = Counter(pattern for pattern, _ in groupby(map(owners.get, level.nodes)))
    return {pattern for pattern, several in runs.items() if several == 1}


def _too_many(pattern: SpanPattern, room: int, found: int, *, together: bool) -> str:
    if not room:
        return f"+ found {found:,}, expected none"
    least = min(pattern.least, room) if pattern.counted else room
    counts = f"{found}" if least == room else f"{least}, max={found}"
    advice = f".times({counts})" if together else "expect it here, too"
    return f"+ one too many: found {found:,}, expected {count_text(least, room)}  → {advice}"
