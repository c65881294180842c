"""Circuit breakers: a model that keeps failing is left alone, and then tried by one request.

There is one for each provider and model, shared by all runs of an orchestrator, because what it
knows is about a server and not about a run.
"""

import asyncio
import math
from collections import defaultdict
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Final

from orchestrator.catalogue import ModelEntry
from orchestrator.models import BreakerState
from orchestrator.ports import Clock

FAILURES_TO_OPEN: Final = 5
"""So many requests in a row have to fail: more than one call may send, so that no single prompt
closes a model to all the others, and few enough that nobody knocks at a dead server for long."""

FIRST_REST_S: Final = 15.0
"""How long a model is left alone the first time; it doubles while the trials fail."""

LONGEST_REST_S: Final = 120.0
"""No rest is longer, unless the server itself asked for more."""


class Health(Enum):
    """What the end of a request says about the server."""

    SOUND = "sound"
    """It answered: an answer, or a refusal of this very request."""
    SICK = "sick"
    """It failed, and would have failed another request as well."""
    UNKNOWN = "unknown"
    """Nothing: the request was never sent, or given up by us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A breaker went from one state to another."""

    from_state: BreakerState
    to_state: BreakerState


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Leave to send one request; it is handed back with what came of it."""

    era: int
    """What comes of a request counts for the state in which it was sent, and for no later one."""
    change: Change | None = None
    """What letting it through changed."""


class Breaker:
    """What the last requests to one model say about sending another."""

    def __init__(self, clock: Clock) -> None:
        self.state: BreakerState = "closed"
        self._clock = clock
        self._failures = 0
        self._openings = 0
        self._tried_again_at_s = -math.inf
        self._trial_over: asyncio.Event | None = None
        self._era = 0

    @property
    def is_free(self) -> bool:
        """A request may be sent now, if only as the one that tries the model again."""
        return self.state == "closed" or (self.rest_s == 0 and self._trial_over is None)

    @property
    def rest_s(self) -> float:
        """Seconds until the model is tried again; 0 when it may be, or is being tried."""
        return max(0.0, self._tried_again_at_s - self._clock.monotonic())

    def enter(self) -> Trial | None:
        """Let one request through, or nobody; whoever enters leaves."""
        if not self.is_free:
            return None
        change = None
        if self.state != "closed":
            if self.state == "open":
                change = self._become("half_open")
            self._trial_over = asyncio.Event()
        return Trial(era=self._era, change=change)

    def leave(self, trial: Trial, health: Health, *, rest_s: float | None = None) -> Change | None:
        """Take note of how a request ended.

        Args:
            trial: the leave it was sent with.
            health: what its end says about the server.
            rest_s: how long the server asked to be left alone; a server that asks is taken at
                its word at once.
        """
        if trial.era != self._era:
            return None
        is_decided = self._trial_over is not None
        if self._trial_over is not None:
            self._trial_over.set()
            self._trial_over = None
        if health is Health.SICK:
            self._failures += 1
            if is_decided or rest_s is not None or self._failures >= FAILURES_TO_OPEN:
                return self._open(rest_s or 0.0)
        elif health is Health.SOUND:
            self._failures = self._openings = 0
            if is_decided:
                return self._become("closed")
        return None

    async def tried(self) -> None:
        """Wait until the request that tries the model again has ended, if there is one."""
        if self._trial_over is not None:
            await self._trial_over.wait()

    def _open(self, asked_s: float) -> Change:
        rest_s = min(LONGEST_REST_S, FIRST_REST_S * 2.0**self._openings)
        self._openings += 1
        self._tried_again_at_s = self._clock.monotonic() + max(rest_s, asked_s)
        return self._become("open")

    def _become(self, state: BreakerState) -> Change:
        change = Change(from_state=self.state, to_state=state)
        self.state = state
        self._failures = 0
        self._era += 1
        return change


class Breakers:
    """The breaker of every model, each made when it is first asked for."""

    def __init__(self, clock: Clock) -> None:
        self._by_model: defaultdict[tuple[str, str], Breaker] = defaultdict(partial(Breaker, clock))

    def of(self, model: ModelEntry) -> Breaker:
        """The breaker of this model of this provider."""
        return self._by_model[model.provider, model.id]
