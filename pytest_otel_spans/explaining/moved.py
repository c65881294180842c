"""Say where a span stands instead of where it was expected, and how that came about."""

from __future__ import annotations

from pytest_otel_spans.nodes import had_ended
from pytest_otel_spans.text.render import name_text, path_text
from pytest_otel_spans.tree import SpanNode

__all__ = ["moved_lines"]

_PROPAGATE = (
    "context was not propagated → run it by contextvars.copy_context().run,",
    "or use opentelemetry-instrumentation-threading",
)
_LEAK = (
    "close the generator that opened it when it is left early (contextlib.closing, aclosing),",
    "or detach the token that attached it",
)


def moved_lines(
    node: SpanNode, parent: SpanNode | None, expected: str
) -> tuple[str, tuple[str, ...]]:
    """Say where a span stands instead, and how that came about.

    Args:
        node: Where the span stands.
        parent: Under what it was expected; None for a root.
        expected: The path of the parent, "" for none.
    """
    if node.parent is parent:
        place = "it stands there, but out of order"
        return f"↳ {place}", ("  → any_order(...) if the order means nothing",)
    if node.parent is None:
        place = f"the root of trace {node.trace}, expected under {expected}"
        why = _why_root(node, parent)
    else:
        place = f"{path_text(node)}, expected {f'under {expected}' if expected else 'as a root'}"
        why = _why_under(node, node.parent, parent)
    return f"↳ moved: an equal span is {place}", tuple(f"  {line}" for line in why)


def _why_root(node: SpanNode, parent: SpanNode | None) -> list[str]:
    if node.remote_parent:
        return ["its parent is in another process"]
    if node.span.parent is not None:
        return ["its parent is a span that was not captured"]
    if parent is not None and had_ended(parent, node):
        return [f"it started with no current span: {name_text(parent.name)} had ended before"]
    if parent is not None and node.thread is not None and node.thread == parent.thread:
        name = name_text(parent.name)
        return [
            f"it started with no current span, though on the thread of {name}",
            f"→ make {name} current (start_as_current_span, trace.use_span), or pass context=...",
        ]
    where = f" on thread {node.thread!r}" if node.thread else ""
    return [f"it started{where} with no current span:", *_PROPAGATE]


def _why_under(node: SpanNode, actual: SpanNode, parent: SpanNode | None) -> list[str]:
    name = name_text(actual.name)
    if parent is not None and actual in parent.lineage():
        late = ": it had ended" if had_ended(parent, node) else ""
        return [f"{name_text(parent.name)} was not the current span when it started{late}"]
    if parent is not None and parent not in actual.lineage():
        return [f"{name} was the current span when it started"]
    wanted = "none" if parent is None else name_text(parent.name)
    parents = f"expected parent: {wanted}, actual parent: {name}"
    is_over = had_ended(actual, node)
    if is_over or not actual.ended:
        why = "had ended, and was still" if is_over else "never ended, and stayed"
        leak = f"{name} leaked: it {why} the current span"
        return [parents, leak, f"→ {_LEAK[0]}", _LEAK[1]]
    return [
        f"{parents}, which was open and current when it started",
        f"→ expect it under {name}; or, if {name} should have been over by then, it leaked:",
        *(f"  {line}" for line in _LEAK),
    ]
