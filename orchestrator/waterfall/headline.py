"""What stands above the tree: how the run ended, and what its time, money and trouble went to."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from orchestrator import spans
from orchestrator.legible import count, line, usd
from orchestrator.models import RunStatus
from orchestrator.waterfall.marks import in_signs, in_words, marks, troubles
from orchestrator.waterfall.story import (
    Blame,
    answered_from_cache,
    blame_for_money,
    blame_for_time,
    calls,
    cost_of,
    detail,
    estimate_of,
    stage,
    task_of,
    title,
    tokens_of,
)
from orchestrator.waterfall.trace import SpanRecord, Trace
from orchestrator.waterfall.words import (
    BAD,
    CRITICAL,
    GOOD,
    QUIET,
    Line,
    Part,
    duration,
    filled,
    length,
    percent,
)

_LABEL: Final = 9
"""Of the column that says what a sentence is about."""
_RUN: Final = "run"


def headline(trace: Trace, width: int) -> list[Line]:
    """The answers, before anybody has to read a tree for them."""
    return [_ending(trace, width), *_answers(trace, width), *_quantities(trace), ()]


def _ending(trace: Trace, width: int) -> Line:
    """Which run it was, how it ended, how long it took, what it cost."""
    root = trace.root
    cost, estimated = _total(trace)
    told = (
        Part(f"  {_status(root)}" if _status(root) else "", _tone(root)),
        Part(f"  {duration(root.duration_ns)}"),
        Part(f"  {usd(cost, estimated)}" if cost else ""),
        Part(_resumption(root), QUIET),
    )
    name = _RUN if root.name == spans.SPAN_RUN_PROJECT else root.name
    known = f"{name} {root.attributes.get(spans.PROJECT_ID, '')}"
    return (Part(line(known, width - length(told)), "bold"), *told)


def _tone(root: SpanRecord) -> str:
    """The style of a status: a run that only went on with less is neither good nor bad."""
    if root.failed:
        return BAD
    return GOOD if _status(root) == RunStatus.SUCCESS.value else CRITICAL


def _resumption(root: SpanRecord) -> str:
    """What the project has cost over all its runs, where this one took up an earlier one."""
    if not root.attributes.get(spans.RESUMED):
        return ""
    in_all = Decimal(repr(root.attributes.get(spans.COST_CUMULATIVE_USD, 0.0)))
    return f"  resumed, {usd(in_all)} in all" if in_all else "  resumed"


def _status(root: SpanRecord) -> str:
    return line(str(root.attributes.get(spans.STATUS, "")))


def _total(trace: Trace) -> tuple[Decimal, Decimal]:
    """Dollars of all calls, and how much of them is estimated."""
    sent = calls(trace)
    return sum(map(cost_of, sent), Decimal(0)), sum(map(estimate_of, sent), Decimal(0))


def _answers(trace: Trace, width: int) -> Iterator[Line]:
    """A sentence each about time, money and trouble, where there is something to say."""
    time, money = blame_for_time(trace), blame_for_money(trace)
    if time is not None:
        yield _sentence("Time", "run", duration(int(time.amount)), (trace, time), width)
    if money is not None:
        cost = usd(money.amount, estimate_of(money.of))
        yield _sentence("Money", "cost", cost, (trace, money), width)
    label = "Trouble"
    for wrong in filled(troubles(trace), width - _LABEL):
        yield (Part(label.ljust(_LABEL), QUIET), Part(wrong, BAD))
        label = ""


def _sentence(label: str, whole: str, amount: str, guilty: tuple[Trace, Blame], width: int) -> Line:
    """``Time     24 % of the run (17 ms) went to …``, in fewer words where the room is short."""
    room = width - _LABEL
    trace, blame = guilty
    share, who = percent(blame.share, 1), _who(trace, blame)
    said = f"{share} of the {whole} ({amount}) went to "
    found = marks(blame.of) if blame.calls == 1 else []
    told = in_words(found)
    if len(said) + len(who) + length(told) > room:
        said, who = f"{share} ({amount}): ", who.replace(spans.SPAN_TASK, "")
    if len(said) + len(who) + length(told) > room:
        told = in_signs(found)
    return (
        Part(label.ljust(_LABEL), QUIET),
        Part(said),
        Part(line(who, room - len(said) - length(told)), CRITICAL),
        *told,
    )


def _who(trace: Trace, blame: Blame) -> str:
    """What it was, and in which task: ``revise #2 by gpt-6 in task:t3``; or whose calls."""
    span, task = blame.of, task_of(trace, blame.of)
    if blame.calls > 1:
        return line(f"{detail(span)}, in {blame.calls:,} calls")
    place = f"in {task.name}" if task is not None and task is not span else ""
    if span.name.startswith(spans.SPAN_LLM_CALL):
        model = f"by {detail(span)}" if detail(span) else ""
        return line(f"{stage(trace, span)} {model} {place}")
    if trace.children(span):
        return line(f"{title(trace, span)} itself, outside its calls {place}")
    return line(f"{title(trace, span)} {detail(span)} {place}")


def _quantities(trace: Trace) -> Iterator[Line]:
    sent = calls(trace)
    tokens_in, tokens_out = tokens_of(sent)
    said = f"{count(len(sent), 'call')}, {tokens_in:,} tokens in, {tokens_out:,} out"
    if cached := answered_from_cache(trace):
        said += f"; {count(cached, 'answer')} from the cache"
    yield (Part(said, QUIET),)
    _, estimated = _total(trace)
    if estimated:
        yield (Part(f"≈ up to {usd(estimated)} estimated: replies that were lost", BAD),)
