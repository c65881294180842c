"""What the plugin costs: capture, forest, match and explanation, beside asserts written by hand."""

import argparse
import gc
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pytest_otel_spans.assertions import SpanTreeMismatch, assert_span_tree
from pytest_otel_spans.capturing.scene import scene
from pytest_otel_spans.capturing.stage import Stage
from pytest_otel_spans.matching.match import match_roots
from pytest_otel_spans.patterns.pattern import SpanPattern, any_order, span
from pytest_otel_spans.tree import Forest, SpanNode, grow

RESULTS = Path(__file__).parent / "results"
SHAPES: dict[str, Callable[[int], int]] = {
    "wide": lambda _: 0,
    "deep": lambda number: number - 1,
    "bushy": lambda number: (number - 1) // 10,
}
"""The number of the parent of each span but the first."""


@dataclass(frozen=True, slots=True)
class Row:
    """CPU seconds for one forest, the least of some rounds."""

    shape: str
    spans: int
    in_memory: float
    capture: float
    forest: float
    match: float
    mismatch: float
    explained: float
    by_hand: float


def best(rounds: int, *works: Callable[[], object]) -> tuple[float, ...]:
    """The least CPU time that each of the works took, done in turns.

    Each starts from as clean a heap; from there on the collector runs as users have it.
    """
    times: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for mine, work in zip(times, works, strict=True):
            gc.collect()
            start = time.process_time()
            result = work()
            mine.append(time.process_time() - start)
            del result
    return tuple(map(min, times))


def make_spans(tracer: trace.Tracer, shape: str, size: int) -> None:
    """Start spans in the shape, and end them children first."""
    made: list[trace.Span] = []
    for number in range(size):
        above = trace.set_span_in_context(made[SHAPES[shape](number)]) if number else None
        attributes: dict[str, Any] = {"model": "gpt-4o", "tokens_in": number, "cost_usd": 0.25}
        made.append(tracer.start_span(f"task:{number % 10}", above, attributes=attributes))
    for one in reversed(made):
        one.end()


def in_memory() -> tuple[trace.Tracer, InMemorySpanExporter]:
    provider, exporter = TracerProvider(shutdown_on_exit=False), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider.get_tracer("benchmark"), exporter


@contextmanager
def captured() -> Iterator[trace.Tracer]:
    with scene("benchmark", Stage()) as one, one.body():
        provider = TracerProvider(shutdown_on_exit=False)
        one.capture.attach(provider)
        yield provider.get_tracer("benchmark")


def capture_once(shape: str, size: int) -> None:
    with captured() as tracer:
        make_spans(tracer, shape, size)


def literal_of(forest: Forest, wrong: SpanNode | None = None) -> SpanPattern:
    """The literal of the only tree, with a wrong value at one node if one is named."""
    made: dict[SpanNode, SpanPattern] = {}
    for node in reversed(forest.nodes):
        attributes = {**node.attributes, **({"tokens_in": -1} if node is wrong else {})}
        made[node] = span(node.name, attributes, *map(made.pop, node.children))
    return made[forest.roots[0]]


@dataclass(slots=True)
class Expected:
    """What a test that is written by hand compares a span with."""

    name: str
    attributes: dict[str, Any]
    children: list["Expected"]


def table_of(forest: Forest) -> Expected:
    made: dict[SpanNode, Expected] = {}
    for node in reversed(forest.nodes):
        children = [made.pop(child) for child in node.children]
        made[node] = Expected(node.name, dict(node.attributes), children)
    return made[forest.roots[0]]


def assert_by_hand(spans: Sequence[ReadableSpan], expected: Expected) -> None:
    """Find each span's children by their parent's id, in start order, and compare them."""
    children: dict[int | None, list[ReadableSpan]] = {}
    for one in spans:
        children.setdefault(one.parent.span_id if one.parent else None, []).append(one)
    for some in children.values():
        some.sort(key=lambda one: one.start_time or 0)
    (root,) = children[None]
    agenda = [(root, expected)]
    while agenda:
        one, wanted = agenda.pop()
        assert one.name == wanted.name
        for key, value in wanted.attributes.items():
            assert (one.attributes or {})[key] == value
        context = one.get_span_context()
        assert context is not None
        below = children.get(context.span_id, [])
        assert len(below) == len(wanted.children)
        agenda += zip(below, wanted.children, strict=True)


def explain(spans: Sequence[ReadableSpan], wrong: SpanPattern) -> None:
    try:
        assert_span_tree(spans, wrong)
    except SpanTreeMismatch:
        return
    raise AssertionError("the literal with a wrong value matched")


def measure(shape: str, size: int, rounds: int) -> Row:
    tracer, exporter = in_memory()
    make_spans(tracer, shape, size)
    spans = exporter.get_finished_spans()
    forest = grow(spans)
    leaf = forest.nodes[-1 - size // 20]
    right, wrong, table = literal_of(forest), literal_of(forest, leaf), table_of(forest)
    assert match_roots(forest, [right]).holds
    assert not match_roots(forest, [wrong]).holds
    recorded, captured = best(
        max(rounds, 7),
        lambda: make_spans(in_memory()[0], shape, size),
        lambda: capture_once(shape, size),
    )
    figures = best(
        rounds,
        lambda: grow(spans),
        lambda: match_roots(forest, [right]),
        lambda: match_roots(forest, [wrong]),
        lambda: explain(spans, wrong),
        lambda: assert_by_hand(spans, table),
    )
    return Row(shape, size, recorded, captured, *figures)


def equal_wildcards(size: int, rounds: int) -> float:
    """CPU seconds to match as many equal wildcards as there are siblings, in any order."""
    tracer, exporter = in_memory()
    make_spans(tracer, "wide", size + 1)
    forest = grow(exporter.get_finished_spans())

    def work() -> None:
        assert match_roots(forest, [span("*", any_order(*[span("*") for _ in range(size)]))]).holds

    return best(rounds, work)[0]


def report(rows: list[Row], wildcards: float) -> None:
    print("CPU seconds; in brackets the ratio that is promised")
    print(
        f"{'shape':6}{'spans':>8}{'in memory':>11}{'capture (≤ 1.1)':>17}{'forest':>9}"
        f"{'match (≤ 2 x forest)':>22}{'mismatch':>10}{'explained':>11}{'by hand':>9}"
    )
    for row in rows:
        print(
            f"{row.shape:6}{row.spans:>8}{row.in_memory:>11.3f}"
            f"{row.capture:>10.3f} ({row.capture / row.in_memory:4.2f}){row.forest:>9.3f}"
            f"{row.match:>15.3f} ({row.match / row.forest:4.2f}){row.mismatch:>10.3f}"
            f"{row.explained:>11.3f}{row.by_hand:>9.3f}"
        )
    print(f"3,000 equal wildcards over 3,000 siblings in any order (≤ 1): {wildcards:.3f}")
    RESULTS.mkdir(exist_ok=True)
    figures = {"unit": "s", "rows": list(map(asdict, rows)), "equal_wildcards": wildcards}
    text = json.dumps(figures, indent=2)
    (RESULTS / "span_matching.json").write_text(f"{text}\n", encoding="utf-8")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--largest", type=int, default=100_000, help="the largest forest")
    largest = options.parse_args().largest
    rows = [
        measure(shape, size, rounds=max(3, 20_000 // size))
        for size in (1_000, 10_000, 100_000)
        if size <= largest
        for shape in SHAPES
    ]
    report(rows, equal_wildcards(3_000, rounds=3))


if __name__ == "__main__":
    main()
