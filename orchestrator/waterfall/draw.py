"""A trace drawn for a terminal of any width."""

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Final

from orchestrator.legible import line, usd
from orchestrator.waterfall.headline import headline
from orchestrator.waterfall.layout import TIME, Layout, layout_of
from orchestrator.waterfall.marks import POINTER, in_signs, in_words, marks
from orchestrator.waterfall.ranking import ranking
from orchestrator.waterfall.rows import Row, rows_of
from orchestrator.waterfall.story import (
    blame_for_money,
    blame_for_time,
    calls,
    cost_of,
    dearest,
    detail,
    estimate_of,
    slowest,
    title,
    tokens_of,
    uneventful,
)
from orchestrator.waterfall.trace import SpanRecord, Trace
from orchestrator.waterfall.words import (
    BESIDE,
    CRITICAL,
    ON_PATH,
    QUIET,
    STYLE_OF,
    Line,
    Part,
    cell,
    duration,
    length,
    percent,
    tokens,
)

ROWS: Final = 64
NARROW: Final = 60
"""What a narrower terminal gets all the same: below it, nothing can be read."""
_COST: Final = 9
_SHORTEST: Final = len("gpt-6…")
"""Of what is left of a name that is cut."""
_LEGEND: Final = (
    Part(ON_PATH, STYLE_OF[ON_PATH]),
    Part(" the run waited  ", QUIET),
    Part(BESIDE, STYLE_OF[BESIDE]),
    Part(" ran beside", QUIET),
)


def draw(trace: Trace, width: int, rows: int = ROWS) -> list[Line]:
    """The whole view: who is to blame, the tree over time, the slowest and the dearest calls.

    Checks that found nothing are counted instead of drawn. A tree of more than `rows` spans is
    folded to the half of them that say most.
    """
    width = max(width, NARROW)
    quiet = uneventful(trace)
    tree = rows_of(trace, rows, {span.id for span in quiet})
    canvas = _Canvas(trace, tree, width)
    lists = (("Slowest calls", slowest(trace)), ("Dearest calls", dearest(trace)))
    return [
        *headline(trace, width),
        *canvas.scale(),
        *map(canvas.row, tree),
        *_not_drawn(quiet, width),
        *(
            each
            for heading, ranked in lists
            for each in ranking(
                trace, heading, ranked, width=width, on_path=canvas.path, cost=canvas.columns.cost
            )
        ),
    ]


def _not_drawn(quiet: Sequence[SpanRecord], width: int) -> Iterator[Line]:
    """What the tree leaves out, so that nobody misses it."""
    if quiet:
        counted = Counter(span.name for span in quiet)
        names = ", ".join(f"{number} {name}" for name, number in counted.items())
        took = duration(sum(span.duration_ns for span in quiet))
        yield (Part(line(f"not drawn: {names} (no finding, {took})", width), QUIET),)


class _Canvas:
    """The tree of a trace on a sheet of some width."""

    def __init__(self, trace: Trace, rows: Sequence[Row], width: int) -> None:
        self._trace = trace
        self._width = width
        self._length_ns = max(trace.root.duration_ns, 1)
        self._pointed = _pointed_at(trace)
        self.path: dict[int, list[tuple[int, int]]] = {}
        for segment in trace.critical_path:
            for span in trace.ancestors(segment.span):
                self.path.setdefault(span.id, []).append((segment.start_ns, segment.end_ns))
        self.columns = self._laid_out(rows)

    def _laid_out(self, rows: Sequence[Row]) -> Layout:
        said = [(row, "" if row.folded else self._said(row.spans[0])) for row in rows]
        needed, wanted = (
            max(
                len(row.branches)
                + len(row.folded or name)
                + (0 if row.folded else length(told(self._marks(row.spans[0]))))
                for row, name in said
            )
            for told in (in_signs, in_words)
        )
        sent = calls(self._trace)
        cost = sum(map(cost_of, sent), Decimal(0))
        dollars = usd(cost, sum(map(estimate_of, sent), Decimal(0)))
        column = max(_COST, len(dollars) + 1) if cost else 0
        return layout_of(self._width, needed=needed, wanted=wanted, cost=column)

    def _said(self, span: SpanRecord) -> str:
        """Name and detail, as long as they come."""
        return f"{line(title(self._trace, span))} {line(detail(span))}".rstrip()

    def _marks(self, span: SpanRecord) -> list[str]:
        return [*self._pointed.get(span.id, ()), *marks(span)]

    def scale(self) -> list[Line]:
        """The heads of the columns; above the bars the time line, left of it what they mean."""
        columns = self.columns
        heads = "time".rjust(TIME)
        heads += "share".rjust(columns.share) if columns.share else ""
        heads += "tokens in→out".rjust(columns.tokens) if columns.tokens else ""
        heads += "cost".rjust(columns.cost) if columns.cost else ""
        end = duration(self._length_ns)
        axis = f" 0{end:>{columns.bars - 1}}" if len(end) < columns.bars else " " * columns.bars
        axis = axis if columns.bars else ""
        legend = _LEGEND if columns.bars else ()
        if length(legend) > columns.names:
            return [legend, (Part(f"{'':{columns.names}}{axis}{heads}", QUIET),)]
        gap = " " * (columns.names - length(legend))
        return [(*legend, Part(f"{gap}{axis}{heads}", QUIET))]

    def row(self, row: Row) -> Line:
        """One line of the tree."""
        start_ns = min(span.start_ns for span in row.spans)
        end_ns = max(span.end_ns for span in row.spans)
        return (
            *(self._folded(row) if row.folded else self._name(row.branches, row.spans[0])),
            *(self._bar(row, start_ns, end_ns) if self.columns.bars else ()),
            Part(self._figures(row, end_ns - start_ns)),
        )

    def _folded(self, row: Row) -> Line:
        return (Part(cell(f"{row.branches}{row.folded}", self.columns.names), QUIET),)

    def _name(self, branches: str, span: SpanRecord) -> Line:
        """Branches, name, detail and marks; what has no room goes, the name last."""
        room = self.columns.names - len(branches)
        name = line(title(self._trace, span), room)
        told = in_words(self._marks(span))
        if len(self._said(span)) + length(told) > room:
            told = in_signs(self._marks(span))
        spare = room - len(name) - length(told) - 1
        known = line(detail(span))
        more = f" {line(known, spare)}" if known and spare >= min(len(known), _SHORTEST) else ""
        return (
            Part(branches, QUIET),
            Part(name, CRITICAL if span.id in self.path else ""),
            Part(more, QUIET),
            *told,
            Part(" " * (room - len(name) - len(more) - length(told))),
        )

    def _bar(self, row: Row, start_ns: int, end_ns: int) -> Iterator[Part]:
        """Where on the time line it ran; solid where the whole run waited for it."""
        cells = [" "] * self.columns.bars
        first, last = self._cells(start_ns, end_ns)
        cells[first:last] = BESIDE * (last - first)
        for span in row.spans:
            for stretch in self.path.get(span.id, ()):
                first, last = self._cells(*stretch)
                cells[first:last] = ON_PATH * (last - first)
        failed = any(span.failed for span in row.spans)
        for sign, run in groupby([" ", *cells]):
            yield Part("".join(run), "red" if failed else STYLE_OF[sign])

    def _cells(self, start_ns: int, end_ns: int) -> tuple[int, int]:
        """The cells of a stretch of time: at least one, so that nothing is invisible."""
        origin_ns, bars = self._trace.root.start_ns, self.columns.bars
        first = (start_ns - origin_ns) * bars // self._length_ns
        last = -((origin_ns - end_ns) * bars // self._length_ns)
        first = min(max(first, 0), bars - 1)
        return first, min(max(last, first + 1), bars)

    def _figures(self, row: Row, length_ns: int) -> str:
        """Time, share of the run, and what everything below it sent, received and cost."""
        columns = self.columns
        below = [each for span in row.spans for each in self._trace.under(span)]
        text = f"{duration(length_ns):>{TIME}}"
        text += percent(length_ns, self._length_ns).rjust(columns.share) if columns.share else ""
        text += tokens(*tokens_of(below)).rjust(columns.tokens) if columns.tokens else ""
        text += _dollars(below).rjust(columns.cost) if columns.cost else ""
        return text.rstrip()


def _pointed_at(trace: Trace) -> dict[int, list[str]]:
    """The spans that the sentences above the tree are about, to be found in it."""
    pointed: dict[int, list[str]] = {}
    for what, blame in (("time", blame_for_time(trace)), ("money", blame_for_money(trace))):
        if blame is not None and blame.calls == 1 and blame.of is not trace.root:
            pointed.setdefault(blame.of.id, []).append(f"{POINTER} {what}")
    return pointed


def _dollars(of: Sequence[SpanRecord]) -> str:
    """What they cost together; nothing where they cost nothing."""
    cost = sum(map(cost_of, of), Decimal(0))
    return usd(cost, sum(map(estimate_of, of), Decimal(0))) if cost else ""
