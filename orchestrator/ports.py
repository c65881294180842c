"""The doors through which the outside comes in; a fake uses the same door as the real thing."""

from collections.abc import Awaitable, Callable
from typing import Protocol, runtime_checkable

from orchestrator.events import Event
from orchestrator.figures import Family
from orchestrator.models import Reply, Request
from orchestrator.programs import Ended, Program


class Provider(Protocol):
    """A vendor of model answers. It does not retry, price, trace or keep anything."""

    async def complete(self, request: Request) -> Reply:
        """Answer one request.

        Raises:
            ProviderError: it was refused or broke off; says whether to try again.
        """
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


@runtime_checkable
class Remote(Provider, Protocol):
    """A provider behind a network: requests can be lost on the way, and cost money all the same."""

    server: tuple[str, int]
    """Host and port, as the span says them."""
    takes_temperature: bool
    """Whether a prompt's temperature is sent."""

    async def open(self) -> None:
        """Get ready for a first request, which may take a while; later, do nothing."""
        ...

    async def complete(
        self, request: Request, *, departed: Callable[[], None] = lambda: None
    ) -> Reply:
        """Answer one request, and call `departed` just before anything of it leaves.

        Until then nobody can bill it; from then on it may be billed, whatever becomes of it.
        """
        ...


class Clock(Protocol):
    """Time, in seconds; `sleep` is how a back-off waits."""

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Sandbox(Protocol):
    """A place for programs that nobody has read; not to be trusted with one is no failure."""

    async def run(self, program: Program) -> Ended:
        """Run a program to its end or to its limit, and leave nothing of it behind.

        Raises:
            SandboxRefused: it cannot be kept from harm here, and is not run.
        """
        ...


class MetricsExporter(Protocol):
    """Somebody who passes figures on."""

    def export(self, families: tuple[Family, ...], *, is_settled: bool) -> None:
        """Pass on all figures so far; `is_settled` says that a run has just ended."""
        ...


class Hook(Protocol):
    """Somebody who wants to know what happens; a plain or an async callable."""

    def __call__(self, event: Event, /) -> Awaitable[None] | None:
        """Take notice of one event."""
        ...
