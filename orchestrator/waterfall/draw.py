"""A trace drawn for a terminal of any width."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from orchestrator import spans
from orchestrator.legible import count, line, usd
from orchestrator.waterfall.rows import Row, rows_of
from orchestrator.waterfall.story import (
    blame,
    calls,
    cost_of,
    dearest,
    detail,
    marks,
    slowest,
    where,
)
from orchestrator.waterfall.trace import SpanRecord, Trace
from orchestrator.waterfall.words import Line, Part, cell, duration, tokens

ROWS: Final = 64
NARROW: Final = 60
"""What a narrower terminal gets all the same: below it, nothing can be read."""
_WIDE: Final = 76
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
    canvas = _Canvas(trace, max(width, NARROW))
    return [
        *canvas.summary(),
        canvas.scale(),
        *(canvas.row(row) for row in rows_of(trace, rows)),
        *canvas.verdict(),
        *canvas.ranking("Slowest calls", slowest(trace)),
        *canvas.ranking("Dearest calls", dearest(trace)),
    ]


class _Canvas:
    """The columns that a width leaves room for."""

    def __init__(self, trace: Trace, width: int) -> None:
        self._trace = trace
        self._width = width
        self._is_wide = width >= _WIDE
        self._cost = sum(map(cost_of, calls(trace)), Decimal(0))
        self._length_ns = max(trace.root.duration_ns, 1)
        figures = 9 + (6 + 13 if self._is_wide else 0) + (9 if self._cost else 0)
        self._names = max(24, min(48, (width - figures) * 3 // 5))
        self._bars = width - figures - self._names - 1
        self._path: dict[int, list[tuple[int, int]]] = {}
        for segment in trace.critical_path:
            for span in trace.ancestors(segment.span):
                self._path.setdefault(span.id, []).append((segment.start_ns, segment.end_ns))

    def summary(self) -> list[Line]:
        """What the run was, and what it took."""
        root = self._trace.root
        status = line(str(root.attributes.get(spans.STATUS, "")))
        sent, received = _tokens(calls(self._trace))
        made = count(len(calls(self._trace)), "call")
        said = f"{made}, {sent:,} tokens in, {received:,} out"
        head = (
            Part(
                line(f"{root.name} {root.attributes.get(spans.PROJECT_ID, '')}", self._width - 30)
            ),
            Part(f"  {status}" if status else "", _BAD if root.failed else _GOOD),
            Part(f"  {duration(root.duration_ns)}"),
            Part(f"  {usd(self._cost)}" if self._cost else ""),
        )
        return [head, (Part(said, _QUIET),), ()]

    def scale(self) -> Line:
        """The heads of the columns; above the bars, the time line."""
        heads = "time".rjust(9)
        if self._is_wide:
            heads += "share".rjust(6) + "tokens".rjust(13)
        if self._cost:
            heads += "cost".rjust(9)
        axis = "0" + duration(self._length_ns).rjust(self._bars - 1)
        return (Part(f"{'':{self._names}} {axis}{heads}", _QUIET),)

    def row(self, row: Row) -> Line:
        """One line of the tree."""
        start_ns = min(span.start_ns for span in row.spans)
        end_ns = max(span.end_ns for span in row.spans)
        failed = any(span.failed for span in row.spans)
        return (
            *(self._folded(row) if row.folded else self._name(row.branches, row.spans[0])),
            Part(f" {self._bar(row, start_ns, end_ns)}", "red" if failed else "cyan"),
            Part(self._figures(row, end_ns - start_ns)),
        )

    def _folded(self, row: Row) -> Line:
        return (Part(cell(f"{row.branches}{row.folded}", self._names), _QUIET),)

    def _name(self, branches: str, span: SpanRecord) -> Line:
        """Branches, name, detail and marks; what has no room goes, the name last."""
        room = self._names - len(branches)
        name = line(span.name, room)
        flags = marks(span)
        told = "".join(f"  {line(flag)}" for flag in flags)
        if len(name) + len(told) > room:
            told = "".join(f" {flag[0]}" for flag in flags)
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
        cells = [" "] * self._bars
        first, last = self._cells(start_ns, end_ns)
        cells[first:last] = _BESIDE * (last - first)
        for span in row.spans:
            for stretch in self._path.get(span.id, ()):
                first, last = self._cells(*stretch)
                cells[first:last] = _ON_PATH * (last - first)
        return "".join(cells)

    def _cells(self, start_ns: int, end_ns: int) -> tuple[int, int]:
        """The cells of a stretch of time: at least one, so that nothing is invisible."""
        origin_ns = self._trace.root.start_ns
        first = (start_ns - origin_ns) * self._bars // self._length_ns
        last = -((origin_ns - end_ns) * self._bars // self._length_ns)
        first = min(max(first, 0), self._bars - 1)
        return first, min(max(last, first + 1), self._bars)

    def _figures(self, row: Row, length_ns: int) -> str:
        """Time, share of the run, and what everything below it sent, received and cost."""
        below = [each for span in row.spans for each in self._trace.under(span)]
        text = f"{duration(length_ns):>9}"
        if self._is_wide:
            text += f"{self._share(length_ns):>6}{tokens(*_tokens(below)):>13}"
        cost = sum(map(cost_of, below), Decimal(0))
        return (text + (f"{usd(cost):>9}" if cost else "")).rstrip()

    def _share(self, length_ns: int) -> str:
        return f"{100 * length_ns / self._length_ns:.0f} %"

    def verdict(self) -> list[Line]:
        """What the solid cells mean, and the span that the run waited for longest."""
        legend = f"{_ON_PATH} critical path: the run waited for it   {_BESIDE} ran beside it"
        guilty = blame(self._trace)
        if guilty is None:
            return [(), (Part(legend, _QUIET),)]
        held = f"{self._share(guilty.held_ns)} of the run ({duration(guilty.held_ns)}) went to "
        who = line(self._called(guilty.span), self._width - len(held))
        return [(), (Part(legend, _QUIET),), (Part(held), Part(who, _CRITICAL))]

    def ranking(self, title: str, ranked: Sequence[SpanRecord]) -> list[Line]:
        """Up to five calls, worst first."""
        lines: list[Line] = [(), (Part(title, "bold"),)]
        for span in ranked:
            figures = f"{duration(span.duration_ns):>9}{self._share(span.duration_ns):>6}"
            if self._cost:
                figures += f"{usd(cost_of(span)):>9}"
            flags = "".join(f"  {line(flag)}" for flag in marks(span))
            room = self._width - len(figures) - len(flags) - 2
            who = line(self._called(span), room)
            lines.append((Part(f"{figures}  {who}"), Part(flags, _BAD)))
        return lines if ranked else []

    def _called(self, span: SpanRecord) -> str:
        return f"{where(self._trace, span)} {detail(span)}".rstrip()


def _tokens(of: Iterable[SpanRecord]) -> tuple[int, int]:
    """Tokens sent and received."""
    counts = [
        (each.attributes.get(spans.TOKENS_IN, 0), each.attributes.get(spans.TOKENS_OUT, 0))
        for each in of
    ]
    return sum(sent for sent, _ in counts), sum(received for _, received in counts)
