"""What a trace has to say: who is to blame, the slowest and the dearest calls, and by what name."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from orchestrator import spans
from orchestrator.waterfall.marks import marks
from orchestrator.waterfall.trace import SpanRecord, Trace

TOP: Final = 5
_ONE_TO_BLAME: Final = Decimal("0.05")
"""The least share of time or money for which one call is named; below it, a model is."""
_CHECKS: Final = frozenset({spans.SPAN_POLICY_CHECK, spans.SPAN_VALIDATION})


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    """The one call or step that most of something went to, or a model where no one call did."""

    of: SpanRecord
    """The span; of a model, the call that took most."""
    amount: Decimal
    """Nanoseconds, or dollars."""
    share: Decimal
    """Of all, 0 to 1."""
    calls: int = 1
    """How many calls it sums up, all of the same model."""


def calls(trace: Trace) -> list[SpanRecord]:
    """Every model call for which a request was made."""
    return [
        span
        for span in trace.spans
        if span.name.startswith(spans.SPAN_LLM_CALL) and span.attributes.get(spans.LLM_ATTEMPTS, 1)
    ]


def answered_from_cache(trace: Trace) -> int:
    """How many calls our own cache or journal answered."""
    return sum(bool(span.attributes.get(spans.CACHE_HIT)) for span in trace.spans)


def tokens_of(of: Iterable[SpanRecord]) -> tuple[int, int]:
    """Tokens sent and received."""
    counts = [
        (each.attributes.get(spans.TOKENS_IN, 0), each.attributes.get(spans.TOKENS_OUT, 0))
        for each in of
    ]
    return sum(sent for sent, _ in counts), sum(received for _, received in counts)


def cost_of(span: SpanRecord) -> Decimal:
    """Dollars of one call."""
    return Decimal(repr(span.attributes.get(spans.COST_USD, 0.0)))


def estimate_of(span: SpanRecord) -> Decimal:
    """Dollars of a call some reply of which was lost: up to so much nobody has confirmed."""
    return cost_of(span) if span.attributes.get(spans.COST_ESTIMATED) else Decimal(0)


def slowest(trace: Trace) -> list[SpanRecord]:
    """The calls that took longest, longest first."""
    return sorted(calls(trace), key=lambda span: span.duration_ns, reverse=True)[:TOP]


def dearest(trace: Trace) -> list[SpanRecord]:
    """The calls that cost most, dearest first; calls that cost nothing are not among them."""
    return sorted(filter(cost_of, calls(trace)), key=cost_of, reverse=True)[:TOP]


def blame_for_time(trace: Trace) -> Blame | None:
    """What the run waited for longest on its critical path, or None for a run without length."""
    held: dict[int, Decimal] = {}
    for segment in trace.critical_path:
        length_ns = segment.end_ns - segment.start_ns
        held[segment.span.id] = held.get(segment.span.id, Decimal(0)) + length_ns
    known = {span.id: span for span in trace.spans}
    return _most([(known[span_id], length_ns) for span_id, length_ns in held.items()])


def blame_for_money(trace: Trace) -> Blame | None:
    """What cost most, or None for a run that cost nothing."""
    return _most([(span, cost_of(span)) for span in calls(trace) if cost_of(span)])


def _most(amounts: Sequence[tuple[SpanRecord, Decimal]]) -> Blame | None:
    total = sum((amount for _, amount in amounts), Decimal(0))
    if not total:
        return None
    worst, most = max(amounts, key=lambda each: each[1])
    alone = Blame(of=worst, amount=most, share=most / total)
    by_model: dict[str, list[tuple[SpanRecord, Decimal]]] = {}
    for span, amount in amounts:
        if spans.MODEL in span.attributes:
            by_model.setdefault(detail(span), []).append((span, amount))
    its = max(by_model.values(), key=_sum, default=[])
    if alone.share >= _ONE_TO_BLAME or _sum(its) <= most:
        return alone
    of = max(its, key=lambda each: each[1])[0]
    return Blame(of=of, amount=_sum(its), share=_sum(its) / total, calls=len(its))


def _sum(amounts: Sequence[tuple[SpanRecord, Decimal]]) -> Decimal:
    return sum((amount for _, amount in amounts), Decimal(0))


def detail(span: SpanRecord) -> str:
    """What tells this span from others of its name."""
    for key in (spans.MODEL, spans.TASK_TYPE, spans.STRATEGY, spans.VALIDATOR):
        if key in span.attributes:
            return str(span.attributes[key])
    return ""


def title(trace: Trace, span: SpanRecord) -> str:
    """Its name, with the iteration where its task has more than one: ``llm_call:revise #2``."""
    iteration = span.attributes.get(spans.CALL_ITERATION)
    if iteration is None or not _is_iterated(trace, span):
        return span.name
    return f"{span.name} #{iteration}"


def stage(trace: Trace, call: SpanRecord) -> str:
    """What a call was for: ``revise #2``."""
    return title(trace, call).removeprefix(spans.SPAN_LLM_CALL)


def task_of(trace: Trace, span: SpanRecord) -> SpanRecord | None:
    """The task that it is, or is part of."""
    return next(
        (each for each in trace.ancestors(span) if each.name.startswith(spans.SPAN_TASK)), None
    )


def _is_iterated(trace: Trace, call: SpanRecord) -> bool:
    task = task_of(trace, call) or call
    return any(each.attributes.get(spans.CALL_ITERATION, 1) > 1 for each in trace.under(task))


def where(trace: Trace, span: SpanRecord) -> str:
    """The way to a span from below the root, such as ``task:t1 / llm_call:generate``."""
    way = [title(trace, each) for each in trace.ancestors(span) if each is not trace.root]
    return " / ".join(reversed(way)) or span.name


def brief(place: str) -> str:
    """The same in few characters: ``t1 / generate``."""
    return place.replace(spans.SPAN_TASK, "").replace(spans.SPAN_LLM_CALL, "")


def uneventful(trace: Trace) -> list[SpanRecord]:
    """The checks that found nothing and took no time worth a line: under 1 % of the run."""
    return [
        span
        for span in trace.spans
        if span.name in _CHECKS
        if not (marks(span) or trace.children(span))
        if span.duration_ns * 100 < trace.root.duration_ns
    ]


def most_interesting_first(trace: Trace) -> Sequence[SpanRecord]:
    """All spans in the order in which they deserve one of few lines."""
    blamed = {blame.of.id for blame in (blame_for_time(trace), blame_for_money(trace)) if blame}
    critical = {segment.span.id for segment in trace.critical_path}
    top = {span.id for span in (*slowest(trace), *dearest(trace))}

    def rank(span: SpanRecord) -> tuple[bool, bool, bool, bool, int]:
        return (
            span.id not in blamed,
            span.id not in top,
            not marks(span),
            span.id not in critical,
            -span.duration_ns,
        )

    return sorted(trace.spans, key=rank)
