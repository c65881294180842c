"""Tell in one annotated tree where spans are not what a registry says."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Final

from pytest_otel_spans.explaining.draft import Draft, folded
from pytest_otel_spans.explaining.report import bounded
from pytest_otel_spans.explaining.slips import close_names
from pytest_otel_spans.explaining.wording import Row, two_sided
from pytest_otel_spans.registries.conformity import Deviation, Judge
from pytest_otel_spans.registries.reading import RegistrySource, read_registry
from pytest_otel_spans.registries.registry import ROOT, Registry, RegistryError
from pytest_otel_spans.registries.types import type_text
from pytest_otel_spans.text.layout import draw
from pytest_otel_spans.text.render import counted, name_text, preorder, title, value_text
from pytest_otel_spans.tree import Forest, SpanNode

__all__ = ["SpanSchemaMismatch", "check"]

_ALIKE_NAMES: Final = 0.6  # from 0 to 1: of a name with a wildcard only the rest is compared
_ALIKE: Final = 0.8  # from 0 to 1: a letter or a word in a long key, not its last word


class SpanSchemaMismatch(AssertionError):
    """Spans are not what a registry says of them; the message is the annotated tree.

    Attributes:
        deviations: Every one, in the order in which the message tells them.
    """

    __module__ = "pytest_otel_spans"  # as pytest prints it, and tests import it

    def __init__(self, message: str, deviations: tuple[Deviation, ...] = ()) -> None:
        super().__init__(message)
        self.deviations = deviations


def check(
    forest: Forest, nodes: Collection[SpanNode], source: RegistrySource, groups: Mapping[str, str]
) -> None:
    """Check that spans are what a registry says of them.

    Args:
        forest: The trees that they stand in.
        nodes: The spans.
        source: The registry, or where it is written.
        groups: The ids of groups, by the names of the spans that are of them.

    Raises:
        SpanSchemaMismatch: They are not.
        RegistryError: The registry cannot be read, or no group is for any name.
    """
    __tracebackhide__ = True
    registry, judge = _read(source, groups)
    found = {node: tuple(judge.deviations(node)) for node in nodes}
    deviations = tuple(one for node in forest.nodes for one in found.get(node, ()))
    if not deviations:
        return
    traces = counted(len({root.trace for root in forest.roots}), "trace")
    head = (
        f"{counted(len(deviations), 'deviation')} from {registry.shown} in {traces} "
        f"({counted(len(nodes), 'span')})"
    )
    tree = draw(folded(_Teller(judge, found).drafts(forest)))
    raise SpanSchemaMismatch(bounded([head, *(f"  {line}" for line in tree)]), deviations)


def _read(source: RegistrySource, groups: Mapping[str, str]) -> tuple[Registry, Judge]:
    """Read the registry; where it cannot be, the sentence is all that there is to see."""
    __tracebackhide__ = True
    try:
        registry = read_registry(source)
        return registry, Judge(registry, groups)
    except (RegistryError, TypeError) as error:
        raise error.with_traceback(None) from None


class _Teller:
    """Writes the entries of a tree: what is wrong, the way to it, and what beside it is not."""

    def __init__(self, judge: Judge, found: Mapping[SpanNode, tuple[Deviation, ...]]) -> None:
        self._judge = judge
        self._found = found

    def drafts(self, forest: Forest) -> list[Draft]:
        """Return the entries of the roots."""
        made: dict[SpanNode, Draft] = {}
        for node in reversed(list(preorder(forest.roots))):
            below = [made.pop(child) for child in node.children if child in made]
            is_whole = len(below) == len(node.children) and all(one.settled for one in below)
            found = self._found.get(node)
            if found == () and is_whole:
                settled = 1 + sum(one.settled for one in below)
                made[node] = Draft(text=title(node), settled=settled)
            elif found or any(not one.settled for one in below):
                made[node] = self._draft(node, found or (), below)
        return [made[root] for root in forest.roots if root in made]

    def _draft(self, node: SpanNode, found: Sequence[Deviation], below: list[Draft]) -> Draft:
        remarks = [text for one in found if (text := self._remark(one))]
        strange = {one.key for one in found if one.what == "key"}
        rows = [row for one in found if (row := self._row(one, strange))]
        return Draft(
            text=title(node), remark="; ".join(remarks), below=two_sided(rows), children=below
        )

    def _remark(self, one: Deviation) -> str:
        """Say what is wrong with the place of a span, "" where that is right."""
        if one.what == "name":
            close = close_names(one.actual, self._judge.names, _ALIKE_NAMES)
            return f"+ no group is for this name{_meant(close)}"
        if one.what == "parent":
            there = "a root" if one.actual is None else f"under {name_text(one.actual)}"
            return f"+ {there}, expected {_places(one.expected)}"
        return ""

    def _row(self, one: Deviation, strange: Collection[str]) -> Row | None:
        """Say what is wrong within a span, None where it is its place that is wrong.

        Args:
            one: What is wrong.
            strange: The keys that the span should not have: one may be what another should be.
        """
        if one.what == "key":
            return Row(_title(one), self._unknown(one), value_text(one.actual))
        if one.what == "missing":
            close = get_close_matches(one.key, strange, n=1, cutoff=_ALIKE)
            aside = f"  (there is {close[0]!r})" if close else ""
            return Row(_title(one), f"{one.expected}, required", f"absent{aside}")
        words = _WORDS.get(one.what)
        return words and Row(_title(one), *words(one))

    def _unknown(self, one: Deviation) -> str:
        if one.expected is not None:
            return f"absent: {one.group} has no such key"
        close = get_close_matches(one.key, self._judge.keys, n=1, cutoff=_ALIKE)
        return f"absent: the registry defines no such key{_meant(close)}"


def _title(one: Deviation) -> str:
    return "kind:" if one.what == "kind" else ": ".join(filter(None, (one.place, one.key)))


def _kind(one: Deviation) -> tuple[str, str]:
    return repr(one.expected), repr(one.actual)


def _type(one: Deviation) -> tuple[str, str]:
    return one.expected, f"{value_text(one.actual)} ({type_text(one.actual)})"


def _value(one: Deviation) -> tuple[str, str]:
    return value_text(one.expected), value_text(one.actual)


def _event(one: Deviation) -> tuple[str, str]:
    return f"absent: {one.group} has no such event", "recorded"


_WORDS: Final[Mapping[str, Callable[[Deviation], tuple[str, str]]]] = {
    "kind": _kind,
    "type": _type,
    "value": _value,
    "event": _event,
}


def _meant(close: Sequence[str]) -> str:
    return f", did you mean {close[0]!r}?" if close else ""


def _places(parents: Iterable[str]) -> str:
    """Write where a span may hang."""
    under = [name_text(name) for name in parents if name != ROOT]
    *most, last = under or [""]
    places = ["a root"] if ROOT in parents else []
    places += [f"under {', '.join(most)}{' or ' if most else ''}{last}"] if last else []
    return " or ".join(places)
