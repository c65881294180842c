"""The one door to models: one call, one span, however many requests it takes.

In this order: the run's deadline, the model's breaker, a reservation for the worst case, its turn
under the rate limits, a timeout, the provider, what it cost, the span, the events. A retry passes
all of them again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final

from orchestrator import spans
from orchestrator.admission import Gate
from orchestrator.budget import Deadline, Ledger, Reservation
from orchestrator.call_keeping import CallKeeper, retold
from orchestrator.calls import Call, Outcome
from orchestrator.catalogue import Catalogue, ModelEntry
from orchestrator.errors import ProviderError, TimeExceeded
from orchestrator.events import BudgetThresholdPassed
from orchestrator.hooks import HookRegistry
from orchestrator.journal import Journal
from orchestrator.models import Answer, CallType, Prompt, Reply, Request, Task, Usage
from orchestrator.ports import Clock, Provider, Remote
from orchestrator.prices import cost_of, worst_case
from orchestrator.retries import Retries
from orchestrator.tracing import Span, record_content, traced_llm_call
from orchestrator.tracing.failure import code_of
from orchestrator.tracing.span import TracedBlock

ATTEMPT_TIMEOUT_S: Final = 120.0
"""The longest that one request may take, even where the run has more time, or no limit."""


class UnifiedClient:
    """All model calls of one run.

    Args:
        project_id: whose run it is.
        catalogue: what is known of each model.
        providers: who answers, by model id.
        ledger: the run's money.
        deadline: the run's time.
        gate: who may be asked.
        hooks: told of every call.
        clock: time for latencies and back-off; timeouts are the event loop's.
        retries: how often, and after how long, a failed request is sent again.
        attempt_timeout_s: the longest that one request may take.
        journal: what earlier runs were answered, and where this one's answers are kept.
    """

    def __init__(
        self,
        *,
        project_id: str,
        catalogue: Catalogue,
        providers: Mapping[str, Provider],
        ledger: Ledger,
        deadline: Deadline,
        gate: Gate,
        hooks: HookRegistry,
        clock: Clock,
        retries: Retries | None = None,
        attempt_timeout_s: float = ATTEMPT_TIMEOUT_S,
        journal: Journal | None = None,
    ) -> None:
        self._project_id = project_id
        self._catalogue = catalogue
        self._providers = providers
        self._ledger = ledger
        self._deadline = deadline
        self._gate = gate
        self._hooks = hooks
        self._clock = clock
        self._retries = retries or Retries()
        self._attempt_timeout_s = attempt_timeout_s
        self._remotes = {
            model: provider for model, provider in providers.items() if isinstance(provider, Remote)
        }
        self._journal = journal or Journal()
        self._keeper = CallKeeper(self._journal)
        before = self._journal.history.spending
        self.calls = before.calls
        """Logical calls that made a request, those of earlier runs of the project included; one
        that its budget refused is not among them."""
        self.usage = before.usage
        """Tokens billed, all calls."""
        self.cost_of_task = defaultdict(Decimal, before.task_costs)
        """US dollars by task id; planning belongs to no task."""

    async def call(
        self,
        model: str,
        prompt: Prompt,
        *,
        call_type: CallType,
        task: Task | None = None,
        iteration: int = 0,
        fallback_from: str | None = None,
        others: tuple[ModelEntry, ...] = (),
    ) -> Answer:
        """Ask a model, and ask again where that may help.

        Args:
            model: the catalogue's id.
            prompt: what is said; its `max_tokens` is fitted to the model.
            call_type: what it is asked for.
            task: for which task; None while planning.
            iteration: of that task, from 1.
            fallback_from: the model that failed before, where this one stands in for it.
            others: who could serve as well; while none of them can, a model that is left alone
                after failures is waited for.

        Raises:
            ProviderError: no request was answered.
            CircuitOpen: the model keeps failing and is left alone.
            InvalidOutput: the answer is empty or cut off; it is paid all the same.
            BudgetExceeded: the worst case does not fit into what is left.
            TimeExceeded: the run's time is over.
        """
        entry = self._catalogue[model]
        call = Call(
            entry=entry,
            prompt=replace(prompt, max_tokens=entry.output_limit(prompt.max_tokens)),
            call_type=call_type,
            task=task,
            iteration=iteration,
            fallback_from=fallback_from,
            others=others,
            asked_s=self._clock.monotonic(),
        )
        kept = self._keeper.kept(call)
        call.is_retold = kept is not None
        await self._hooks.emit(call.started(self._project_id))
        error_type = None
        try:
            remote = self._remotes.get(entry.id)
            if remote is not None and kept is None:
                await remote.open()  # before the span: an import is no work of the model's,
                call.asked_s = self._clock.monotonic()  # and no wait for its turn
            with self._traced(call) as span:
                self._keeper.looked_up(span, hit=kept is not None)
                if kept is not None:
                    return retold(call, kept, span)
                return call.answer(await self._recorded(call, span))
        except BaseException as error:
            error_type = code_of(error)
            self._keeper.failed(call, error)
            raise
        finally:
            await self._tell(call, error_type)

    def spent_on(self, task_id: str) -> Decimal:
        """Dollars that a task has cost up to where it is now.

        A run that takes the project up passes the same places as the one before it; calls that it
        has not come to yet do not count yet.
        """
        return self.cost_of_task.get(task_id, Decimal(0)) - self._journal.untold(task_id)

    def _traced(self, call: Call) -> TracedBlock:
        entry, prompt = call.entry, call.prompt
        remote = None if call.is_retold else self._remotes.get(entry.id)
        host, port = remote.server if remote else (None, None)
        return traced_llm_call(
            entry.id,
            call.call_type,
            entry.provider,
            entry.wire_name,
            prompt.max_tokens,
            prompt.temperature if remote is None or remote.takes_temperature else None,
            "text" if prompt.schema is None else "json",
            host,
            port,
            call.task.type if call.task else None,
            call.iteration if call.task else None,
            cached=call.is_retold,
        )

    async def _recorded(self, call: Call, span: Span) -> Reply:
        """Have the call answered, and say on the span how that went, however it went."""
        try:
            reply = call.usable(await self._answered(call, span))
            await self._keeper.answered(call, reply)
            return reply
        finally:
            if call.sent_s is None:
                call.ended_s = self._clock.monotonic()
            if span.is_recording():
                span.set_attributes(call.attributes())
                record_content(span, call.prompt, call.reply)

    async def _answered(self, call: Call, span: Span) -> Reply:
        """Make requests until one is answered, or until no other may help."""
        worst = worst_case(call.entry, call.prompt)
        while True:
            self._deadline.check()
            await self._gate.passable(call)
            try:
                async with self._ledger.reserve(worst) as reservation:
                    await self._gate.paced(call)
                    self._deadline.check()
                    if not await self._gate.enter(call, span):
                        continue
                    await self._keeper.asking(call, reservation.worst)
                    reply = await self._attempt(call, reservation)
            except ProviderError as error:
                wait_s = self._wait_s(call, error)
                await self._gate.failed(call, span, error, is_final=wait_s is None)
                if wait_s is None or not self._gate.may_retry(call):
                    raise
                if span.is_recording():
                    span.add_event(spans.EVENT_RETRY, call.retried(error, wait_s))
            else:
                self._gate.answered(call, span)
                return reply
            finally:
                self._gate.leave(call)
            await self._clock.sleep(wait_s)

    def _wait_s(self, call: Call, error: ProviderError) -> float | None:
        """How long to wait before a retry; None: there is none.

        A wait that the run has no time for helps nobody; another model may.
        """
        wait_s = self._retries.wait_s(error, call.attempts)
        return None if wait_s is None or wait_s >= self._deadline.remaining() else wait_s

    async def _attempt(self, call: Call, reservation: Reservation) -> Reply:
        """Make one request; whatever becomes of it, what it cost is settled."""
        timeout_s = min(self._attempt_timeout_s, self._deadline.remaining())
        call.began(self._clock.monotonic())
        self.calls += call.attempts == 1
        outcome = Outcome.UNBILLED

        def departed() -> None:
            nonlocal outcome
            outcome = Outcome.LOST  # until something better is known

        try:
            async with asyncio.timeout(timeout_s):
                call.reply = await self._complete(call, timeout_s, departed)
            outcome = Outcome.LOST if call.reply.usage == Usage() else Outcome.ANSWERED
        except TimeoutError:
            raise self._too_late(call.entry, timeout_s, outcome) from None
        except ProviderError as error:
            outcome = outcome if error.billed else Outcome.UNBILLED
            raise
        finally:
            call.ended_s = self._clock.monotonic()
            self._settle(call, reservation, outcome)
        return call.reply

    async def _complete(self, call: Call, timeout_s: float, departed: Callable[[], None]) -> Reply:
        request = Request(
            model=call.entry.wire_name,
            call_type=call.call_type,
            prompt=call.prompt,
            timeout_s=timeout_s,
        )
        if remote := self._remotes.get(call.entry.id):
            return await remote.complete(request, departed=departed)
        departed()  # there is no way to be lost on, so asking is being asked
        return await self._providers[call.entry.id].complete(request)

    def _settle(self, call: Call, reservation: Reservation, outcome: Outcome) -> None:
        if outcome is Outcome.UNBILLED:
            return
        usage, cost = Usage(), reservation.worst
        if outcome is Outcome.ANSWERED and call.reply is not None:
            usage = call.reply.usage
            cost = cost_of(call.entry, usage)
        # A free model's lost reply is no guess: it cost nothing.
        estimated = outcome is Outcome.LOST and cost > 0
        reservation.settle(cost, estimated=estimated)
        call.bill(usage, reservation.cost, estimated=estimated)
        self.usage += usage
        if call.task is not None:
            self.cost_of_task[call.task.id] += reservation.cost

    def _too_late(
        self, entry: ModelEntry, timeout_s: float, outcome: Outcome
    ) -> ProviderError | TimeExceeded:
        if timeout_s < self._attempt_timeout_s:
            return self._deadline.exceeded()
        is_lost = outcome is Outcome.LOST
        how = "gave no answer" if is_lost else "could not be reached"
        return ProviderError(
            f"Model {entry.id!r} {how} within {timeout_s:g} s.",
            code="timeout",
            retryable=True,
            billed=is_lost,
        )

    async def _tell(self, call: Call, error_type: str | None) -> None:
        """Tell the hooks how the call ended, and what it did to the budget and to its model."""
        await self._gate.tell(call)
        for threshold in self._ledger.passed_thresholds():
            await self._hooks.emit(
                BudgetThresholdPassed(
                    project_id=self._project_id,
                    threshold=threshold,
                    spent_usd=self._ledger.spent,
                )
            )
        await self._hooks.emit(call.completed(self._project_id, error_type))
