"""Say where a span stands instead of where it was expected, and how that came about."""

from __future__ import annotations

from pytest_otel_spans.render import name_text, path_text
from pytest_otel_spans.tree import SpanNode

__all__ = ["moved_lines", "place_text"]

_PROPAGATE = (
    "context was not propagated → run it by contextvars.copy_context().run,",
    "or use opentelemetry-instrumentation-threading",
)
_LEAK = (
    "→ close the generator that opened it when it is left early (contextlib.aclosing),",
    "or detach the token that attached it",
)


def moved_lines(node: SpanNode, parent: SpanNode | None) -> list[str]:
    """Explain a move.

    Args:
        node: Where the span stands.
        parent: Under what it was expected; None for a root.
    """
    if node.parent is parent:
        return ["↳ it stands there, but out of order → any_order(...) if the order means nothing"]
    expected = "as a root" if parent is None else f"under {path_text(parent)}"
    first, *more = _reason(node, parent)
    return [
        f"↳ moved: an equal span is {place_text(node)}; expected {expected}",
        f"  {first}",
        *(f"  {line}" for line in more),
    ]


def place_text(node: SpanNode) -> str:
    """Write where a node stands; of a root, which."""
    return path_text(node) if node.parent else f"the root of trace {node.trace}"


def _reason(node: SpanNode, parent: SpanNode | None) -> list[str]:
    if node.parent is None:
        return _why_root(node, parent)
    return _why_under(node, node.parent, parent)


def _why_root(node: SpanNode, parent: SpanNode | None) -> list[str]:
    if node.remote_parent:
        return ["its parent is in another process"]
    if node.span.parent is not None:
        return ["its parent is a span that was not captured"]
    if parent is not None and _had_ended(parent, node):
        return [f"it started with no current span: {name_text(parent.name)} had ended before"]
    if node.thread is None or parent is None or node.thread == parent.thread:
        where = f" on thread {node.thread!r}, as its parent should have," if node.thread else ""
        return [f"it started{where} with no current span:", *_PROPAGATE]
    return [f"it started on thread {node.thread!r} with no current span:", *_PROPAGATE]


def _why_under(node: SpanNode, actual: SpanNode, parent: SpanNode | None) -> list[str]:
    name = name_text(actual.name)
    parents = [f"expected parent: {_parent_text(parent)}, actual parent: {name}"]
    if parent is not None and actual in parent.lineage():
        late = ": it had ended" if _had_ended(parent, node) else ""
        return [*parents, f"{name_text(parent.name)} was not current when it started{late}"]
    if parent is not None and parent not in actual.lineage():
        return [*parents, f"{name} was the current span when it started"]
    if _had_ended(actual, node):
        return [*parents, f"{name} leaked: it had ended, and still was the current span", *_LEAK]
    if not actual.ended:
        return [*parents, f"{name} leaked: it never ended, and stayed the current span", *_LEAK]
    return [
        *parents,
        f"{name} was still the current span when it started; if that was not meant, it leaked",
        *_LEAK,
    ]


def _parent_text(parent: SpanNode | None) -> str:
    return "none" if parent is None else name_text(parent.name)


def _had_ended(one: SpanNode, other: SpanNode) -> bool:
    """Whether a span had ended, by the clock, when the other started."""
    return one.end_ns is not None and one.start_ns < one.end_ns <= other.start_ns
