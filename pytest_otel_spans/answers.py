"""List what a selector found, or say what comes closest where it found nothing."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher, get_close_matches
from typing import Final

from pytest_otel_spans.expected import Path, SpanPattern
from pytest_otel_spans.path import Selector, as_path, select
from pytest_otel_spans.render import counted, outline, path_text
from pytest_otel_spans.tree import Forest, SpanNode

_SHOWN: Final = 20
_RELATIONS: Final = {"child": "a child of", "descendant": "below", "root": "a root"}


def listed(nodes: Sequence[SpanNode]) -> str:
    """List where spans stand, a line each."""
    lines = [f"\n  {path_text(node)}" for node in nodes[:_SHOWN]]
    if len(nodes) > _SHOWN:
        lines.append(f"\n  … and {len(nodes) - _SHOWN:,} more")
    return "".join(lines)


def nothing_matches(selector: Selector, forest: Forest, why_empty: str) -> str:
    """Say that nothing matches the selector, with what comes closest and the outline.

    Args:
        selector: What was looked for.
        forest: Where it was looked for.
        why_empty: Why the forest holds no span, "" when it holds one.
    """
    if not forest.nodes:
        return f"0 spans match {selector!r}.\n\n{why_empty}"
    return f"0 spans match {selector!r}{_closest(as_path(selector), forest)}.\n\n{outline(forest)}"


def _closest(path: Path, forest: Forest) -> str:
    """Blame the first step after which nothing is left."""
    for step, (axis, pattern) in enumerate(zip(path.axes, path.patterns, strict=True)):
        if select(forest, Path(path.axes[: step + 1], path.patterns[: step + 1])):
            continue
        elsewhere = select(forest, pattern)
        if not elsewhere:
            return _closest_name(pattern, forest)
        above = f" {path.patterns[step - 1].name!r}" if step else ""
        return (
            f": {counted(len(elsewhere), 'span')} like {pattern.name!r}, none of them "
            f"{_RELATIONS[axis]}{above}"
        )
    return ""


def _closest_name(pattern: SpanPattern, forest: Forest) -> str:
    matcher = SequenceMatcher(b=str(pattern.name))
    names = dict.fromkeys(node.name for node in forest.nodes)
    close = get_close_matches(str(pattern.name), names)
    if not close:
        return ""

    def likeness(name: str) -> float:
        matcher.set_seq1(name)
        return matcher.ratio()

    first = max((name for name in names if name in close), key=likeness)
    return f"; the closest name is {first!r}"
