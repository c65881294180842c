"""Holds exported spans against the schema: names, parents, kinds, keys, types, events, links."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from orchestrator import spans as names
from orchestrator.spans.schema import EXCEPTION, spec_of
from orchestrator.spans.spec import Key, SpanSpec


class _Ends(NamedTuple):
    """Where a span says how it ended, and what it says of an end that is no failure."""

    key: str
    good: frozenset[str]


_GOOD_ENDS = {
    names.SPAN_RUN_PROJECT: _Ends(names.STATUS, frozenset({"SUCCESS", "COMPLETED_DEGRADED"})),
    names.SPAN_TASK: _Ends(names.TASK_STATUS, frozenset({"completed", "degraded", "skipped"})),
}
_TYPES = {"str": str, "int": int, "float": float, "bool": bool}


def broken_promises(spans: Sequence[ReadableSpan]) -> list[str]:
    """Every way in which the spans of finished runs are not what the schema says."""
    by_id = {span.context.span_id: span for span in spans}
    found = [f"{span.name}: {problem}" for span in spans for problem in _problems(span, by_id)]
    return [*found, *_sums(spans)]


def _problems(span: ReadableSpan, by_id: Mapping[int, ReadableSpan]) -> Iterator[str]:
    spec = spec_of(span.name)
    if spec is None:
        yield "no such span in the schema"
        return
    parent = by_id.get(span.parent.span_id) if span.parent else None
    parent_spec = spec_of(parent.name) if parent else None
    if parent_spec is not None and parent_spec.name not in spec.parents:
        yield f"hangs under {parent_spec.name}"
    if parent is None and spec.parents:
        yield "is a root"
    if span.kind.name not in spec.kinds:
        yield f"is of kind {span.kind.name}"
    yield from _keys(span.attributes or {}, spec.keys)
    yield from _events(span, spec)
    yield from _links(span, spec)
    yield from _status(span)
    yield from _outcome(span, spec)


def _keys(attributes: Mapping[str, Any], keys: Iterable[Key]) -> Iterator[str]:
    known = {key.name: key for key in keys}
    for name, value in attributes.items():
        key = known.get(name)
        if key is None:
            yield f"{name} is not in the schema"
        elif key.opt_in:
            yield f"{name} is content, and nobody opted in"
        elif not _has_type(value, key.type):
            yield f"{name} is {value!r}, not {key.type}"
        elif key.value not in (None, value):
            yield f"{name} is {value!r}, not {key.value!r}"
    for key in known.values():
        if not (key.condition or key.opt_in or key.name in attributes):
            yield f"{key.name} is missing"


def _has_type(value: object, named: str) -> bool:
    if named == "str[]":
        return isinstance(value, tuple) and all(type(each) is str for each in value)
    return type(value) is _TYPES[named]


def _events(span: ReadableSpan, spec: SpanSpec) -> Iterator[str]:
    known = {event.name: event for event in (*spec.events, EXCEPTION)}
    for event in span.events:
        if event.name not in known:
            yield f"has an event {event.name}"
            continue
        for problem in _keys(event.attributes or {}, known[event.name].keys):
            yield f"event {event.name}: {problem}"
    if Counter(event.name for event in span.events)[names.EVENT_EXCEPTION] > 1:
        yield "recorded more than one exception"


def _links(span: ReadableSpan, spec: SpanSpec) -> Iterator[str]:
    kinds = {link.kind for link in spec.links}
    for link in span.links:
        if dict(link.attributes or {}).get(names.LINK_KIND) not in kinds:
            yield f"has a link with {dict(link.attributes or {})}"


def _status(span: ReadableSpan) -> Iterator[str]:
    failed = span.status.status_code is StatusCode.ERROR
    if failed != (names.ERROR_TYPE in (span.attributes or {})):
        yield "its status and its error.type do not agree"
    if failed and not span.status.description:
        yield "it failed without a word"
    if span.status.status_code is StatusCode.OK:
        yield "its status is OK, which no later failure can correct"


def _outcome(span: ReadableSpan, spec: SpanSpec) -> Iterator[str]:
    """What a span says came of the work, and its status, tell one story.

    A span that ended well and never said what came of it still holds what the schema says of work
    that broke off, which is a failure.
    """
    attributes = span.attributes or {}
    failed = span.status.status_code is StatusCode.ERROR
    ends = _GOOD_ENDS.get(spec.name)
    if ends is not None and (attributes.get(ends.key) in ends.good) is failed:
        code = span.status.status_code.name
        yield f"its status is {code}, and it says {attributes.get(ends.key)!r}"
    if spec.name == names.SPAN_LLM_CALL and not failed:
        answered = names.GEN_AI_RESPONSE_FINISH_REASONS in attributes
        if not (answered or attributes.get(names.CACHE_HIT)):
            yield "it ended well without an answer"


def _sums(spans: Sequence[ReadableSpan]) -> Iterator[str]:
    """The root's total is the exact sum of what the calls of its trace cost."""
    for root in spans:
        if root.name != names.SPAN_RUN_PROJECT:
            continue
        costs = [
            _dollars(span, names.COST_USD)
            for span in spans
            if span.context.trace_id == root.context.trace_id
            and span.name.startswith(names.SPAN_LLM_CALL)
        ]
        total = _dollars(root, names.TOTAL_COST_USD)
        if sum(costs, Decimal(0)) != total:
            yield f"{root.name}: {names.TOTAL_COST_USD} is {total}, and the calls cost {sum(costs)}"


def _dollars(span: ReadableSpan, key: str) -> Decimal:
    return Decimal(repr((span.attributes or {})[key]))
