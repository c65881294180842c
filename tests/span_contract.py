"""Holds the spans of finished runs against the schema.

docs/spans.yaml says what a registry can: names, parents, kinds, keys, types, events. The rest is
here: content that nobody opted in to, and that status, outcome, links and sums tell one story.
"""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

from orchestrator import spans as names
from orchestrator.spans.schema import SCHEMA, spec_of
from orchestrator.spans.spec import SpanSpec
from pytest_otel_spans import OtlpCapture, SpanCapture, SpanNode

REGISTRY: Final = Path(__file__).parent.parent / "docs" / "spans.yaml"


class _Ends(NamedTuple):
    """Where a span says how it ended, and what it says of an end that is no failure."""

    key: str
    good: frozenset[str]


_GOOD_ENDS = {
    names.SPAN_RUN_PROJECT: _Ends(names.STATUS, frozenset({"SUCCESS", "COMPLETED_DEGRADED"})),
    names.SPAN_TASK: _Ends(names.TASK_STATUS, frozenset({"completed", "degraded", "skipped"})),
}
_CONTENT = {key.name for spec in SCHEMA for key in spec.keys if key.opt_in}


def keeps_its_promises(spans: SpanCapture | OtlpCapture) -> bool:
    """Check that every span of finished runs is what the schema says.

    Raises:
        AssertionError: One is not, or there is none.
    """
    __tracebackhide__ = True
    spans.conforms_to(REGISTRY)
    broken = broken_promises(spans)
    assert not broken, "\n".join(broken)
    return True


def broken_promises(spans: SpanCapture | OtlpCapture) -> list[str]:
    """What is wrong beside what the registry can say."""
    nodes = spans.forest.nodes
    found = [f"{node.path}: {problem}" for node in nodes for problem in _problems(node)]
    return [*found, *_sums(nodes)]


def _problems(node: SpanNode) -> Iterator[str]:
    if (spec := spec_of(node.name)) is None:
        return
    for attributes in (node.attributes, *(event.attributes for event in node.events)):
        for key in sorted(_CONTENT & attributes.keys()):
            yield f"{key} is content, and nobody opted in"
    if sum(event.name == names.EVENT_EXCEPTION for event in node.events) > 1:
        yield "recorded more than one exception"
    kinds = {link.kind for link in spec.links}
    for link in node.links:
        if link.attributes.get(names.LINK_KIND) not in kinds:
            yield f"has a link with {dict(link.attributes)}"
    yield from _status(node)
    yield from _outcome(node, spec)


def _status(node: SpanNode) -> Iterator[str]:
    failed = node.status.code == "error"
    if failed != (names.ERROR_TYPE in node.attributes):
        yield "its status and its error.type do not agree"
    if failed and not node.status.description:
        yield "it failed without a word"
    if node.status.code == "ok":
        yield "its status is OK, which no later failure can correct"


def _outcome(node: SpanNode, spec: SpanSpec) -> Iterator[str]:
    """What a span says came of the work, and its status, tell one story.

    A span that ended well and never said what came of it still holds what the schema says of work
    that broke off, which is a failure.
    """
    failed = node.status.code == "error"
    ends = _GOOD_ENDS.get(spec.name)
    if ends is not None and (node.attributes.get(ends.key) in ends.good) is failed:
        yield f"its status is {node.status.code}, and it says {node.attributes.get(ends.key)!r}"
    if spec.name == names.SPAN_LLM_CALL and not failed:
        answered = names.GEN_AI_RESPONSE_FINISH_REASONS in node.attributes
        if not (answered or node.attributes.get(names.CACHE_HIT)):
            yield "it ended well without an answer"


def _sums(nodes: tuple[SpanNode, ...]) -> Iterator[str]:
    """What the root says of all calls is what the calls of its trace say together."""
    for root in nodes:
        if root.name != names.SPAN_RUN_PROJECT:
            continue
        calls = [
            node
            for node in nodes
            if node.trace == root.trace and node.name.startswith(names.SPAN_LLM_CALL)
        ]
        costs = sum((_dollars(call, names.COST_USD) for call in calls), Decimal(0))
        total = _dollars(root, names.TOTAL_COST_USD)
        if costs != total:
            yield f"{root.name}: {names.TOTAL_COST_USD} is {total}, and the calls cost {costs}"
        for key, counted in (
            (names.LLM_CALLS, sum(_number(call, names.LLM_ATTEMPTS) > 0 for call in calls)),
            (names.USAGE_INPUT_TOKENS, sum(_number(call, names.TOKENS_IN) for call in calls)),
            (names.USAGE_OUTPUT_TOKENS, sum(_number(call, names.TOKENS_OUT) for call in calls)),
        ):
            if root[key] != counted:
                yield f"{root.name}: {key} is {root[key]}, and the calls say {counted}"


def _number(node: SpanNode, key: str) -> int:
    """What a span counts; one of another type is the registry's to find."""
    value = node.attributes.get(key, 0)
    return value if isinstance(value, int) else 0


def _dollars(node: SpanNode, key: str) -> Decimal:
    return Decimal(repr(node[key]))
