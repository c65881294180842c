"""One trace as plain data: the spans, their tree, and the path that decided how long it took."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanRecord:
    """A finished span; times are nanoseconds of one clock."""

    id: int
    parent_id: int | None
    name: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Any] = field(default_factory=dict)
    failed: bool = False
    events: tuple[str, ...] = ()

    @property
    def duration_ns(self) -> int:
        """How long it took."""
        return self.end_ns - self.start_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of the critical path, during which nothing but this span held the run up."""

    span: SpanRecord
    start_ns: int
    end_ns: int


class Trace:
    """The spans under one root."""

    def __init__(self, root: SpanRecord, spans: Sequence[SpanRecord]) -> None:
        self.root = root
        self.spans = tuple(spans)
        self._children: dict[int, list[SpanRecord]] = defaultdict(list)
        self._by_id = {span.id: span for span in spans}
        for span in sorted(spans, key=lambda each: each.start_ns):
            if span.parent_id is not None and span is not root:
                self._children[span.parent_id].append(span)
        self.critical_path = tuple(
            reversed(list(self._walk_back(root, root.start_ns, root.end_ns)))
        )

    def children(self, span: SpanRecord) -> Sequence[SpanRecord]:
        """What hangs under it, in the order it started."""
        return self._children.get(span.id, ())

    def under(self, span: SpanRecord) -> Iterator[SpanRecord]:
        """The span itself, and everything below it."""
        yield span
        for child in self.children(span):
            yield from self.under(child)

    def ancestors(self, span: SpanRecord) -> Iterator[SpanRecord]:
        """The span itself, its parent, and so on up to the root."""
        while True:
            yield span
            if span is self.root or span.parent_id not in self._by_id:
                return
            span = self._by_id[span.parent_id]

    def _walk_back(self, span: SpanRecord, since_ns: int, until_ns: int) -> Iterator[Segment]:
        """The segments within one span, last first.

        From the end backwards: whichever child ended last held the span up; before that child
        began, whichever ended last until then; what no child covers is the span's own. What a
        child did before its parent began, as clocks of two processes may tell it, counts for
        nothing.
        """
        here_ns = until_ns
        for child in sorted(self.children(span), key=lambda each: each.end_ns, reverse=True):
            start_ns, end_ns = max(child.start_ns, since_ns), min(child.end_ns, until_ns)
            if end_ns > here_ns or start_ns >= end_ns:
                continue
            if end_ns < here_ns:
                yield Segment(span=span, start_ns=end_ns, end_ns=here_ns)
            yield from self._walk_back(child, start_ns, end_ns)
            here_ns = start_ns
        if since_ns < here_ns:
            yield Segment(span=span, start_ns=since_ns, end_ns=here_ns)


def traces_of(spans: Sequence[SpanRecord]) -> list[Trace]:
    """One trace for each span whose parent is not among the spans."""
    ids = {span.id for span in spans}
    roots = [span for span in spans if span.parent_id not in ids]
    if len(roots) == 1:
        return [Trace(roots[0], spans)]
    return [Trace(root, _under(root, spans)) for root in sorted(roots, key=lambda r: r.start_ns)]


def _under(root: SpanRecord, spans: Sequence[SpanRecord]) -> list[SpanRecord]:
    children: dict[int | None, list[SpanRecord]] = defaultdict(list)
    for span in spans:
        children[span.parent_id].append(span)
    found = [root]
    for span in found:  # grows while it is read: breadth first
        found.extend(children[span.id])
    return found
