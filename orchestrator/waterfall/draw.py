"""A trace drawn for a terminal of any width."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final

from orchestrator import spans
from orchestrator.legible import count, line, usd
from orchestrator.waterfall.layout import TIME, Layout, layout_of
from orchestrator.waterfall.rows import Row, rows_of
from orchestrator.waterfall.story import (
    blame,
    brief,
    calls,
    cost_of,
    dearest,
    detail,
    estimate_of,
    marks,
    slowest,
    title,
    where,
)
from orchestrator.waterfall.trace import SpanRecord, Trace
from orchestrator.waterfall.words import Line, Part, cell, duration, tokens

ROWS: Final = 64
NARROW: Final = 60
"""What a narrower terminal gets all the same: below it, nothing can be read."""
_COST: Final = 9
_SHARE: Final = 6
_ON_PATH: Final = "█"
_BESIDE: Final = "░"
_BAD: Final = "bold red"
_GOOD: Final = "bold green"
_CRITICAL: Final = "bold yellow"
_QUIET: Final = "dim"


def draw(trace: Trace, width: int, rows: int = ROWS) -> list[Line]:
    """The whole view: summary, tree, what the run waited for, slowest and dearest calls.

    A tree of more than `rows` spans is folded to the half of them that say most.
    """
    tree = rows_of(trace, rows)
    canvas = _Canvas(trace, tree, max(width, NARROW))
    return [
        *canvas.summary(),
        canvas.scale(),
        *(canvas.row(row) for row in tree),
        *canvas.verdict(),
        *canvas.ranking("Slowest calls", slowest(trace)),
        *canvas.ranking("Dearest calls", dearest(trace)),
    ]


class _Canvas:
    """A trace on a sheet of some width."""

    def __init__(self, trace: Trace, rows: Sequence[Row], width: int) -> None:
        self._trace = trace
        self._width = width
        self._sent = calls(trace)
        self._cost = sum(map(cost_of, self._sent), Decimal(0))
        self._estimated = sum(map(estimate_of, self._sent), Decimal(0))
        self._length_ns = max(trace.root.duration_ns, 1)
        self._columns = self._laid_out(rows)
        self._path: dict[int, list[tuple[int, int]]] = {}
        for segment in trace.critical_path:
            for span in trace.ancestors(segment.span):
                self._path.setdefault(span.id, []).append((segment.start_ns, segment.end_ns))

    def _laid_out(self, rows: Sequence[Row]) -> Layout:
        said = [(row, "" if row.folded else self._said(row.spans[0])) for row in rows]
        needed = [
            len(row.branches) + len(row.folded or name + _short_marks(row.spans[0]))
            for row, name in said
        ]
        wanted = [
            len(row.branches) + len(row.folded or name + _long_marks(row.spans[0]))
            for row, name in said
        ]
        cost = max(_COST, len(usd(self._cost, self._estimated)) + 1) if self._cost else 0
        return layout_of(self._width, needed=max(needed), wanted=max(wanted), cost=cost)

    def _said(self, span: SpanRecord) -> str:
        """Name and detail, as long as they come."""
        return f"{line(title(self._trace, span))} {line(detail(span))}".rstrip()

    def summary(self) -> list[Line]:
        """What the run was, and what it took."""
        root = self._trace.root
        status = line(str(root.attributes.get(spans.STATUS, "")))
        sent, received = _tokens(self._sent)
        made = count(len(self._sent), "call")
        said = f"{made}, {sent:,} tokens in, {received:,} out"
        head = (
            Part(
                line(f"{root.name} {root.attributes.get(spans.PROJECT_ID, '')}", self._width - 32)
            ),
            Part(f"  {status}" if status else "", _BAD if root.failed else _GOOD),
            Part(f"  {duration(root.duration_ns)}"),
            Part(f"  {usd(self._cost, self._estimated)}" if self._cost else ""),
        )
        return [head, (Part(said, _QUIET),), *self._guesses(), ()]

    def _guesses(self) -> Iterator[Line]:
        if self._estimated:
            yield (Part(f"≈ up to {usd(self._estimated)} estimated: replies that were lost", _BAD),)

    def scale(self) -> Line:
        """The heads of the columns; above the bars, the time line."""
        columns = self._columns
        heads = "time".rjust(TIME)
        heads += "share".rjust(columns.share) if columns.share else ""
        heads += "tokens".rjust(columns.tokens) if columns.tokens else ""
        heads += "cost".rjust(columns.cost) if columns.cost else ""
        end = duration(self._length_ns)
        axis = f" 0{end:>{columns.bars - 1}}" if len(end) < columns.bars else " " * columns.bars
        return (Part(f"{'':{columns.names}}{axis if columns.bars else ''}{heads}", _QUIET),)

    def row(self, row: Row) -> Line:
        """One line of the tree."""
        start_ns = min(span.start_ns for span in row.spans)
        end_ns = max(span.end_ns for span in row.spans)
        failed = any(span.failed for span in row.spans)
        bar = f" {self._bar(row, start_ns, end_ns)}" if self._columns.bars else ""
        return (
            *(self._folded(row) if row.folded else self._name(row.branches, row.spans[0])),
            Part(bar, "red" if failed else "cyan"),
            Part(self._figures(row, end_ns - start_ns)),
        )

    def _folded(self, row: Row) -> Line:
        return (Part(cell(f"{row.branches}{row.folded}", self._columns.names), _QUIET),)

    def _name(self, branches: str, span: SpanRecord) -> Line:
        """Branches, name, detail and marks; what has no room goes, the name last."""
        room = self._columns.names - len(branches)
        name = line(title(self._trace, span), room)
        told = _long_marks(span)
        if len(self._said(span)) + len(told) > room:
            told = _short_marks(span)
        spare = room - len(name) - len(told) - 1
        more = f" {line(detail(span), spare)}" if detail(span) and spare > len("gpt-…") else ""
        return (
            Part(branches, _QUIET),
            Part(name, _CRITICAL if span.id in self._path else ""),
            Part(more, _QUIET),
            Part(cell(told, room - len(name) - len(more)), _BAD),
        )

    def _bar(self, row: Row, start_ns: int, end_ns: int) -> str:
        """Where on the time line it ran; solid where the whole run waited for it."""
        cells = [" "] * self._columns.bars
        first, last = self._cells(start_ns, end_ns)
        cells[first:last] = _BESIDE * (last - first)
        for span in row.spans:
            for stretch in self._path.get(span.id, ()):
                first, last = self._cells(*stretch)
                cells[first:last] = _ON_PATH * (last - first)
        return "".join(cells)

    def _cells(self, start_ns: int, end_ns: int) -> tuple[int, int]:
        """The cells of a stretch of time: at least one, so that nothing is invisible."""
        origin_ns, bars = self._trace.root.start_ns, self._columns.bars
        first = (start_ns - origin_ns) * bars // self._length_ns
        last = -((origin_ns - end_ns) * bars // self._length_ns)
        first = min(max(first, 0), bars - 1)
        return first, min(max(last, first + 1), bars)

    def _figures(self, row: Row, length_ns: int) -> str:
        """Time, share of the run, and what everything below it sent, received and cost."""
        columns = self._columns
        below = [each for span in row.spans for each in self._trace.under(span)]
        text = f"{duration(length_ns):>{TIME}}"
        text += self._share(length_ns).rjust(columns.share) if columns.share else ""
        text += tokens(*_tokens(below)).rjust(columns.tokens) if columns.tokens else ""
        text += _dollars(below).rjust(columns.cost) if columns.cost else ""
        return text.rstrip()

    def _share(self, length_ns: int) -> str:
        return f"{100 * length_ns / self._length_ns:.0f} %"

    def verdict(self) -> list[Line]:
        """What the solid cells mean, and the span that the run waited for longest."""
        legend = f"{_ON_PATH} critical path: the run waited for it   {_BESIDE} ran beside it"
        lines: list[Line] = [(), (Part(legend, _QUIET),)] if self._columns.bars else [()]
        guilty = blame(self._trace)
        if guilty is not None:
            held = f"{self._share(guilty.held_ns)} of the run ({duration(guilty.held_ns)}) went to "
            who = self._called(guilty.span, self._width - len(held))
            lines.append((Part(held), Part(who, _CRITICAL)))
        return lines

    def ranking(self, heading: str, ranked: Sequence[SpanRecord]) -> list[Line]:
        """Up to five calls, worst first."""
        return [(), (Part(heading, "bold"),), *map(self._ranked, ranked)] if ranked else []

    def _ranked(self, span: SpanRecord) -> Line:
        """Time, share, cost, the call and its marks; what has no room goes, the share first."""
        time = f"{duration(span.duration_ns):>{TIME}}"
        share = f"{self._share(span.duration_ns):>{_SHARE}}"
        cost = f"{_dollars([span]):>{self._columns.cost}}" if self._cost else ""
        full = len(self._called(span))
        flags = _long_marks(span)
        room = self._width - len(time) - len(cost) - 2
        if full + len(share) + len(flags) > room:
            share = ""
        if full + len(flags) > room:
            flags = _short_marks(span)
        who = self._called(span, room - len(share) - len(flags))
        return (Part(f"{time}{share}{cost}  {who}"), Part(flags, _BAD))

    def _called(self, span: SpanRecord, room: int | None = None) -> str:
        """Where and of which model: in full, else in brief, else cut."""
        place, model = line(where(self._trace, span)), line(detail(span))
        full = f"{place} {model}".rstrip()
        if room is None or len(full) <= room:
            return full
        return line(f"{brief(place)} {model}", room)


def _long_marks(span: SpanRecord) -> str:
    return "".join(f"  {line(mark)}" for mark in marks(span))


def _short_marks(span: SpanRecord) -> str:
    return "".join(f" {mark[0]}" for mark in marks(span))


def _dollars(of: Sequence[SpanRecord]) -> str:
    """What they cost together; nothing where they cost nothing."""
    cost = sum(map(cost_of, of), Decimal(0))
    return usd(cost, sum(map(estimate_of, of), Decimal(0))) if cost else ""


def _tokens(of: Iterable[SpanRecord]) -> tuple[int, int]:
    """Tokens sent and received."""
    counts = [
        (each.attributes.get(spans.TOKENS_IN, 0), each.attributes.get(spans.TOKENS_OUT, 0))
        for each in of
    ]
    return sum(sent for sent, _ in counts), sum(received for _, received in counts)
