"""Assert that spans are the trees that a test expects."""

from __future__ import annotations

from collections.abc import Iterator, KeysView, Sequence

from pytest_otel_spans.capturing.chime import on_event_loop
from pytest_otel_spans.capturing.questions import Capture
from pytest_otel_spans.explaining.explain import explain
from pytest_otel_spans.explaining.findings import Finding
from pytest_otel_spans.explaining.report import compose, forest_notes
from pytest_otel_spans.matching.match import Outcome, match_roots
from pytest_otel_spans.patterns.expected import ChildPart
from pytest_otel_spans.patterns.pattern import as_roots
from pytest_otel_spans.sources import Source, Spans, source_of
from pytest_otel_spans.tree import SpanNode

__all__ = ["Match", "SpanTreeMismatch", "assert_span_tree", "why_unequal"]


class SpanTreeMismatch(AssertionError):
    """The spans are not what was expected; the message is the annotated tree.

    Attributes:
        differences: Every difference, in the order in which the message tells them.
    """

    __module__ = "pytest_otel_spans"  # as pytest prints it, and tests import it

    def __init__(self, message: str, differences: tuple[Finding, ...] = ()) -> None:
        super().__init__(message)
        self.differences = differences


class Match:
    """What an assertion that held found: `match["author"]` is the span of `.as_("author")`.

    Attributes:
        notes: Hints that are no failures, such as a `never` whose name looks misspelt.
    """

    def __init__(self, outcome: Outcome) -> None:
        self.notes = tuple(forest_notes(outcome))
        self._named = outcome.named

    def __getitem__(self, name: str) -> SpanNode:
        __tracebackhide__ = True
        found = self.all(name)
        if len(found) > 1:
            raise KeyError(f"{len(found)} spans are named {name!r}: use match.all({name!r})")
        return found[0]

    def all(self, name: str) -> tuple[SpanNode, ...]:
        """Return every span that a pattern with this name matched, in start order.

        Raises:
            KeyError: No pattern with this name matched a span.
        """
        __tracebackhide__ = True
        if name not in self._named:
            names = ", ".join(map(repr, self._named)) or "none"
            raise KeyError(f"no span is named {name!r}; the names are: {names}")
        return self._named[name]

    def keys(self) -> KeysView[str]:
        """Return the names."""
        return self._named.keys()

    def __contains__(self, name: object) -> bool:
        return name in self._named

    def __repr__(self) -> str:
        return f"<Match with the names {list(self._named)}>"


def assert_span_tree(spans: Spans, /, *roots: ChildPart, wait: float = 0.0) -> Match:
    """Assert that the spans are these trees.

    Args:
        spans: A `SpanCapture`, an `InMemorySpanExporter`, or spans.
        roots: All the roots, in the order in which they started; groups and `...` work as they
            do among children.
        wait: For so many seconds at most, wait for spans until the assertion holds. It blocks
            the thread; on an event loop's, await `asyncio.to_thread(assert_span_tree, ...)`.

    Raises:
        SpanTreeMismatch: They are not, or there is no span at all.
        TypeError: An argument is nothing that can stand there.
        ValueError: `wait` is negative.
    """
    __tracebackhide__ = True
    source = source_of(spans)
    if wait < 0:
        raise ValueError(f"wait={wait!r} is negative; to look once, leave it out")
    if not roots:
        raise TypeError(
            "assert_span_tree() takes the roots that are expected; that there is no span is "
            "what spans.assert_empty() asserts"
        )
    if wait > 0 and source.wait_until is None:
        raise TypeError(
            f"wait={wait!r} needs a capture, such as the fixture `spans`: nothing tells when a "
            f"span arrives in {type(spans).__name__}"
        )
    outcome = _awaited(source, roots, wait)
    if _is_met(outcome):
        return Match(outcome)
    explanation = explain(outcome)
    message = compose(
        outcome,
        explanation,
        why_empty="" if outcome.forest.nodes else source.why_empty(),
        notes=[*source.notes(), *_waited(wait)],
    )
    raise SpanTreeMismatch(message, explanation.findings)


def why_unequal(left: object, right: object) -> str | None:
    """Return why `left == right` does not hold of a capture and a literal; None of others."""
    for capture, literal in ((left, right), (right, left)):
        roots = as_roots(literal) if isinstance(capture, Capture) else None
        if isinstance(capture, Capture) and roots is not None:
            try:
                assert_span_tree(capture, *roots)
            except SpanTreeMismatch as mismatch:
                return str(mismatch)
    return None


def _awaited(source: Source, roots: Sequence[ChildPart], wait: float) -> Outcome:
    """Match now, and again whenever a span starts or ends, until it holds or time is up."""
    __tracebackhide__ = True
    outcome = match_roots(source.forest(), roots)
    if source.wait_until is None or wait <= 0:
        return outcome

    def holds() -> bool:
        nonlocal outcome
        outcome = match_roots(source.forest(), roots)
        return _is_met(outcome)

    source.wait_until(holds, wait)
    return outcome


def _is_met(outcome: Outcome) -> bool:
    """Whether the outcome holds, and of some span: nothing passes for want of spans."""
    return outcome.holds and bool(outcome.forest.nodes)


def _waited(wait: float) -> Iterator[str]:
    if wait <= 0:
        return
    if on_event_loop():
        yield (
            f"waited {wait:g} s on the thread of an event loop, where no task goes on meanwhile: "
            "await asyncio.to_thread(assert_span_tree, ...)"
        )
    else:
        yield f"waited {wait:g} s"
