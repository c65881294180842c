"""The spans that a selector found, and what can be asked of all of them at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NoReturn

from pytest_otel_spans.capturing.answers import listed, nothing_matches, unlike
from pytest_otel_spans.matching.path import Selector, select
from pytest_otel_spans.patterns.expected import NO_LITERAL
from pytest_otel_spans.patterns.pattern import as_roots
from pytest_otel_spans.registries.account import check
from pytest_otel_spans.registries.reading import RegistrySource
from pytest_otel_spans.text.render import counted, outline, path_text, visible
from pytest_otel_spans.tree import Forest, SpanNode

_END, _INSTANT, _START = range(3)  # in this order at one time: spans that only touch do not overlap


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Selection:
    """Spans in start order.

    An empty selection answers `.count` and `len()`. Everything else asked of it fails: an answer
    about no span would say nothing.

    Attributes:
        selector: What was looked for.
        nodes: What was found.
        forest: Where it was looked for.
        why_empty: Why there is no span at all, "" when there is one.
    """

    selector: Selector
    nodes: tuple[SpanNode, ...]
    forest: Forest
    why_empty: str = ""

    def __eq__(self, other: object) -> bool:
        """Whether it is this very selection.

        Raises:
            TypeError: It is a literal, which would never be equal and never say so.
        """
        __tracebackhide__ = True
        if as_roots(other) is not None:
            raise TypeError(NO_LITERAL.format("a selection"))
        return NotImplemented

    __hash__ = object.__hash__

    @property
    def count(self) -> int:
        """How many spans were found."""
        return len(self.nodes)

    @property
    def max_parallel(self) -> int:
        """How many of these spans ran at the same time, at most.

        A span that ended when another started did not overlap it; one that never ended runs on.
        Of spans that took no time by the clock, it counts what was seen of them.
        """
        __tracebackhide__ = True
        self._check_any()
        running = most = 0
        for *_, change in sorted(chain.from_iterable(map(_moments, self.nodes))):
            running += change
            most = max(most, running)
        return most

    def values(self, key: str) -> list[Any]:
        """Return the attribute `key` of every span.

        Raises:
            AssertionError: A span lacks it, or there is no span.
        """
        __tracebackhide__ = True
        self._check_any()
        lacking = [node for node in self.nodes if key not in node.attributes]
        if lacking:
            known = sorted({one for node in self.nodes for one in node.attributes})
            keys = ", ".join(map(repr, known)) or "none"
            self._fail(
                f"{self._some(lacking)} {'has' if len(lacking) == 1 else 'have'} no attribute "
                f"{key!r}:{listed(lacking)}\nThe attributes of these spans are {keys}."
            )
        return [node.attributes[key] for node in self.nodes]

    def sum(self, key: str) -> float:
        """Add up the attribute `key` of every span, exactly; an int when all of them are.

        Raises:
            AssertionError: A span lacks it or has no number there, or there is no span.
        """
        __tracebackhide__ = True
        values = self.values(key)
        for node, value in zip(self.nodes, values, strict=True):
            if isinstance(value, bool) or not isinstance(value, int | float):
                self._fail(
                    f"{path_text(node)} has {visible(key)}={value!r}, which is no number to add up."
                )
        return sum(values) if all(isinstance(one, int) for one in values) else math.fsum(values)

    def each(self, pattern: Selector) -> Selection:
        """Check that every span fits `pattern`, and return the selection.

        Raises:
            AssertionError: A span does not fit, or there is no span.
        """
        __tracebackhide__ = True
        self._check_any()
        fitting = set(select(self.forest, pattern))
        culprits = [node for node in self.nodes if node not in fitting]
        if culprits:
            self._fail(
                f"{self._some(culprits)} {'does' if len(culprits) == 1 else 'do'} not fit "
                f"{pattern!r}:{unlike(culprits, pattern)}"
            )
        return self

    def before(self, other: Selection | Selector) -> bool:
        """Check that every span here had ended when the first of `other` started.

        What was seen to end and to start decides, whatever the clocks say. Where it was not seen,
        the clocks do: at one and the same time is not before, and no span is before those below it.

        Raises:
            AssertionError: One had not, or there is no span on either side.
        """
        __tracebackhide__ = True
        if not isinstance(other, Selection):
            other = Selection(
                selector=other,
                nodes=tuple(select(self.forest, other)),
                forest=self.forest,
                why_empty=self.why_empty,
            )
        self._check_any()
        other._check_any()
        late = _late(self.nodes, other.nodes)
        if late:
            first = min(other.nodes, key=lambda node: node.order)
            self._fail(
                f"{self._some(late)} had not ended when {path_text(first)} started:{listed(late)}"
            )
        return True

    def conforms_to(
        self, registry: RegistrySource, groups: Mapping[str, str] | None = None
    ) -> bool:
        """Check that every span is what a registry says of such spans; see `spans.conforms_to`.

        Raises:
            SpanSchemaMismatch: A span is not.
            AssertionError: There is no span.
            RegistryError: The registry cannot be read, or says of no group which spans it is for.
        """
        __tracebackhide__ = True
        self._check_any()
        check(self.forest, self.nodes, registry, groups or {})
        return True

    def __len__(self) -> int:
        return len(self.nodes)

    def __getitem__(self, index: object) -> NoReturn:
        __tracebackhide__ = True
        raise TypeError(
            f"no number says which span is meant, so there is no [{index!r}]: name its parent in "
            "the path, or its attributes in a pattern; a loop has them all in start order"
        )

    def __iter__(self) -> Iterator[SpanNode]:
        __tracebackhide__ = True
        self._check_any()
        return iter(self.nodes)

    def __repr__(self) -> str:
        return f"<Selection of {counted(self.count, 'span')} for {self.selector!r}>"

    def _some(self, nodes: Sequence[SpanNode]) -> str:
        matches = "matches" if self.count == 1 else "match"
        found = f"{counted(self.count, 'span')} that {matches} {self.selector!r}"
        return f"{len(nodes)} of {found}"

    def _check_any(self) -> None:
        __tracebackhide__ = True
        if not self.nodes:
            raise AssertionError(nothing_matches(self.selector, self.forest, self.why_empty))

    def _fail(self, sentence: str) -> None:
        __tracebackhide__ = True
        raise AssertionError(f"{sentence}\n\n{outline(self.forest)}")


def _moments(node: SpanNode) -> Iterator[tuple[int, int, tuple[int, int], int]]:
    """Yield when a span starts and ends, as it sorts, each with how many more run from then on."""
    if node.end_ns is None or node.end_ns > node.start_ns:
        yield node.start_ns, _START, (0, 0), 1
        if node.end_ns is not None:
            yield node.end_ns, _END, (0, 0), -1
    elif node.sequence is None or node.end_sequence is None:
        yield node.start_ns, _INSTANT, (node.order, 0), 1
        yield node.start_ns, _INSTANT, (node.order, 1), -1
    else:
        yield node.start_ns, _INSTANT, (node.sequence, 0), 1
        yield node.start_ns, _INSTANT, (node.end_sequence, 0), -1


def _late(nodes: Sequence[SpanNode], others: Sequence[SpanNode]) -> list[SpanNode]:
    """Return the nodes that had not ended when the first of the others started."""
    seen = min((one.sequence for one in others if one.sequence is not None), default=math.inf)
    unseen = min((one.start_ns for one in others if one.sequence is None), default=math.inf)
    first = min(one.start_ns for one in others)
    above = _above(others)

    def had_ended(node: SpanNode) -> bool:
        if node.end_ns is None:
            return False
        if node.end_sequence is not None:
            return node.end_sequence < seen and node.end_ns < unseen
        return node.end_ns < first and node not in above

    return [node for node in nodes if not had_ended(node)]


def _above(nodes: Sequence[SpanNode]) -> set[SpanNode]:
    """Return the nodes and all their ancestors."""
    above: set[SpanNode] = set()
    for node in nodes:
        for ancestor in node.lineage():
            if ancestor in above:
                break
            above.add(ancestor)
    return above
