"""Keep an annotated tree while it is written; what holds in it is folded before it is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from pytest_otel_spans.text.layout import Branch
from pytest_otel_spans.text.render import counted

__all__ = ["Draft", "folded"]

_SHOWN_SETTLED: Final = 2
"""So many neighbours that hold are named; more are one line."""
_LONGEST_DESCENT: Final = 6
"""So many levels that have nothing to say on the way down are shown; of more, both ends."""


@dataclass(slots=True, kw_only=True, eq=False)
class Draft:
    """An entry of the tree.

    Attributes:
        text: What it is.
        remark: What is wrong with it, to its right.
        below: Lines about it.
        children: What stands under it.
        settled: Of how many spans it stands at the top, if all of them are as expected; else 0.
    """

    text: str
    remark: str = ""
    below: list[str] = field(default_factory=list)
    children: list[Draft] = field(default_factory=list)
    settled: int = 0


def folded(drafts: Iterable[Draft]) -> tuple[Branch, ...]:
    """Return the tree as it is to be drawn."""
    top = Draft(text="", children=list(drafts))
    order: list[Draft] = []
    waiting = [top]
    while waiting:
        draft = waiting.pop()
        _shorten(draft)
        order.append(draft)
        waiting.extend(draft.children)
    children: dict[Draft, tuple[Branch, ...]] = {}
    for draft in reversed(order):
        children[draft] = tuple(_branches(draft, children))
    return children[top]


def _shorten(draft: Draft) -> None:
    """Leave out the middle of each long descent that starts below this entry."""
    for at, child in enumerate(draft.children):
        descent = list(_descent(child))
        if len(descent) > _LONGEST_DESCENT:
            first, *between, last = descent
            beside = sum(one.settled for level in between for one in level.children)
            aside = f", {counted(beside, 'span')} ok" if beside else ""
            gap = Draft(text=f"… {counted(len(between), 'level')}{aside}", children=[last])
            kept = [one if one.settled else gap for one in first.children]
            draft.children[at] = Draft(text=first.text, children=kept)


def _descent(draft: Draft) -> Iterator[Draft]:
    """Yield the entry and those under it, as long as each leads to just one and says nothing."""
    while not (draft.remark or draft.below or draft.settled):
        unsettled = [child for child in draft.children if not child.settled]
        if len(unsettled) != 1:
            return
        yield draft
        draft = unsettled[0]


def _branches(draft: Draft, children: dict[Draft, tuple[Branch, ...]]) -> Iterator[Branch]:
    for settled, run in groupby(draft.children, key=lambda child: child.settled > 0):
        entries = list(run)
        if settled and len(entries) > _SHOWN_SETTLED:
            yield Branch(text=f"… {sum(one.settled for one in entries):,} spans ok")
            continue
        for one in entries:
            remark = _praise(one.settled) if settled else one.remark
            yield Branch(
                text=one.text, remark=remark, below=tuple(one.below), children=children.pop(one)
            )


def _praise(settled: int) -> str:
    return "ok" if settled == 1 else f"ok, with {counted(settled - 1, 'span')} below"
