"""Explain a failed match: one tree, in which every difference stands where it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from pytest_otel_spans.explaining.culprits import Culprits
from pytest_otel_spans.explaining.disagreement import label_lines, usual_values
from pytest_otel_spans.explaining.draft import Draft, folded
from pytest_otel_spans.explaining.findings import Finding, What
from pytest_otel_spans.explaining.losses import Losses
from pytest_otel_spans.explaining.misorder import misorder
from pytest_otel_spans.explaining.pairing import pair_up
from pytest_otel_spans.explaining.renaming import joined
from pytest_otel_spans.explaining.slips import Slips
from pytest_otel_spans.explaining.strays import level_below
from pytest_otel_spans.explaining.surplus import Surplus
from pytest_otel_spans.explaining.wording import own_lines, paths_text, pattern_text
from pytest_otel_spans.matching.match import Alignment, Level, Outcome
from pytest_otel_spans.patterns.expected import Member, SpanPattern
from pytest_otel_spans.text.layout import draw
from pytest_otel_spans.text.render import title
from pytest_otel_spans.tree import SpanNode

__all__ = ["Explanation", "explain"]


_MOST: Final = 2_000
"""After so many levels with differences the search ends: an answer must come soon."""


class Explanation(NamedTuple):
    """What is wrong.

    Attributes:
        findings: The differences.
        lines: The annotated tree.
        is_complete: Whether the search went to its end.
    """

    findings: tuple[Finding, ...]
    lines: tuple[str, ...]
    is_complete: bool


def explain(outcome: Outcome) -> Explanation:
    """Explain why an outcome does not hold."""
    return _Inquiry(outcome).explanation()


class _Task(NamedTuple):
    """A level to look at.

    Attributes:
        level: The siblings and the members.
        parent: The span above it.
        pattern: What was expected of that span, None among the roots.
        entry: The entry of that span.
        is_to_blame: Whether nothing is wrong with that span itself.
    """

    level: Level
    parent: SpanNode | None
    pattern: SpanPattern | None
    entry: Draft
    is_to_blame: bool = False


class _Inquiry:
    """Walks down to wherever something does not hold."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self._judge = outcome.judge
        self._usual = usual_values(outcome.conflicts)
        self._slips = Slips(outcome.forest)
        self._losses = Losses(outcome.judge, self._slips)
        self._culprits = Culprits(outcome.judge.terrain)
        self._findings: list[Finding] = []

    def explanation(self) -> Explanation:
        """Walk, search for what is missing, and draw."""
        top = Draft(text="", children=list(self._forbidden()))
        agenda = [_Task(self._outcome.level, None, None, top, is_to_blame=not top.children)]
        fruitful = 0
        while agenda and fruitful < _MOST:
            found = len(self._findings) + len(self._losses)
            below = self._look_at(agenda.pop())
            agenda += [task for task in reversed(below) if task.level.nodes or task.level.members]
            fruitful += len(self._findings) + len(self._losses) > found
        for task in agenda:
            task.entry.remark = "… its children were not looked into"
        self._findings += self._losses.settle()
        if not self._findings:
            level = self._outcome.level
            self._find("level", None, expected=level.members)
            top.children.append(Draft(text=f"these do not match {_literal(level)}"))
        lines = [*draw(folded(top.children)), *label_lines(self._outcome)]
        return Explanation(tuple(self._findings), tuple(lines), is_complete=not agenda)

    def _forbidden(self) -> Iterator[Draft]:
        """Name what a `never` among the roots forbids and stands somewhere all the same."""
        for never in self._outcome.body.nevers:
            if found := self._judge.below(never, None):
                self._culprits.accuse(found)
                self._find("never", found[0], expected=never, actual=tuple(found))
                yield Draft(text=f"never({pattern_text(never)})", remark=f"+ {paths_text(found)}")

    def _look_at(self, task: _Task) -> list[_Task]:
        """Write the entries of a level, and return the levels below it that do not hold."""
        alignment, held = pair_up(self._judge, task.level, is_to_blame=task.is_to_blame)
        if alignment.chosen:
            task = self._choose(task, alignment.chosen)
        if alignment.reordered:
            self._tell_order(task, alignment)
            return []
        patterns = {node: pattern for pattern, node in alignment.pairs}
        wrong = alignment.missing or alignment.unexpected or len(held) < len(patterns)
        if not wrong and self._judge.arrange(task.level) is None:
            self._find("level", task.parent, expected=task.level.members)
            self._write(task, f"these do not match {_literal(task.level)}")
        surplus = Surplus(self._judge, task.level, alignment, task.pattern)
        gaps: dict[int, list[Draft]] = {}
        for missing in alignment.missing:
            entry = self._losses.miss(missing, task.parent)
            gaps.setdefault(missing.before, []).append(entry)
        tasks: list[_Task] = []
        for at, node in enumerate(task.level.nodes):
            entry = Draft(text=title(node))
            task.entry.children += [*gaps.get(at, ()), entry]
            if node in held:
                self._losses.hold((patterns[node], node))
                self._culprits.settle(node, entry)
            elif node in patterns:
                tasks.append(self._compare(patterns[node], node, entry))
            else:
                self._tell_unclaimed(node, entry, surplus)
        task.entry.children += gaps.get(len(task.level.nodes), ())
        return tasks

    def _choose(self, task: _Task, chosen: tuple[Member, ...]) -> _Task:
        """Look at the alternatives that come closest, and say which they are."""
        pairs = zip(task.level.members, chosen, strict=True)
        closest = ", ".join(repr(one) for member, one in pairs if one != member)
        self._write(task, f"of the alternatives this comes closest: {closest}")
        return task._replace(level=task.level._replace(members=chosen))

    def _compare(self, pattern: SpanPattern, node: SpanNode, entry: Draft) -> _Task:
        """Write what is wrong with the span itself; return the level below it."""
        self._culprits.mark(node, entry)
        differences = joined(self._judge.differences(pattern, node))
        slips: list[str] = []
        for one in differences:
            self._find(one.aspect, node, one.key, expected=one.expected, actual=one.actual)
            if one.aspect == "never":
                self._culprits.accuse(one.actual)
            elif one.aspect in {"descendant", "link"} and (slip := self._slips.ask([one.expected])):
                slips.append(f"↳ {slip.sentence}")
        entry.below += [*own_lines(differences, pattern, node, self._usual), *slips]
        return _Task(level_below(pattern, node), node, pattern, entry, is_to_blame=not differences)

    def _find(
        self,
        what: What,
        node: SpanNode | None,
        key: str | None = None,
        *,
        expected: object = None,
        actual: object = None,
    ) -> None:
        self._findings.append(
            Finding(what=what, node=node, key=key, expected=expected, actual=actual)
        )

    def _tell_unclaimed(self, node: SpanNode, entry: Draft, surplus: Surplus) -> None:
        allowed = node not in surplus
        self._losses.leave(node, entry, allowed=allowed)
        if allowed:
            self._culprits.settle(node, entry)
        else:
            entry.remark = surplus.remark(node)

    def _tell_order(self, task: _Task, alignment: Alignment) -> None:
        order = misorder(task.level.members, alignment.pairs)
        self._find("order", task.parent)
        for node in task.level.nodes:
            entry = Draft(text=title(node), remark=order.remarks.get(node, ""))
            task.entry.children.append(entry)
            if not entry.remark:
                self._culprits.settle(node, entry)
        self._write(task, order.sentence)

    def _write(self, task: _Task, sentence: str) -> None:
        """Write a sentence on a whole level."""
        if task.parent is None:
            task.entry.children.append(Draft(text=sentence))
        else:
            task.entry.below.append(sentence)


def _literal(level: Level) -> str:
    return ", ".join([*map(repr, level.members), *(["..."] if level.opened else [])])
