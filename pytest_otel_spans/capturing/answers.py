"""List what a selector found, or say what comes closest where it found nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from pytest_otel_spans.explaining.slips import close_names
from pytest_otel_spans.explaining.wording import own_lines
from pytest_otel_spans.matching.facts import own_differences
from pytest_otel_spans.matching.path import Selector, as_path, select
from pytest_otel_spans.patterns.expected import SpanPattern
from pytest_otel_spans.patterns.names import name_matches
from pytest_otel_spans.patterns.paths import Path
from pytest_otel_spans.text.render import counted, outline, path_text
from pytest_otel_spans.tree import Forest, SpanNode

_SHOWN: Final = 20
_CLOSE_SLASH: Final = re.compile(r"(?:^|(?<=[^\s/]))(//?)(?=[^\s/])")
_ALIKE: Final = 0.5  # from 0 to 1
_RELATIONS: Final = {"child": "a child of", "descendant": "below", "root": "a root"}


def listed(nodes: Sequence[SpanNode]) -> str:
    """List where spans stand, a line each."""
    return "".join([*(f"\n  {path_text(node)}" for node in nodes[:_SHOWN]), _more(nodes)])


def unlike(nodes: Sequence[SpanNode], selector: Selector) -> str:
    """List where spans stand, each with what it has instead of what the selector says."""
    pattern = as_path(selector).patterns[-1]
    lines = []
    for node in nodes[:_SHOWN]:
        differences = own_differences(pattern, node, "selects")
        said = (f"\n    {line}" for line in own_lines(differences, pattern, node, {}))
        lines.append(f"\n  {path_text(node)}{''.join(said)}")
    return "".join([*lines, _more(nodes)])


def nothing_matches(selector: Selector, forest: Forest, why_empty: str) -> str:
    """Say that nothing matches the selector, with what comes closest and the outline.

    Args:
        selector: What was looked for.
        forest: Where it was looked for.
        why_empty: Why the forest holds no span, "" when it holds one.
    """
    if not forest.nodes:
        return f"0 spans match {selector!r}.\n\n{why_empty}"
    return f"0 spans match {selector!r}{closest(selector, forest)}\n\n{outline(forest)}"


def closest(selector: Selector, forest: Forest) -> str:
    """End a sentence that says that a selector finds nothing: blame the first step that does not.

    Returns:
        What comes closest, and a full stop; the full stop alone where every step finds something.
    """
    path = as_path(selector)
    for step, (axis, pattern) in enumerate(zip(path.axes, path.patterns, strict=True)):
        if select(forest, Path(path.axes[: step + 1], path.patterns[: step + 1])):
            continue
        elsewhere = select(forest, pattern)
        if not elsewhere:
            return _closest_span(pattern, forest)
        above = f" {path.patterns[step - 1].name!r}" if step else ""
        return (
            f": {counted(len(elsewhere), 'span')} like {pattern.name!r}, none of them "
            f"{_RELATIONS[axis]}{above}."
        )
    return "."


def _closest_span(pattern: SpanPattern, forest: Forest) -> str:
    namesakes = [node for node in forest.nodes if name_matches(pattern.name, node.name)]
    if namesakes:
        return f"; by its name it would be:{unlike(namesakes, pattern)}"
    names = dict.fromkeys(node.name for node in forest.nodes)
    close = close_names(pattern.name, names, _ALIKE)
    hint = _unspaced(pattern, forest)
    return f"; the closest name is {close[0]!r}.{hint}" if close else f".{hint}"


def _unspaced(pattern: SpanPattern, forest: Forest) -> str:
    """Say so where a name is a path but for the spaces."""
    if not isinstance(pattern.name, str):
        return ""
    path = _CLOSE_SLASH.sub(r" \1 ", pattern.name).lstrip()
    if path == pattern.name or not select(forest, path):
        return ""
    return f" A slash without spaces is a part of the name: separators need spaces, as in {path!r}."


def _more(nodes: Sequence[SpanNode]) -> str:
    return f"\n  … and {len(nodes) - _SHOWN:,} more" if len(nodes) > _SHOWN else ""
