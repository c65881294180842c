"""Spans become a forest: parents, order, traces, and what a node says of its span."""

import gc
import random
import threading
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import SpanKind, set_span_in_context

from pytest_otel_spans.tree import Event, Forest, Sighting, Status, grow
from tests.plugin.groves import context, finished, forest, plant

TRACER = TracerProvider().get_tracer("tests", "1.2")


def names(forest: Forest) -> list[str]:
    return [node.name for node in forest.nodes]


def test_children_stand_under_their_parent_in_the_order_of_their_sequence() -> None:
    root = finished("root", context(1, 1), start=30)
    late = finished("late", context(1, 2), context(1, 1), start=10)
    early = finished("early", context(1, 3), context(1, 1), start=20)
    grown = grow([Sighting(late, 7, "T"), Sighting(root, 1, "T"), Sighting(early, 3, "T")])
    assert names(grown) == ["root", "early", "late"]
    assert [child.name for child in grown.roots[0].children] == ["early", "late"]
    assert not grown.ties


def test_without_sequences_the_start_time_decides() -> None:
    root = finished("root", context(1, 1), start=1)
    two = finished("two", context(1, 2), context(1, 1), start=3)
    one = finished("one", context(1, 3), context(1, 1), start=2)
    grown = grow([two, one, root])
    assert names(grown) == ["root", "one", "two"]
    assert not grown.ties


def test_at_equal_start_times_parents_come_first_whatever_the_order_of_arrival() -> None:
    spans = [
        finished("root", context(1, 1)),
        finished("child", context(1, 2), context(1, 1)),
        finished("grandchild", context(1, 3), context(1, 2)),
    ]
    for seed in range(20):
        arrived = random.Random(seed).sample(spans, 3)
        grown = grow(arrived)
        assert names(grown) == ["root", "child", "grandchild"]
        assert not grown.ties


def test_at_equal_start_times_arrival_orders_siblings_and_the_forest_says_so() -> None:
    spans = [
        finished("b", context(1, 2), context(1, 1)),
        finished("a", context(1, 3), context(1, 1)),
        finished("root", context(1, 1)),
    ]
    grown = grow(spans)
    assert names(grown) == ["root", "b", "a"]
    assert grown.ties


def test_roots_that_start_together_are_a_tie() -> None:
    assert grow([finished("a", context(1, 1)), finished("b", context(2, 1))]).ties


@given(st.data())
def test_any_forest_keeps_every_span_once_and_parents_first_at_equal_times(
    data: st.DataObject,
) -> None:
    size = data.draw(st.integers(1, 12))
    parents = [data.draw(st.integers(-1, index - 1)) for index in range(size)]
    spans = [
        finished(str(index), context(1, index + 1), context(1, parent + 1) if parent >= 0 else None)
        for index, parent in enumerate(parents)
    ]
    grown = grow(data.draw(st.permutations(spans)))
    assert sorted(names(grown), key=int) == [str(index) for index in range(size)]
    assert [node.order for node in grown.nodes] == list(range(size))
    for node in grown.nodes:
        assert node.parent is None or node.parent.order < node.order
        assert all(child.parent is node for child in node.children)


def test_traces_are_numbered_by_their_first_start() -> None:
    grown = grow(
        [
            finished("b", context(9, 1), start=2),
            finished("a", context(5, 1), start=1),
            finished("b2", context(9, 2), context(9, 1), start=3),
        ]
    )
    assert [(node.name, node.trace) for node in grown.nodes] == [("a", 1), ("b", 2), ("b2", 2)]


def test_equal_span_ids_in_two_traces_are_two_spans() -> None:
    grown = grow(
        [
            finished("a", context(1, 1), start=1),
            finished("b", context(2, 1), start=2),
            finished("under b", context(2, 2), context(2, 1), start=3),
        ]
    )
    assert [(node.name, node.parent and node.parent.name) for node in grown.nodes] == [
        ("a", None),
        ("b", None),
        ("under b", "b"),
    ]


def test_a_span_whose_parent_was_not_captured_is_a_root_and_an_orphan() -> None:
    grown = grow([finished("lost", context(1, 2), context(1, 1))])
    assert names(grown) == ["lost"]
    assert grown.orphans == grown.roots


def test_a_remote_parent_that_was_not_captured_makes_no_orphan() -> None:
    grown = grow([finished("served", context(1, 2), context(1, 1, remote=True))])
    assert grown.roots[0].remote_parent
    assert grown.orphans == ()


def test_a_remote_parent_that_was_captured_is_the_parent() -> None:
    sent = finished("sent", context(1, 1), start=1)
    served = finished("served", context(1, 2), context(1, 1, remote=True), start=2)
    grown = grow([sent, served])
    assert grown.roots[0].children[0].name == "served"
    assert grown.roots[0].children[0].remote_parent


def test_a_parent_of_id_zero_is_no_parent() -> None:
    grown = grow([finished("root", context(1, 2), context(1, 0))])
    assert (grown.roots[0].name, grown.orphans) == ("root", ())


def test_a_ring_of_parents_becomes_a_tree() -> None:
    spans = [
        finished("a", context(1, 1), context(1, 3)),
        finished("b", context(1, 2), context(1, 1)),
        finished("c", context(1, 3), context(1, 2)),
        finished("own parent", context(1, 4), context(1, 4)),
        finished("hangs on", context(1, 5), context(1, 4)),
    ]
    grown = grow(Sighting(span, number, "T") for number, span in enumerate(spans))
    assert [root.name for root in grown.roots] == ["a", "own parent"]
    assert names(grown) == ["a", "b", "c", "own parent", "hangs on"]
    assert grown.orphans == grown.roots


def test_a_span_given_twice_is_one_node() -> None:
    span = finished("once", context(1, 1))
    assert names(grow([span, span])) == ["once"]


def test_a_span_without_a_context_is_a_root_of_its_own() -> None:
    grown = grow([finished("bare", None), finished("too", None)])
    assert names(grown) == ["bare", "too"]
    assert [node.trace for node in grown.nodes] == [1, 2]


def test_a_node_says_what_its_span_says() -> None:
    link = finished("linked", context(1, 9), start=1)
    span = finished(
        "call",
        context(1, 1),
        start=5,
        attributes={"model": "gpt-4o", "tags": ["a", "b"]},
        error="boom",
        events=[("retry", {"attempt": 2})],
        kind=SpanKind.CLIENT,
        links=[context(1, 9), context(1, 8)],
    )
    node = grow([span, link]).nodes[1]
    assert (node.name, node.kind, node.span) == ("call", "client", span)
    assert (node.start_ns, node.end_ns, node.duration_ns, node.ended) == (5, 15, 10, True)
    assert node["model"] == "gpt-4o"
    assert node.status == Status("error", "boom")
    assert node.events == (Event("retry", {"attempt": 2}),)
    assert [one.target and one.target.name for one in node.links] == ["linked", None]
    assert node.resource["service.name"] == "grove"
    assert (node.thread, node.scope) == (None, None)


def test_a_live_span_is_seen_as_it_was_when_the_forest_grew() -> None:
    with TRACER.start_as_current_span("live", kind=SpanKind.SERVER) as span:
        assert isinstance(span, ReadableSpan)
        span.set_attribute("n", 1)
        grown = grow([Sighting(span, 1, threading.current_thread().name)])
        span.set_attribute("n", 2)
        span.add_event("too late")
    (node,) = grown.unfinished
    assert (node["n"], node.events, node.status.code) == (1, (), "unset")
    assert (node.ended, node.end_ns, node.duration_ns) == (False, None, None)
    assert (node.thread, node.kind) == ("MainThread", "server")
    assert node.scope is not None
    assert tuple(node.scope) == ("tests", "1.2")
    assert "never ended" in repr(node)


def test_children_of_an_unfinished_span_hang_under_it() -> None:
    parent = TRACER.start_span("stream")
    child = TRACER.start_span("chunk", set_span_in_context(parent))
    child.end()
    assert isinstance(parent, ReadableSpan)
    assert isinstance(child, ReadableSpan)
    grown = grow([parent, child])
    assert [node.name for node in grown.roots[0].children] == ["chunk"]
    parent.end()


def test_a_missing_attribute_is_a_key_error_that_names_the_span_and_its_keys() -> None:
    grown = forest(plant("run", plant("task:t1", {"model": "gpt-4o", "n": 1})))
    with pytest.raises(KeyError, match="run/task:t1 has no attribute 'tier'; it has 'model', 'n'"):
        grown.nodes[1]["tier"]
    with pytest.raises(KeyError, match="run has no attribute 'x'; it has none"):
        grown.nodes[0]["x"]


def test_a_path_counts_namesakes_only_where_there_are_several() -> None:
    grown = forest(plant("run", plant("task", plant("llm"), plant("llm")), plant("db")), plant("x"))
    assert [node.path for node in grown.nodes] == [
        "run",
        "run/task",
        "run/task/llm[0]",
        "run/task/llm[1]",
        "run/db",
        "x",
    ]
    assert [root.path for root in forest(plant("x"), plant("x")).roots] == ["x[0]", "x[1]"]


def test_a_chain_of_20_000_spans_grows_reads_and_is_freed() -> None:
    size = 20_000
    grown = grow(
        finished("s", context(1, n + 1), context(1, n) if n else None, start=n) for n in range(size)
    )
    assert len(grown.nodes) == size
    assert len(list(grown.nodes[-1].lineage())) == size
    assert grown.nodes[-1].path.count("/") == size - 1
    gone = weakref.ref(grown.nodes[0].span)
    del grown
    gc.collect()
    assert gone() is None


def test_no_spans_are_an_empty_forest() -> None:
    grown = grow([])
    assert (grown.roots, grown.nodes, grown.orphans, grown.unfinished) == ((), (), (), ())
    assert not grown.ties
