"""The questions that a test asks of its spans, wherever these came from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from opentelemetry.sdk.trace import ReadableSpan

from pytest_otel_spans.capturing.answers import closest, listed
from pytest_otel_spans.capturing.chime import Chime, on_event_loop
from pytest_otel_spans.capturing.habits import Habits
from pytest_otel_spans.capturing.selection import Selection
from pytest_otel_spans.explaining.report import unsaid
from pytest_otel_spans.matching.match import match_roots
from pytest_otel_spans.matching.path import Selector, as_path, select
from pytest_otel_spans.patterns.expected import ChildPart
from pytest_otel_spans.patterns.pattern import as_roots
from pytest_otel_spans.registries.reading import RegistrySource
from pytest_otel_spans.text.render import counted, outline
from pytest_otel_spans.text.suggest import suggest
from pytest_otel_spans.tree import Forest, Sighting, SpanNode, grow

_BLOCKED = (
    "\nIt waited on the thread of a running event loop, where no task could go on meanwhile: "
    "use `await asyncio.to_thread({}.wait_for, ...)`."
)


class Capture(Habits, ABC):
    """Spans as they come in, and what can be asked of them.

    A selector is a path such as `"run_project / task:* // llm_call:*"` (`/` child, `//`
    descendant, a leading `/` a root), a pattern, or patterns joined by `/` and `//`.

    Attributes:
        chime: Rings when a span comes in.
    """

    def __init__(self, chime: Chime) -> None:
        self.chime = chime
        self._grown: tuple[list[Sighting | ReadableSpan], Forest] = ([], grow([]))

    @abstractmethod
    def sightings(self) -> list[Sighting | ReadableSpan]:
        """Every span that came so far, as `grow` takes them."""

    @abstractmethod
    def why_empty(self) -> str:
        """Say in one sentence why there is no span."""

    @abstractmethod
    def clear(self) -> None:
        """Forget every span that came so far."""

    @property
    @abstractmethod
    def notes(self) -> tuple[str, ...]:
        """What a reader of these spans should know about how they came, in sentences."""

    @abstractmethod
    def _check_live(self) -> None:
        """Check that a span would be captured.

        Raises:
            AssertionError: None would be.
        """

    @property
    def forest(self) -> Forest:
        """The spans as trees, as they stand now."""
        seen, forest = self._grown
        now = self.sightings()
        if forest.unfinished or now != seen:
            forest = grow(now)
            self._grown = now, forest
        return forest

    @property
    def roots(self) -> tuple[SpanNode, ...]:
        """The spans without a captured parent, in start order."""
        return self.forest.roots

    @property
    def orphans(self) -> tuple[SpanNode, ...]:
        """The roots whose parent should have been captured and was not."""
        return self.forest.orphans

    @property
    def unfinished(self) -> tuple[SpanNode, ...]:
        """The spans that have not ended."""
        return self.forest.unfinished

    def one(self, selector: Selector) -> SpanNode:
        """Return the one span that matches.

        Raises:
            AssertionError: None matches, or several do.
        """
        __tracebackhide__ = True
        found = self.all(selector)
        if found.count > 1:
            self._fail(
                f"{found.count} spans match {selector!r}, expected exactly 1:"
                f"{listed(found.nodes)}\nName a parent, or use `.all()`."
            )
        return next(iter(found))

    def all(self, selector: Selector) -> Selection:
        """Return the spans that match, in start order; there may be none."""
        __tracebackhide__ = True
        forest = self.forest
        return Selection(
            selector=selector,
            nodes=tuple(select(forest, selector)),
            forest=forest,
            why_empty="" if forest.nodes else self.why_empty(),
        )

    def none(self, selector: Selector) -> bool:
        """Check that no span matches, and where there is none at all, that one would be here.

        Raises:
            AssertionError: Some do, or there could have been none.
        """
        __tracebackhide__ = True
        found = self.all(selector)
        if found.count:
            self._fail(
                f"{counted(found.count, 'span')} {'matches' if found.count == 1 else 'match'} "
                f"{selector!r}, expected none:"
                f"{listed(found.nodes)}"
            )
        if not found.forest.nodes:
            self._check_live()
        return True

    def wait_for(self, selector: Selector, timeout: float = 5.0) -> Selection:
        """Wait until a span that ended matches, and return all that match.

        A pattern that says `.unfinished()` waits for a span to start. The calling thread is
        blocked: on the thread of an event loop use `await asyncio.to_thread(spans.wait_for, ...)`.

        Args:
            selector: What to wait for.
            timeout: Seconds to wait at most.

        Raises:
            AssertionError: Nothing matched in time.
            ValueError: The timeout is negative.
        """
        __tracebackhide__ = True
        if timeout < 0:
            raise ValueError(f"timeout={timeout!r} is negative; to look once, say timeout=0")
        ended = not as_path(selector).patterns[-1].never_ended

        def is_there() -> bool:
            return any(node.ended is ended for node in select(self.forest, selector))

        if not self.wait_until(is_there, timeout):
            found = self.all(selector)
            said = f"No span that {'ended' if ended else 'is open'} matched {selector!r}"
            nearest = closest(selector, found.forest)
            state = f"\nNot ended:{listed(found.nodes)}" if found.count else ""
            blocked = _BLOCKED.format(self.fixture) if on_event_loop() else ""
            self._fail(f"{said} within {timeout:g} s{nearest}{state}{blocked}")
        return self.all(selector)

    def wait_until(self, predicate: Callable[[], bool], timeout: float) -> bool:
        """Wait until `predicate()` holds, asked again whenever a span comes in.

        Args:
            predicate: The condition.
            timeout: Seconds after which the answer is given as it stands.
        """
        return self.chime.wait_until(predicate, timeout)

    def text(self) -> str:
        """Return the outline: every span in its tree; or why there is none."""
        forest = self.forest
        why_empty = "" if forest.nodes else self.why_empty()
        notes = unsaid(self.notes, why_empty)
        return "\n".join([why_empty or outline(forest), *(f"note: {note}" for note in notes)])

    def suggest(self, *, exact: bool = False) -> str:
        """Return the `assert_span_tree` literal that these spans match, ready to paste.

        Args:
            exact: Write every value, and `only=True`; else volatile values stand as their types.
        """
        return suggest(self.forest, self.fixture, exact=exact)

    def conforms_to(
        self, registry: RegistrySource, groups: Mapping[str, str] | None = None
    ) -> bool:
        """Check that every span is what a registry of semantic conventions says of such spans.

        Args:
            registry: The path of a YAML file in the format of OpenTelemetry's semantic
                conventions, of a folder of them, or what such a file holds as a mapping.
            groups: The ids of span groups by the names of spans that are of them, `*` being a
                wildcard; for groups of which the registry does not say it.

        Raises:
            SpanSchemaMismatch: A span is not, or there is none.
            RegistryError: The registry cannot be read, or says of no group which spans it is for.
        """
        __tracebackhide__ = True
        return self.all("*").conforms_to(registry, groups)

    def assert_empty(self) -> None:
        """Check that there is no span, and that one would have been captured.

        Raises:
            AssertionError: There is one, or there could have been none.
        """
        __tracebackhide__ = True
        if self.forest.nodes:
            self._fail(f"{counted(len(self), 'span')} captured, expected none.")
        self._check_live()

    def __eq__(self, other: object) -> bool:
        """Whether these are the trees of a literal: a pattern, or a list with one for each root."""
        roots = as_roots(other)
        if roots is None:
            return NotImplemented  # a snapshot, for one, compares for itself
        return self._are(roots)

    def __ne__(self, other: object) -> bool:
        """Whether these are other trees; of no span that is said only where one would be here.

        Raises:
            AssertionError: There is no span, and there could have been none.
        """
        __tracebackhide__ = True
        roots = as_roots(other)
        if roots is None:
            return NotImplemented
        if not self.forest.nodes:
            self._check_live()
        return not self._are(roots)

    __hash__ = object.__hash__

    def __len__(self) -> int:
        return len(self.forest.nodes)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {counted(len(self), 'span')}>"

    def _are(self, roots: list[ChildPart]) -> bool:
        return bool(self.forest.nodes) and match_roots(self.forest, roots).holds

    def _fail(self, sentence: str) -> None:
        __tracebackhide__ = True
        raise AssertionError(f"{sentence}\n\n{self.text()}")
