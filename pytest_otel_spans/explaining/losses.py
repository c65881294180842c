"""Search for spans that are missing: where else an equal one stands, or what comes closest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from pytest_otel_spans.explaining.draft import Draft
from pytest_otel_spans.explaining.findings import Finding
from pytest_otel_spans.explaining.moved import moved_lines
from pytest_otel_spans.explaining.slips import Slips
from pytest_otel_spans.explaining.strays import Likeness, Strays
from pytest_otel_spans.explaining.wording import brief, count_text, pattern_name
from pytest_otel_spans.matching.judge import Judge
from pytest_otel_spans.matching.match import Missing, Pair
from pytest_otel_spans.matching.seats import seats_of
from pytest_otel_spans.patterns.expected import SpanPattern
from pytest_otel_spans.text.render import path_text, preorder
from pytest_otel_spans.tree import SpanNode

__all__ = ["Losses"]

_ROOM: Final = 60
"""What comes closest stands in the same line, if both take no more characters than this."""


class _Loss(NamedTuple):
    """What is missing, under which span, and the entry that says so."""

    missing: Missing
    parent: SpanNode | None
    entry: Draft


class Losses:
    """What was missing and what was unexpected, until both can be compared."""

    def __init__(self, judge: Judge, slips: Slips) -> None:
        self._judge = judge
        self._slips = slips
        self._losses: list[_Loss] = []
        self._held: list[Pair] = []
        self._unclaimed: list[SpanNode] = []
        self._unexpected: dict[SpanNode, Draft] = {}
        self._reasons: set[tuple[str, ...]] = set()
        self._places: dict[SpanNode | None, str] = {None: ""}

    def miss(self, missing: Missing, parent: SpanNode | None) -> Draft:
        """Note that something is missing below a span; return its entry."""
        member = missing.member
        text = brief(member) if isinstance(member, SpanPattern) else _alternatives(missing)
        entry = Draft(text=text)
        self._losses.append(_Loss(missing, parent, entry))
        return entry

    def hold(self, pair: Pair) -> None:
        """Note that a pair holds; below it, too, may be spans that `...` allows."""
        self._held.append(pair)

    def leave(self, node: SpanNode, entry: Draft, *, allowed: bool) -> None:
        """Note that a span belongs to no pattern, whether or not `...` allows it."""
        self._unclaimed.append(node)
        if not allowed:
            self._unexpected[node] = entry

    def __len__(self) -> int:
        return len(self._losses) + len(self._unexpected)

    def settle(self) -> Iterator[Finding]:
        """Write the remarks on what is missing, and yield what remains as a difference."""
        strays = Strays(self._judge, self._unclaimed_spans() if self._losses else ())
        moved: set[SpanNode] = set()
        for loss in self._losses:
            member, found, _ = loss.missing
            (seat,) = seats_of([member])
            lacking = seat.least - found
            while lacking and (node := strays.take_equal(seat.patterns)):
                lacking -= 1
                moved.add(node)
                yield self._tell_moved(loss, node)
            if lacking:
                self._tell_missing(loss, strays)
                yield Finding(what="missing", node=loss.parent, expected=member)
            else:
                loss.entry.remark = "- missing here"
        for node in self._unexpected:
            if node not in moved:
                yield Finding(what="unexpected", node=node, actual=node)

    def _unclaimed_spans(self) -> Iterator[SpanNode]:
        yield from preorder(self._unclaimed)
        claimed = {node for _, node in self._judge.pairs(self._held, lambda _: True)}
        for node in preorder(node for _, node in self._held):
            if node not in claimed:
                yield node

    def _place(self, parent: SpanNode | None) -> str:
        if parent is not None and parent not in self._places:  # of many siblings a path is dear
            self._places[parent] = path_text(parent)
        return self._places[parent]

    def _tell_missing(self, loss: _Loss, strays: Strays) -> None:
        (seat,) = seats_of([loss.missing.member])
        wanted = "one of these" if len(seat.patterns) > 1 else count_text(seat.least, seat.most)
        hints = self._hints(seat.patterns, strays.closest(seat.patterns, loss.parent))
        found = f"found {loss.missing.found:,}" if loss.missing.found else "missing"
        loss.entry.remark = f"- {found}, expected {wanted}"
        if hints and len(loss.entry.text) + len(hints[0]) <= _ROOM:
            loss.entry.remark += f"    {hints.pop(0)}"
        loss.entry.below += [f"↳ {hint}" for hint in hints]

    def _hints(self, patterns: Sequence[SpanPattern], closest: Likeness | None) -> list[str]:
        """Say what may have been meant by a pattern that is missing."""
        slip = self._slips.ask(patterns)
        if closest is None:
            return [slip.sentence] if slip else []
        if slip and slip.meant == closest.node.name:
            aside = ", ".join((f"no span is named {slip.name!r}", *closest.differs))
            return [f"did you mean {closest.place}? ({aside})"]
        told = ", ".join((*(() if closest.has_name else ("name differs",)), *closest.differs))
        return [f"closest: {closest.place} ({told})", *([slip.sentence] if slip else [])]

    def _tell_moved(self, loss: _Loss, node: SpanNode) -> Finding:
        expected = self._place(loss.parent)
        under = f"under {expected}" if expected else "as a root"
        where, why = moved_lines(node, loss.parent, expected)
        told = why in self._reasons
        self._reasons.add(why)
        loss.entry.below += [f"{where} (for the same reason)"] if told else [where, *why]
        if node in self._unexpected:
            root = "" if node.parent else f"root of trace {node.trace}, "
            place = "in another place" if node.parent is loss.parent else under
            self._unexpected[node].remark = f"+ {root}expected {place}"
        return Finding(what="moved", node=node, expected=loss.missing.member, actual=node)


def _alternatives(missing: Missing) -> str:
    (seat,) = seats_of([missing.member])
    return f"one_of({', '.join(pattern_name(one) for one in seat.patterns)})"
