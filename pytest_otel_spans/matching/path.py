"""Select spans by where they stand: read a path, and follow it through a forest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from pytest_otel_spans.matching.binding import binds
from pytest_otel_spans.matching.judge import Judge
from pytest_otel_spans.patterns.expected import PatternLike, SpanPattern, as_selector
from pytest_otel_spans.patterns.names import LEADING, SEPARATOR
from pytest_otel_spans.patterns.paths import Axis, Path
from pytest_otel_spans.tree import Forest, SpanNode

__all__ = ["Selector", "as_path", "select"]

Selector: TypeAlias = PatternLike | Path[SpanPattern]
"""A path as a text (`"run_project / task:* // llm_call:*"`), a pattern, or patterns joined."""

_AXES: Final[dict[str, Axis]] = {"/": "child", "//": "descendant"}


def as_path(selector: Selector) -> Path[SpanPattern]:
    """Read a selector.

    In a text, `/` leads to a child and `//` to any descendant. Both stand between spaces, so
    that a name may hold slashes, and begin with one; where two follow each other, the first ends
    a name. A leading `/`, with a space behind it, anchors the path at a root.

    Raises:
        TypeError: The selector is neither a text nor a pattern nor a path.
        ValueError: A step has no name, or a pattern has a count.
    """
    __tracebackhide__ = True
    if isinstance(selector, Path):
        return selector
    if not isinstance(selector, str):
        return Path(("anywhere",), (as_selector(selector, "a selector"),))
    leading = LEADING.match(selector)
    first: Axis = "root" if leading is not None and leading[1] == "/" else "anywhere"
    names = SEPARATOR.split(selector[leading.end() if leading else 0 :].strip())
    if not all(names):
        raise ValueError(f"{selector!r} is no path: a step has no name, as in 'task:* / llm_call'")
    axes = [_AXES[separator] for separator in names[1::2]]
    patterns = [SpanPattern(name=name) for name in names[::2]]
    return Path((first, *axes), tuple(patterns))


def select(forest: Forest, selector: Selector) -> list[SpanNode]:
    """Return the spans at which a path ends, in start order, each once.

    A label of `same` binds the spans of one step, each span of the step for itself.
    """
    __tracebackhide__ = True
    path = as_path(selector)
    judge = Judge(forest)
    found: Iterable[SpanNode] = ()
    for axis, pattern in zip(path.axes, path.patterns, strict=True):
        candidates = _reached(judge, axis, pattern, found)
        found = [node for node in candidates if binds(judge, pattern, node)]
    return sorted(found, key=lambda node: node.order)


def _reached(
    judge: Judge, axis: Axis, pattern: SpanPattern, nodes: Iterable[SpanNode]
) -> Iterator[SpanNode]:
    """Yield the nodes that one step can reach, each once, parents before children."""
    if axis == "anywhere":
        yield from judge.terrain.named(pattern)
    elif axis == "root":
        yield from judge.forest.roots
    elif axis == "child":
        for node in nodes:
            yield from node.children
    else:
        yield from _below(judge, nodes)


def _below(judge: Judge, nodes: Iterable[SpanNode]) -> Iterator[SpanNode]:
    terrain = judge.terrain
    done = 0
    for first, last in sorted(map(terrain.below, nodes)):
        yield from terrain.walk[max(first, done) : last]
        done = max(done, last)
