"""The spans of one test, and the questions that a test asks of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pytest_otel_spans.answers import listed
from pytest_otel_spans.hub import Hub
from pytest_otel_spans.path import Selector, as_path, select
from pytest_otel_spans.recording import Recording
from pytest_otel_spans.render import counted, outline
from pytest_otel_spans.selection import Selection
from pytest_otel_spans.suggest import suggest
from pytest_otel_spans.tree import Forest, Sighting, SpanNode, grow

_BLOCKED = (
    "\nIt waited on the thread of a running event loop, where no task could go on meanwhile: "
    "use `await asyncio.to_thread(spans.wait_for, ...)`."
)


class SpanCapture:
    """The spans that one test started, those that have not ended included.

    A selector is a path such as `"run_project / task:* // llm_call:*"` (`/` child, `//`
    descendant, a leading `/` a root), a pattern, or patterns joined by `/` and `//`.
    """

    def __init__(self, recording: Recording, hub: Hub) -> None:
        self._recording = recording
        self._hub = hub
        self._attached: tuple[trace.TracerProvider, ...] = ()
        self._grown: tuple[list[Sighting | ReadableSpan], Forest] = ([], grow([]))

    @property
    def exporter(self) -> InMemorySpanExporter:
        """The exporter that holds the finished spans, in the order they ended."""
        return self._recording.exporter

    @property
    def forest(self) -> Forest:
        """The spans as trees, as they stand now."""
        seen, forest = self._grown
        now = self._recording.sightings()
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

    @property
    def sampled_out(self) -> int:
        """How many spans a sampler dropped (best effort, see `notes`)."""
        return self._recording.sampled_out.total()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of these spans should know about how they came, in sentences."""
        dropped = [
            f"{counted(number, 'span')} sampled out by `{sampler}`"
            for sampler, number in self._recording.sampled_out.items()
        ]
        unclaimed = self._recording.unclaimed
        if unclaimed:
            dropped.append(f"{counted(unclaimed, 'span')} could be any of several running tests'")
        return (*dict.fromkeys(self._recording.notes), *dropped)

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
        """Check that no span matches.

        Raises:
            AssertionError: Some do.
        """
        __tracebackhide__ = True
        found = self.all(selector)
        if found.count:
            self._fail(
                f"{counted(found.count, 'span')} {'matches' if found.count == 1 else 'match'} "
                f"{selector!r}, expected none:"
                f"{listed(found.nodes)}"
            )
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
        """
        __tracebackhide__ = True
        ended = not as_path(selector).patterns[-1].never_ended

        def is_there() -> bool:
            return any(node.ended is ended for node in select(self.forest, selector))

        if not self.wait_until(is_there, timeout):
            found = self.all(selector)
            said = f"No span that {'ended' if ended else 'is open'} matched {selector!r}"
            state = f"\nNot ended:{listed(found.nodes)}" if found.count else ""
            self._fail(f"{said} within {timeout:g} s.{state}{_BLOCKED if _on_event_loop() else ''}")
        return self.all(selector)

    def wait_until(self, predicate: Callable[[], bool], timeout: float) -> bool:
        """Wait until `predicate()` holds, asked again whenever a span starts or ends.

        Args:
            predicate: The condition.
            timeout: Seconds after which the answer is given as it stands.
        """
        return self._recording.wait_until(predicate, timeout)

    def clear(self) -> None:
        """Forget every span that started so far, also those that have not ended yet."""
        self._recording.clear()

    def text(self) -> str:
        """Return the outline: every span in its tree; or why there is none."""
        forest = self.forest
        lines = [outline(forest) if forest.nodes else self.why_empty()]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def suggest(self, *, exact: bool = False) -> str:
        """Return the `assert_span_tree` literal that these spans match, ready to paste.

        Args:
            exact: Write every value, and `only=True`; else volatile values stand as their types.
        """
        return suggest(self.forest, exact=exact)

    def attach(self, provider: trace.TracerProvider) -> None:
        """Capture the spans of a provider that is not the global one, from now on.

        Providers that the code sets as the global one are attached by themselves.

        Raises:
            TypeError: The provider is not one of the SDK.
        """
        if self._hub.listen(provider) is None:
            raise TypeError(
                f"attach() takes a TracerProvider of opentelemetry.sdk.trace, not {provider!r}"
            )
        if not any(known is provider for known in self._attached):
            self._attached += (provider,)

    def assert_empty(self) -> None:
        """Check that there is no span, and that one would have been captured.

        Raises:
            AssertionError: There is one, or there could have been none.
        """
        __tracebackhide__ = True
        if self.forest.nodes:
            self._fail(f"{counted(len(self), 'span')} captured, expected none.")
        if self._recording.sampled_out:
            raise AssertionError(self.why_empty())
        for provider in (trace.get_tracer_provider(), *self._attached):
            reason = self._hub.deafness(provider)
            if reason is not None:
                raise AssertionError(f"No span was captured, and none could be: {reason}.")

    def why_empty(self) -> str:
        """Say in one sentence why no span was captured."""
        recording = self._recording
        if recording.sampled_out:
            samplers = " and ".join(f"`{sampler}`" for sampler in recording.sampled_out)
            dropped = counted(self.sampled_out, "span")
            return f"No span was captured: {dropped} sampled out by {samplers}."
        provider = trace.get_tracer_provider()
        reason = self._hub.deafness(provider)
        if reason is not None:
            return f"No span was captured: {reason}."
        since = " since spans.clear()" if recording.cleared else ""
        ended = self._hub.shut_down_in(provider)
        aside = f", which was shut down in {ended}," if ended else ""
        return (
            f"No span was captured: none was started{since} on the global provider{aside} or on "
            "one that was attached; a provider of its own needs `spans.attach(provider)`."
        )

    def __len__(self) -> int:
        return len(self.forest.nodes)

    def __repr__(self) -> str:
        return f"<SpanCapture of {counted(len(self), 'span')}>"

    def _fail(self, sentence: str) -> None:
        __tracebackhide__ = True
        raise AssertionError(f"{sentence}\n\n{self.text()}")


def _on_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
