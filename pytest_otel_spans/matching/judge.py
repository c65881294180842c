"""Judge whether patterns hold for nodes, with all that stands below."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any, TypeVar

from pytest_otel_spans.matching.assignment import unserved
from pytest_otel_spans.matching.facts import Difference, Mode, own_differences, own_holds
from pytest_otel_spans.matching.level import Asking, Level, Pair, Question
from pytest_otel_spans.matching.memory import Memory
from pytest_otel_spans.matching.siblings import arrange
from pytest_otel_spans.matching.terrain import Terrain
from pytest_otel_spans.patterns.expected import SpanPattern
from pytest_otel_spans.patterns.values import UNBOUND, Labels
from pytest_otel_spans.tree import Forest, SpanNode

__all__ = ["Judge"]

T = TypeVar("T")


class Judge:
    """One forest, judged under one binding of the labels of `same`.

    A label may be undecided. Then it takes every value, and no verdict is a "no" that a value
    could turn into a "yes": what excludes spans (`never`, a count's upper end) does not apply
    while it has such a label. A label may be loose: it stands nowhere but in counts with an upper
    end, so that nothing else says what it is, or it has no value. Such an end counts the spans of
    every value, and where a label has none, no span that would have it passes as a stranger.

    A question that comes up while another is judged is not a call but a frame on a list, so that
    patterns and trees may be of any depth. Verdicts are remembered, by pattern and node.
    """

    def __init__(self, forest: Forest) -> None:
        self.forest = forest
        self.labels: Labels = UNBOUND
        self.undecided: frozenset[str] = frozenset()
        self.loose: frozenset[str] = frozenset()
        self._terrain: list[Terrain] = []
        self._general = Memory()
        self._bound = self._general

    def rebound(
        self, labels: Labels, undecided: frozenset[str], loose: frozenset[str] = frozenset()
    ) -> Judge:
        """Return a judge under another binding, which remembers what no binding changes."""
        other = Judge(self.forest)
        other.labels, other.undecided, other.loose = labels, undecided, loose
        other._terrain, other._general = self._terrain, self._general
        other._bound = Memory()
        return other

    def holds(self, pattern: SpanPattern, node: SpanNode, mode: Mode = "states") -> bool:
        """Whether the pattern holds for the node and all that stands below it."""
        return self._verdict((pattern, node, mode))

    def arrange(self, level: Level) -> list[Pair] | None:
        """Return which pattern each sibling belongs to; None if there is no arrangement."""
        return self._run(arrange(level, self))

    def excludes(self, nevers: Iterable[SpanPattern], node: SpanNode | None) -> bool:
        """Whether any of these stands below the node (below None: anywhere), as none may."""
        return any(self.is_decided(never) and self.below(never, node) for never in nevers)

    def below(self, pattern: SpanPattern, node: SpanNode | None) -> list[SpanNode]:
        """Return what the pattern selects below the node (below None: anywhere), as walked."""
        start, end = self._run(self._hits_below(pattern, node))
        return [self.terrain.walk[step] for step in self._memory(pattern).hits[pattern][start:end]]

    def differences(
        self, pattern: SpanPattern, node: SpanNode, mode: Mode = "states"
    ) -> tuple[Difference, ...]:
        """Return in what the node is not what the pattern says, its children left aside."""
        own = own_differences(pattern, node, mode, self.labels)
        return own + tuple(self._relative_differences(pattern, node))

    def pairs(
        self, pairs: Iterable[Pair], wanted: Callable[[SpanPattern], object]
    ) -> Iterator[tuple[SpanPattern, SpanNode]]:
        """Yield these pairs that hold, and those below them, as far down as patterns are wanted.

        Below a pattern stand its children, the descendants that it asks for, and the targets
        of the links that it asks for.
        """
        agenda: list[Question] = [(pattern, node, "states") for pattern, node in pairs]
        agenda.reverse()
        while agenda:
            pattern, node, mode = agenda.pop()
            if not wanted(pattern):
                continue
            yield pattern, node
            level = Level(pattern.children, pattern.opened, node.children, mode)
            below = self.arrange(level) if pattern.children else None
            agenda += [(one, child, mode) for one, child in reversed(below or [])]
            for one in filter(wanted, pattern.descendants):
                agenda += [(one, found, "selects") for found in self.below(one, node)]
            for one in filter(wanted, pattern.links):
                targets = [link.target for link in node.links if link.target is not None]
                agenda += [
                    (one, node, "selects") for node in targets if self.holds(one, node, "selects")
                ]

    @property
    def terrain(self) -> Terrain:
        """Where the nodes stand; surveyed when it is first needed, for all kin."""
        if not self._terrain:
            self._terrain.append(Terrain(self.forest))
        return self._terrain[0]

    def _run(self, asking: Asking[T]) -> T:
        """Answer the questions of one who asks, and return the result."""
        answer: Any = None
        while True:
            try:
                question = asking.send(answer)
            except StopIteration as stop:
                result: T = stop.value
                return result
            answer = self._verdict(question)

    def _verdict(self, question: Question) -> bool:
        """Judge a pair, and before it whatever its verdict depends on."""
        answer: Any = self._known(question)
        frames = [] if answer is not None else [(question, self._examine(question))]
        while frames:
            question, frame = frames[-1]
            try:
                asked = frame.send(answer)
            except StopIteration as stop:
                answer = bool(stop.value)
                self._memory(question[0]).keep(question, answer)
                frames.pop()
            else:
                answer = self._known(asked)
                if answer is None:
                    frames.append((asked, self._examine(asked)))
        return bool(answer)

    def _known(self, question: Question) -> bool | None:
        answer = self.at_a_glance(*question)
        return self._memory(question[0]).recall(question) if answer is None else answer

    def _memory(self, pattern: SpanPattern) -> Memory:
        return self._bound if pattern.labels else self._general

    def at_a_glance(self, pattern: SpanPattern, node: SpanNode, mode: Mode) -> bool | None:
        """The verdict, where the node alone and the number of its children decide it, else None.

        Such verdicts are not remembered: it takes no longer to reach them again.
        """
        if not own_holds(pattern, node, mode, self.labels):
            return False
        if pattern.has_relatives:
            return None
        if pattern.listed is None:
            return None if pattern.children else True
        if not pattern.listed:
            return mode == "selects" or not node.children
        return None if len(pattern.listed) == len(node.children) else False

    def _examine(self, question: Question) -> Asking[bool]:
        """Judge a pair, and the pairs that follow from it without a choice, in one frame."""
        pattern, node, mode = question
        agenda = [(pattern, node)]
        while agenda:
            pattern, node = agenda.pop()
            if pattern.has_relatives and not (yield from self._relatives_hold(pattern, node)):
                return False
            if pattern.listed is None:
                level = Level(pattern.children, pattern.opened, node.children, mode)
                if (yield from arrange(level, self)) is None:
                    return False
            elif pattern.listed or not _is_open(pattern, mode):
                if len(pattern.listed) != len(node.children):
                    return False
                for pair in zip(pattern.listed, node.children, strict=True):
                    verdict = self.at_a_glance(*pair, mode)
                    if verdict is None:
                        agenda.append(pair)
                    elif not verdict:
                        return False
        return True

    def is_decided(self, pattern: SpanPattern) -> bool:
        """Whether the pattern has no undecided label, so that it may exclude spans."""
        return not pattern.labels & self.undecided

    def limits(self, pattern: SpanPattern) -> bool:
        """Whether a count has an upper end that applies: every label is decided that it heeds."""
        has_end = pattern.most is not None or bool(pattern.labels & self.loose)
        return has_end and not pattern.labels & self.undecided - self.loose

    def counts(self, pattern: SpanPattern, node: SpanNode, mode: Mode) -> Asking[bool]:
        """Whether the upper end of the pattern's count counts the node."""
        if pattern.labels & self.loose:
            return self._unlabelled.holds(pattern, node, mode)
        answer = self.at_a_glance(pattern, node, mode)
        return (yield pattern, node, mode) if answer is None else answer

    def is_counted(self, pattern: SpanPattern, node: SpanNode, mode: Mode) -> bool:
        """Answer `counts` at once."""
        return self.limits(pattern) and self._run(self.counts(pattern, node, mode))

    @cached_property
    def _unlabelled(self) -> Judge:
        """One to whom the loose labels say nothing; it has none, so this goes no deeper."""
        labels = {label: value for label, value in self.labels.items() if label not in self.loose}
        return self.rebound(labels, self.undecided - self.loose)

    def _relatives_hold(self, pattern: SpanPattern, node: SpanNode) -> Asking[bool]:
        if pattern.links and (yield from self._unlinked(pattern, node)):
            return False
        for never in pattern.nevers:
            if self.is_decided(never):
                start, end = yield from self._hits_below(never, node)
                if start < end:
                    return False
        for descendant in pattern.descendants:
            start, end = yield from self._hits_below(descendant, node)
            if not self._is_enough(descendant, node, end - start):
                return False
        return True

    def _is_enough(self, descendant: SpanPattern, node: SpanNode, found: int) -> bool:
        if found < descendant.least:
            return False
        if not descendant.counted or descendant.most is None or not self.limits(descendant):
            return True
        if descendant.labels & self.loose:
            found = len(self._unlabelled.below(descendant, node))
        return found <= descendant.most

    def _unlinked(self, pattern: SpanPattern, node: SpanNode) -> Asking[list[SpanPattern]]:
        """Return the links expected that the node has not, one link for each."""
        takes: list[list[int]] = [[] for _ in pattern.links]
        for taken, wanted in zip(takes, pattern.links, strict=True):
            for at, link in enumerate(node.links):
                if link.target is not None and (yield wanted, link.target, "selects"):
                    taken.append(at)
        return [pattern.links[lacking] for lacking in unserved(takes)]

    def _hits_below(self, pattern: SpanPattern, node: SpanNode | None) -> Asking[tuple[int, int]]:
        """Return from where to where the hits of the pattern lie below the node."""
        known = self._memory(pattern).hits
        if pattern not in known:
            steps: list[int] = []
            for candidate in self.terrain.named(pattern):
                if (yield pattern, candidate, "selects"):
                    steps.append(self.terrain.step[candidate.order])  # noqa: PERF401 - it yields
            known[pattern] = sorted(steps)
        first, last = self.terrain.below(node)
        return bisect_left(known[pattern], first), bisect_left(known[pattern], last)

    def _relative_differences(self, pattern: SpanPattern, node: SpanNode) -> Iterator[Difference]:
        for link in self._run(self._unlinked(pattern, node)):
            targets = tuple(one.target for one in node.links)
            yield Difference(aspect="link", expected=link, actual=targets)
        for descendant in pattern.descendants:
            found = self.below(descendant, node)
            if not self._is_enough(descendant, node, len(found)):
                yield Difference(aspect="descendant", expected=descendant, actual=tuple(found))
        for never in pattern.nevers:
            if self.is_decided(never) and (found := self.below(never, node)):
                yield Difference(aspect="never", expected=never, actual=tuple(found))


def _is_open(leaf: SpanPattern, mode: Mode) -> bool:
    """Whether anything may stand below a pattern without children, as it may not in a literal.

    A pattern that asks for a descendant is no leaf: it says what must stand below it.
    """
    return mode == "selects" or bool(leaf.descendants)
