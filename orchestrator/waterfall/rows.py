"""The lines of the tree: which spans are shown, and which are folded into one line."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from orchestrator import spans
from orchestrator.waterfall.marks import marks
from orchestrator.waterfall.story import most_interesting_first
from orchestrator.waterfall.trace import SpanRecord, Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the tree: a span, or siblings that found no room, folded together."""

    branches: str
    """The branches of the tree that stand before the name."""
    spans: tuple[SpanRecord, ...]
    folded: str = ""
    """What a folded line says of its spans."""


@dataclass(frozen=True, slots=True)
class _Choice:
    """Ids of the spans with a line of their own, and of those that share one."""

    shown: Collection[int]
    folded: Collection[int]


def rows_of(trace: Trace, limit: int, left_out: Collection[int] = ()) -> list[Row]:
    """The whole tree where it has at most `limit` spans; else the half that says most.

    What is shown hangs below its ancestors; what is not is folded, siblings together. The spans
    whose ids are `left_out` are neither.
    """
    drawn = {span.id for span in trace.spans} - set(left_out)
    shown = drawn if len(drawn) <= limit else _worth_showing(trace, limit, drawn)
    return list(_rows(trace, trace.root, _Choice(shown, drawn - shown), "", ""))


def _worth_showing(trace: Trace, limit: int, drawn: Collection[int]) -> set[int]:
    shown: set[int] = {trace.root.id}
    for span in most_interesting_first(trace):
        if span.id not in drawn:
            continue
        way = {each.id for each in trace.ancestors(span)} - shown
        if len(shown) + len(way) <= limit // 2:
            shown |= way
    return shown | _only_ones_hidden(trace, shown, drawn)


def _only_ones_hidden(trace: Trace, shown: set[int], drawn: Collection[int]) -> set[int]:
    """Leaves whose siblings are all shown: the line that folds one away might as well show it."""
    hidden_of = [
        [child for child in trace.children(span) if child.id in drawn and child.id not in shown]
        for span in trace.spans
        if span.id in shown
    ]
    return {
        hidden[0].id for hidden in hidden_of if len(hidden) == 1 and not trace.children(hidden[0])
    }


def _rows(
    trace: Trace, span: SpanRecord, choice: _Choice, branch: str, below: str
) -> Iterator[Row]:
    yield Row(branches=branch, spans=(span,))
    children = [child for child in trace.children(span) if child.id in choice.shown]
    hidden = tuple(child for child in trace.children(span) if child.id in choice.folded)
    for number, child in enumerate(children, 1):
        is_last = number == len(children) and not hidden
        fork, rail = ("└ ", "  ") if is_last else ("├ ", "│ ")
        yield from _rows(trace, child, choice, below + fork, below + rail)
    if hidden:
        yield Row(branches=below + "└ ", spans=hidden, folded=_label(trace, hidden))


def _label(trace: Trace, hidden: tuple[SpanRecord, ...]) -> str:
    """How many there are, and in how many of them something went wrong."""
    are_tasks = all(span.name.startswith(spans.SPAN_TASK) for span in hidden)
    noun = " task" if are_tasks else " span"
    marked = sum(any(marks(each) for each in trace.under(span)) for span in hidden)
    told = f"… {len(hidden):,} more{noun}{'s' if len(hidden) > 1 else ''}"
    return f"{told}, {marked:,} with marks" if marked else told
