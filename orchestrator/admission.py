"""When a request may leave: not while its model rests, not before its turn, not without a key."""

from collections.abc import Iterable
from typing import Final

from orchestrator import spans
from orchestrator.breaker import LONGEST_REST_S, Breaker, Breakers, Change, Health
from orchestrator.budget import Deadline
from orchestrator.calls import Call
from orchestrator.catalogue import ModelEntry
from orchestrator.errors import CircuitOpen, ProviderError
from orchestrator.events import BreakerChanged, ProviderDisabled
from orchestrator.hooks import HookRegistry
from orchestrator.models import Usage
from orchestrator.ports import Clock
from orchestrator.rate_limits import RateLimits
from orchestrator.tracing import Span

_SICK: Final = frozenset({"connection_error", "malformed_reply", "server_error", "timeout"})
"""Failures that the next request would have met as well, whatever it asked."""

_LIMITED: Final = "rate_limit_exceeded"
"""A healthy server says so; only where waiting did not help is the model of no use for now."""

_ACCOUNT: Final = frozenset({"authentication", "insufficient_quota"})
"""Refusals of whoever pays, not of the request: no other one with the same key fares better."""

_Account = tuple[str, str | None]


class Gate:
    """What one run knows of who may be asked; breakers and limits are shared with the others.

    Args:
        project_id: whose run it is.
        breakers: of all runs of the orchestrator.
        limits: likewise.
        deadline: the run's time.
        hooks: told when a breaker changes, and when a provider is given up.
        clock: time for waits.
    """

    def __init__(
        self,
        *,
        project_id: str,
        breakers: Breakers,
        limits: RateLimits,
        deadline: Deadline,
        hooks: HookRegistry,
        clock: Clock,
    ) -> None:
        self._project_id = project_id
        self._breakers = breakers
        self._limits = limits
        self._deadline = deadline
        self._hooks = hooks
        self._clock = clock
        self._disabled: dict[_Account, ProviderError] = {}

    def refusal(self, model: ModelEntry) -> ProviderError | None:
        """The failure for which this run sends nothing more to the model's provider, if any."""
        return self._disabled.get(_account(model))

    def rest_s(self, model: ModelEntry) -> float | None:
        """How long the model's breaker keeps requests away; None when one may be sent now."""
        breaker = self._breakers.of(model)
        return None if breaker.is_free else breaker.rest_s

    def remaining_s(self) -> float:
        """Seconds until the run's time is over; infinite without a limit."""
        return self._deadline.remaining()

    async def passable(self, call: Call) -> None:
        """Wait until a request of this call may leave.

        A resting model is waited for only while nobody else could serve, and for one rest.

        Raises:
            ProviderError: the provider refused the run's key before.
            CircuitOpen: another model can serve, or waiting would take too long or did not help.
        """
        if (error := self.refusal(call.entry)) is not None:
            raise ProviderError(str(error), code=error.code, retryable=False)
        breaker = self._breakers.of(call.entry)
        if breaker.is_free:
            return
        patience_s = min(LONGEST_REST_S, self._deadline.remaining())
        if self._has_fit(call.others) or breaker.rest_s >= patience_s:
            raise _open(call.entry, breaker)
        if breaker.rest_s:
            await self._clock.sleep(breaker.rest_s)
        await breaker.tried()
        if not breaker.is_free:
            raise _open(call.entry, breaker)

    async def paced(self, call: Call) -> None:
        """Wait for a request's turn under the rate limits of its model.

        Raises:
            ProviderError: the run has no time for that.
        """
        entry = call.entry
        try:
            call.slot = await self._limits.take(entry, call.prompt, self._deadline.remaining)
        except TimeoutError:
            raise ProviderError(
                f"The rate limits of model {entry.id!r} let no request through in the "
                f"{self._deadline.remaining():.0f} s that the run has left. Give the run more "
                "time, or raise the limits in the catalogue.",
                code=_LIMITED,
                retryable=False,
            ) from None

    async def enter(self, call: Call, span: Span) -> bool:
        """Let one request through; False: the breaker opened since it was found passable."""
        call.trial = self._breakers.of(call.entry).enter()
        if call.trial is None:
            return False
        self._note(call, span, call.trial.change)
        await self.tell(call)
        return True

    def answered(self, call: Call, span: Span) -> None:
        """Take note of a request that was answered.

        Nobody is told and nothing is waited for before the answer, which is paid, is kept.
        """
        if call.slot is not None and call.reply is not None and call.reply.usage != Usage():
            used = call.reply.usage
            call.slot.took(used.input_tokens + used.output_tokens)
        call.slot = None
        self._note(call, span, self._left(call, Health.SOUND))

    async def failed(self, call: Call, span: Span, error: ProviderError, *, is_final: bool) -> None:
        """Take note of a request that failed; `is_final`: no retry is left for it."""
        call.slot = None
        if error.code in _ACCOUNT:
            await self._disable(call.entry, error)
        is_final |= self._breakers.of(call.entry).state == "half_open"  # a trial is tried once
        if error.code in _SICK or (error.code == _LIMITED and is_final):
            asked_s = error.retry_after_s if is_final else None
            change = self._left(call, Health.SICK, rest_s=asked_s)
        else:
            is_silent = error.code == _LIMITED
            change = self._left(call, Health.UNKNOWN if is_silent else Health.SOUND)
        self._note(call, span, change)
        await self.tell(call)

    async def tell(self, call: Call) -> None:
        """Tell the hooks what the call has changed of its model's breaker."""
        while call.changes:
            change, entry = call.changes.pop(0), call.entry
            await self._hooks.emit(
                BreakerChanged(
                    project_id=self._project_id,
                    provider=entry.provider,
                    model=entry.id,
                    from_state=change.from_state,
                    to_state=change.to_state,
                )
            )

    def leave(self, call: Call) -> None:
        """Forget a request that was never sent, or of which nothing can be said."""
        if call.slot is not None and call.trial is None:
            call.slot.give_back()
        call.slot = None
        self._left(call, Health.UNKNOWN)

    def may_retry(self, call: Call) -> bool:
        """Whether a retry is worth its wait: not while the model rests and another can serve."""
        return self.rest_s(call.entry) is None or not self._has_fit(call.others)

    def _has_fit(self, models: Iterable[ModelEntry]) -> bool:
        return any(self.refusal(each) is None and self.rest_s(each) is None for each in models)

    async def _disable(self, model: ModelEntry, error: ProviderError) -> None:
        if self.refusal(model) is None:
            self._disabled[_account(model)] = error
            await self._hooks.emit(
                ProviderDisabled(
                    project_id=self._project_id, provider=model.provider, reason=str(error)
                )
            )

    def _left(self, call: Call, health: Health, *, rest_s: float | None = None) -> Change | None:
        trial, call.trial = call.trial, None
        if trial is None:
            return None
        return self._breakers.of(call.entry).leave(trial, health, rest_s=rest_s)

    def _note(self, call: Call, span: Span, change: Change | None) -> None:
        if change is None:
            return
        call.changes.append(change)
        if span.is_recording():
            span.add_event(
                spans.EVENT_CIRCUIT_BREAKER,
                {
                    spans.EVENT_CIRCUIT_BREAKER_PROVIDER: call.entry.provider,
                    spans.EVENT_CIRCUIT_BREAKER_FROM_STATE: change.from_state,
                    spans.EVENT_CIRCUIT_BREAKER_TO_STATE: change.to_state,
                },
            )


def _account(model: ModelEntry) -> _Account:
    return model.provider, model.key_env


def _open(model: ModelEntry, breaker: Breaker) -> CircuitOpen:
    when = f"in {breaker.rest_s:.0f} s" if breaker.rest_s else "at this moment"
    return CircuitOpen(
        f"Model {model.id!r} of {model.provider} keeps failing and is left alone; it is tried "
        f"again {when}. Wait, or make another model ready."
    )
