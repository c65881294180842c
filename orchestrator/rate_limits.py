"""Rate limits: no more requests and tokens a minute than the catalogue allows, by waiting in line.

Shared by all runs of an orchestrator, because a vendor counts by key and not by run. In every span
of 60 seconds the limits hold, whichever of them a vendor counts in.
"""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

from orchestrator.catalogue import Catalogue, Limits, ModelEntry
from orchestrator.models import Prompt
from orchestrator.ports import Clock

WINDOW_S: Final = 60.0

_BYTES_PER_TOKEN: Final = 4
_INSTANT_S: Final = 1e-9
"""Less than any clock tells apart: sums of seconds are not exact."""

_NO_CEILINGS: Final[Mapping[str, Limits]] = MappingProxyType({})


class RateLimits:
    """The lines before all models of a catalogue.

    Args:
        catalogue: says the limits of each model, and which models share one line.
        clock: time, for minutes and waits.
        ceilings: limits by model id that are kept as well, such as a policy's; the lower counts,
            of models that share one line for all of them together.
    """

    def __init__(
        self, catalogue: Catalogue, clock: Clock, ceilings: Mapping[str, Limits] = _NO_CEILINGS
    ) -> None:
        pools: dict[tuple[str, ...], list[Limits]] = {}
        for model in catalogue.entries():
            stated = [limits for limits in (model.limits, ceilings.get(model.id)) if limits]
            if stated:
                pools.setdefault(_pool(model), []).extend(stated)
        lines = {pool: _Line(_lowest(stated), clock) for pool, stated in pools.items()}
        self._lines = {model.id: lines.get(_pool(model)) for model in catalogue.entries()}

    async def take(
        self, model: ModelEntry, prompt: Prompt, remaining_s: Callable[[], float]
    ) -> "Slot | None":
        """Wait until the limits let a request through, first come first served.

        Args:
            model: whose limits.
            prompt: what is asked, for its tokens; `Slot.took` sets right what was guessed.
            remaining_s: seconds that the wait may still take.

        Returns:
            The place it takes in its minute; None where there is no limit.

        Raises:
            TimeoutError: the wait would take longer than that.
        """
        line = self._lines.get(model.id)
        return None if line is None else await line.take(_expected_tokens(prompt), remaining_s)


class Slot:
    """A request's place in the minute that it counts in."""

    __slots__ = ("_line", "at_s", "tokens")

    def __init__(self, line: "_Line", at_s: float, tokens: int) -> None:
        self._line: _Line | None = line
        self.at_s = at_s
        self.tokens = tokens

    def took(self, tokens: int) -> None:
        """Say how many tokens the request did take; whoever waits for tokens may go on."""
        if self._line is not None:
            self._line.count(tokens - self.tokens)
            self.tokens = tokens

    def give_back(self) -> None:
        """Say that the request was never sent."""
        if self._line is not None:
            self._line.forget(self)

    def leave(self) -> None:
        """Count no more: the minute is over, or nothing was sent."""
        self._line = None


class _Line:
    """Those who wait for one allowance, and those who had their turn in the last minute."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._taken: deque[Slot] = deque()
        self._tokens = 0
        self._turn = asyncio.Lock()  # whoever holds it is first in line; it wakes in order
        self._moved = asyncio.Event()

    async def take(self, tokens: int, remaining_s: Callable[[], float]) -> Slot:
        await self._first_in_line(remaining_s())
        try:
            while (wait_s := self._wait_s(tokens)) > _INSTANT_S:
                if wait_s >= remaining_s():
                    raise TimeoutError
                await self._first(self._clock.sleep(wait_s), self._moved.wait())
                self._moved.clear()
            slot = Slot(self, self._clock.monotonic(), tokens)
            self._taken.append(slot)
            self.count(tokens)
            return slot
        finally:
            self._turn.release()

    def count(self, tokens: int) -> None:
        self._tokens += tokens
        self._moved.set()

    def forget(self, slot: Slot) -> None:
        self._taken.remove(slot)
        slot.leave()
        self.count(-slot.tokens)

    async def _first_in_line(self, within_s: float) -> None:
        """Wait until everybody who came before has gone; whoever comes back from it is first.

        Raises:
            TimeoutError: they did not go in so many seconds.
        """
        if not self._turn.locked() or within_s == math.inf:
            await self._turn.acquire()
            return
        turn = asyncio.ensure_future(self._turn.acquire())
        try:
            await self._first(turn, self._clock.sleep(within_s))
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._turn.release()
            raise
        if turn.cancelled() or not turn.done():
            raise TimeoutError

    @staticmethod
    async def _first(*ends: Awaitable[object]) -> None:
        """Wait for the first of these, and leave the others."""
        waits = [asyncio.ensure_future(end) for end in ends]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _wait_s(self, tokens: int) -> float:
        """Seconds until a request of so many tokens fits, if nothing else happens."""
        now = self._clock.monotonic()
        while self._taken and self._taken[0].at_s + WINDOW_S <= now + _INSTANT_S:
            old = self._taken.popleft()
            old.leave()
            self._tokens -= old.tokens
        leaving = self._too_many(tokens)
        return self._taken[leaving - 1].at_s + WINDOW_S - now if leaving else 0.0

    def _too_many(self, tokens: int) -> int:
        """How many of the oldest have to be a minute old before another one may come.

        All of them, before one that is larger than a whole minute's tokens: it goes alone.
        """
        rpm, tpm = self._limits.rpm, self._limits.tpm
        leaving = 0 if rpm is None else max(0, len(self._taken) + 1 - rpm)
        if tpm is None:
            return leaving
        used = self._tokens
        for number, slot in enumerate(self._taken):
            if used + tokens <= tpm:
                return max(leaving, number)
            used -= slot.tokens
        return max(leaving, len(self._taken))


def _pool(model: ModelEntry) -> tuple[str, ...]:
    """Who counts together: the models of one key that share their limits, or one model."""
    if model.limits is not None and model.limits.shared:
        return ("key", model.provider, model.key_env or "")
    return ("model", model.id)


def _lowest(stated: list[Limits]) -> Limits:
    def least(counts: list[int | None]) -> int | None:
        return min((count for count in counts if count is not None), default=None)

    return Limits(
        rpm=least([each.rpm for each in stated]), tpm=least([each.tpm for each in stated])
    )


def _expected_tokens(prompt: Prompt) -> int:
    """What a vendor takes a request for before it is answered: its text, and all it may answer."""
    sent = len(prompt.system.encode()) + len(prompt.text.encode())
    return -(-sent // _BYTES_PER_TOKEN) + prompt.max_tokens
