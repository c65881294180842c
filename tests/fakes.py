"""Fakes that enter by the ports: a scripted provider, clocks, an event loop without waiting."""

import asyncio
import inspect
import selectors
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar

from orchestrator.admission import Gate
from orchestrator.api_clients import UnifiedClient
from orchestrator.breaker import Breakers
from orchestrator.budget import Deadline, Ledger
from orchestrator.catalogue import Catalogue, ModelEntry
from orchestrator.errors import SandboxRefused
from orchestrator.events import Event
from orchestrator.hooks import HookRegistry
from orchestrator.models import Reply, Request, Usage
from orchestrator.ports import Clock, Hook, Provider
from orchestrator.programs import Ended, Program
from orchestrator.rate_limits import RateLimits
from orchestrator.retries import Retries

T = TypeVar("T")
E = TypeVar("E", bound=Event)

Step = str | Reply | Exception | Callable[[Request], "Step | Awaitable[Step]"]
"""What a scripted provider does with one request: answers with a text or a whole reply, raises,
or asks a function (plain or async) for one of these."""

USAGE = Usage(input_tokens=100, output_tokens=20)


def model(model_id: str = "m", **facts: Any) -> ModelEntry:
    """A model at a dollar per million tokens each way, unless told otherwise."""
    facts = {"provider": "acme", "api": "offline", "price": {"input": 1, "output": 1}} | facts
    return ModelEntry.model_validate({"id": model_id} | facts)


def catalogue(*entries: ModelEntry) -> Catalogue:
    """A catalogue of these models."""
    return Catalogue(models=entries)


def reply(
    text: str = "an answer", *, usage: Usage = USAGE, finish_reason: str = "stop", **facts: Any
) -> Reply:
    """A reply as a provider gives it."""
    facts = {"served_model": "m-2026", "response_id": "r1"} | facts
    return Reply(text=text, usage=usage, finish_reason=finish_reason, **facts)


def gate(
    clock: Clock | None = None,
    *,
    breakers: Breakers | None = None,
    limits: RateLimits | None = None,
    deadline: Deadline | None = None,
    hooks: HookRegistry | None = None,
) -> Gate:
    """A gate that knows nothing of any model yet."""
    clock = clock or ManualClock()
    return Gate(
        project_id="p1",
        breakers=breakers or Breakers(clock),
        limits=limits or RateLimits(catalogue(model()), clock),
        deadline=deadline or Deadline(clock),
        hooks=hooks or HookRegistry(),
        clock=clock,
    )


def door(
    providers: Mapping[str, Provider],
    *entries: ModelEntry,
    ledger: Ledger | None = None,
    max_time_s: float | None = None,
    hook: Hook | None = None,
    clock: Clock | None = None,
    breakers: Breakers | None = None,
    limits: RateLimits | None = None,
    **settings: Any,
) -> UnifiedClient:
    """The door to these providers, with no limits and no jitter unless told otherwise."""
    clock = clock or ManualClock()
    settings = {"retries": Retries(jitter=lambda: 1.0)} | settings
    deadline = Deadline(clock, max_time_s)
    hooks = HookRegistry([hook] if hook else [])
    known = catalogue(*(entries or map(model, providers)))
    limits = limits or RateLimits(known, clock)
    return UnifiedClient(
        project_id="p1",
        catalogue=known,
        providers=providers,
        ledger=ledger or Ledger(),
        deadline=deadline,
        gate=gate(clock, breakers=breakers, limits=limits, deadline=deadline, hooks=hooks),
        hooks=hooks,
        clock=clock,
        **settings,
    )


async def hang(request: Request) -> Step:
    """A step that never ends."""
    await asyncio.Event().wait()
    raise AssertionError("nobody sets the event")


class ScriptedProvider:
    """Plays its steps, one a request, and from then on `then`; keeps every request."""

    def __init__(self, *steps: Step, then: Step = "an answer") -> None:
        self._steps = list(steps)
        self._then = then
        self.requests: list[Request] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.closed = 0

    async def complete(self, request: Request) -> Reply:
        self.requests.append(request)
        step = self._steps.pop(0) if self._steps else self._then
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            while callable(step):
                given = step(request)
                step = await given if inspect.isawaitable(given) else given
        finally:
            self.in_flight -= 1
        if isinstance(step, Exception):
            raise step
        return reply(step) if isinstance(step, str) else step

    async def close(self) -> None:
        self.closed += 1


class ScriptedSandbox:
    """Runs nothing: says how each program ended, and keeps it."""

    def __init__(self, *ends: Ended) -> None:
        self._ends = list(ends)
        self.programs: list[Program] = []

    async def run(self, program: Program) -> Ended:
        self.programs.append(program)
        return self._ends.pop(0)


class RefusingSandbox:
    """Where nothing can be run."""

    async def run(self, program: Program) -> Ended:
        raise SandboxRefused("nowhere to")


class Recorder:
    """A hook that keeps every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event, /) -> None:
        self.events.append(event)

    def of(self, kind: type[E]) -> list[E]:
        """The events of this kind, in their order."""
        return [event for event in self.events if isinstance(event, kind)]


class ManualClock:
    """Time that passes only by `advance` and by sleeping, which takes no real time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        self.now += seconds


class LoopClock:
    """The event loop's own time; in virtual time, waiting on it takes none."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def in_virtual_time(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end on a loop where time jumps to the next timer whenever every task waits.

    Sleeps, timeouts and their order are those of real time, to the microsecond, in no time at
    all; what waits for ever is an error instead of a test that hangs. No threads, no sockets.
    """
    with asyncio.Runner(loop_factory=_VirtualTimeLoop) as runner:
        return runner.run(main)


class _VirtualTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._elapsed = 0.0
        super().__init__(_JumpingSelector(self._jump))

    def time(self) -> float:
        return self._elapsed

    def _jump(self, seconds: float) -> None:
        self._elapsed += seconds


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, jump: Callable[[float], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("every task waits for something that never comes")
        if not ready and timeout:
            self._jump(timeout)
        return ready
