"""The slowest and the dearest calls: up to five lines each, worst first."""

from collections.abc import Container, Sequence
from decimal import Decimal
from typing import Final

from orchestrator.legible import line, usd
from orchestrator.waterfall.layout import SHARE, TIME
from orchestrator.waterfall.marks import in_signs, in_words, marks
from orchestrator.waterfall.story import brief, cost_of, detail, estimate_of, where
from orchestrator.waterfall.trace import SpanRecord, Trace
from orchestrator.waterfall.words import (
    BESIDE,
    ON_PATH,
    STYLE_OF,
    Line,
    Part,
    duration,
    length,
    percent,
)

_GAP: Final = "  "


def ranking(
    trace: Trace,
    heading: str,
    ranked: Sequence[SpanRecord],
    *,
    width: int,
    on_path: Container[int],
    cost: int,
) -> list[Line]:
    """The lines of one list; `cost` is how wide its column of costs is, 0 for none."""
    if not ranked:
        return []
    rows = [_row(trace, span, width, on_path, cost) for span in ranked]
    return [(), (Part(heading, "bold"),), *rows]


def _row(
    trace: Trace, span: SpanRecord, width: int, on_path: Container[int], cost_width: int
) -> Line:
    """Time, share, cost, the call and its marks; what has no room goes, the share first."""
    mark = ON_PATH if span.id in on_path else BESIDE
    time = f"{duration(span.duration_ns):>{TIME}}"
    share = f"{percent(span.duration_ns, trace.root.duration_ns):>{SHARE}}"
    cost = f"{_dollars(span):>{cost_width}}" if cost_width else ""
    place, model = line(where(trace, span)), line(detail(span))
    flags, name = in_words(marks(span)), f"{place} {model}".rstrip()
    room = width - len(mark) - len(time) - len(cost) - len(_GAP)
    if len(name) + len(share) + length(flags) > room:
        share = ""
    if len(name) + length(flags) > room:
        flags = in_signs(marks(span))
    if len(name) + length(flags) > room:
        name = line(f"{brief(place)} {model}", room - length(flags))
    return (
        Part(mark, STYLE_OF[mark]),
        Part(f"{time}{share}{cost}{_GAP}{name}"),
        *flags,
    )


def _dollars(span: SpanRecord) -> str:
    cost: Decimal = cost_of(span)
    return usd(cost, estimate_of(span)) if cost else ""
