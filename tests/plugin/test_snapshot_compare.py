"""Comparing spans with a snapshot, and bringing it up to date: trees, not lines."""

import difflib
import json
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, Tracer

from pytest_otel_spans.snapshots.lock import Terms, Told
from pytest_otel_spans.snapshots.masks import Masks
from pytest_otel_spans.snapshots.parse import parse_rows
from pytest_otel_spans.sources import source_of

Work = Callable[[Tracer], None]


def told(work: Work, *, mask: dict[str, type] | None = None, unordered: Sequence[str] = ()) -> Told:
    provider, exporter = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    work(provider.get_tracer("app"))
    terms = Terms(masks=Masks(typed=mask or {}), unordered=tuple(unordered))
    return Told(source_of(exporter), terms)


def written(work: Work, **terms: Any) -> str:
    return told(work, **terms).text()


def holds(text: str, work: Work, **terms: Any) -> bool:
    return told(work, **terms).agrees_with(parse_rows(text))


def updated(text: str, work: Work, **terms: Any) -> str:
    """Bring a text up to date with spans that it disagrees with."""
    spans = told(work, **terms)
    assert not spans.agrees_with(parse_rows(text))
    new = spans.text()
    assert spans.agrees_with(parse_rows(new))
    return new


def one(attributes: dict[str, Any] | None = None, name: str = "a", **facts: Any) -> Work:
    def work(tracer: Tracer) -> None:
        tracer.start_span(name, attributes=attributes, **facts).end()

    return work


def changed(before: str, after: str) -> list[str]:
    """Return the lines that a reviewer sees: those removed and those added."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in list(lines)[2:] if not line.startswith("@@")]


RUN = "550e8400-e29b-41d4-a716-446655440000"


# What is written


def test_a_snapshot_is_text_that_a_person_reads() -> None:
    def work(tracer: Tracer) -> None:
        with tracer.start_as_current_span("run_project", attributes={"run.id": RUN}) as run:
            with tracer.start_as_current_span("task:t1", attributes={"task_type": "code"}) as task:
                task.add_event("retry", {"attempt": 1, "run": RUN})
                call = tracer.start_span("llm_call", kind=SpanKind.CLIENT)
                call.set_attributes({"model": "gpt-4o", "latency_ms": 1.5})
                call.record_exception(ConnectionError("slow down"))
                call.end()
                links = [Link(call.get_span_context(), {"why": "retry"})]
                tracer.start_span("llm_call", kind=SpanKind.CLIENT, links=links).end()
            run.set_status(Status(StatusCode.ERROR, "boom"))

    assert written(work) == (
        "# spans v1\n"
        'run_project  [error "boom"]\n'
        "    run.id = <uuid:1>\n"
        "  task:t1\n"
        '      task_type = "code"\n'
        "      ! retry\n"
        "          attempt = 1\n"
        "          run = <uuid:1>\n"
        "    llm_call  (client)\n"
        "        latency_ms = <float>\n"
        '        model = "gpt-4o"\n'
        '        ! exception ConnectionError: "slow down"\n'
        "    llm_call  (client)\n"
        "        ~> run_project/task:t1/llm_call[0]\n"
        '            why = "retry"\n'
    )


def test_what_says_nothing_of_what_happened_is_left_out() -> None:
    def work(tracer: Tracer) -> None:
        with suppress(IndexError), tracer.start_as_current_span("a"):
            [].pop()

    assert written(work).splitlines()[1:] == [
        'a  [error "IndexError: pop from empty list"]',
        '    ! exception IndexError: "pop from empty list"',
    ]


def test_json_in_a_text_is_readable_and_known_by_what_it_says() -> None:
    text = written(one({"body": json.dumps({"b": [1, RUN], "a": "x"}), "no": "{not json"}))

    assert '    body = json {"a": "x", "b": [1, <uuid:1>]}\n    no = "{not json"\n' in text
    tight = json.dumps({"a": "x", "b": [1, RUN]}, separators=(",", ":"))
    assert holds(text, one({"body": tight, "no": "{not json"}))
    assert not holds(text, one({"body": tight.replace("1", "2", 1), "no": "{not json"}))


@pytest.mark.parametrize("lossy", ['{"a": 1, "a": 2}', "[NaN]", "[1e999]", "[" * 99 + "]" * 99])
def test_json_that_would_lose_something_stays_a_text(lossy: str) -> None:
    text = written(one({"body": lossy}))

    assert f"body = {json.dumps(lossy)}" in text
    assert holds(text, one({"body": lossy}))


def test_a_step_of_a_path_is_not_taken_for_two() -> None:
    def work(tracer: Tracer) -> None:
        with tracer.start_as_current_span("GET /users") as above:
            links = [Link(above.get_span_context())]
            with tracer.start_as_current_span("db[1]", links=links) as db:
                tracer.start_span("x", links=[Link(db.get_span_context())]).end()

    text = written(work)

    assert r"~> GET \/users" in text
    assert r"~> GET \/users/db\[1]" in text


def test_a_link_out_of_the_capture_says_so() -> None:
    elsewhere = TracerProvider().get_tracer("x").start_span("far").get_span_context()

    assert '~> "(not captured)"' in written(one(links=[Link(elsewhere)]))


# What is masked


@pytest.mark.parametrize(
    ("value", "mask"),
    [
        (RUN, "<uuid:1>"),
        (RUN.upper(), "<uuid:1>"),
        (f"task_{RUN}", '"task_<uuid:1>"'),
        ("0af7651916cd43dd8448eb211c80319c", "<hex:1>"),
        ("<X object at 0x7f3d2c1b0a90>", '"<X object at <hex:1>>"'),
        ("2026-11-22T11:30:48.123456+00:00", "<time>"),
        ("at 2026-11-22 11:30:48, twice", '"at <time>, twice"'),
        (1_700_000_000.25, "<float>"),
        (1_700_000_000_000, "<int>"),
        ([RUN, "b", RUN], '[<uuid:1>, "b", <uuid:1>]'),
        ("deadbeef", '"deadbeef"'),
        ("abcdefabcdefabcdef", '"abcdefabcdefabcdef"'),
        (4096, "4096"),
    ],
)
def test_what_changes_from_run_to_run_is_masked(value: Any, mask: str) -> None:
    text = written(one({"x": value}))

    assert text == f"# spans v1\na\n    x = {mask}\n"
    assert holds(text, one({"x": value}))


@pytest.mark.parametrize("key", ["latency_ms", "wait_ns", "http.duration", "duration"])
def test_what_a_clock_measures_is_masked_by_its_key(key: str) -> None:
    text = written(one({key: 12}))

    assert f"{key} = <int>" in text
    assert holds(text, one({key: 13}))
    assert not holds(text, one({key: 13.5}))
    assert not holds(text, one())


def test_names_and_messages_are_masked_too() -> None:
    def work(run: str) -> Work:
        def open_spans(tracer: Tracer) -> None:
            span = tracer.start_span(f"run {run}", attributes={"id": run})
            span.set_status(Status(StatusCode.ERROR, f"{run} failed"))
            span.end()

        return open_spans

    text = written(work(RUN))

    assert 'run <uuid:1>  [error "<uuid:1> failed"]\n    id = <uuid:1>' in text
    assert holds(text, work(str(uuid.uuid4())))


def test_a_mask_says_which_type_a_value_must_have() -> None:
    mask = {"*.response.id": str, "retry_*": float}
    text = written(one({"gen_ai.response.id": "resp-1", "retry_s": 0.5}), mask=mask)

    assert "gen_ai.response.id = <str>\n    retry_s = <float>\n" in text
    assert holds(text, one({"gen_ai.response.id": "resp-2", "retry_s": 9.0}), mask=mask)
    with pytest.raises(AssertionError, match=r"^a: retry_s = 1, which mask=\{'retry_\*': float\}"):
        told(one({"gen_ai.response.id": "resp-2", "retry_s": 1}), mask=mask)


def test_a_mask_that_is_given_later_holds_at_once_and_is_written_with_the_next_update() -> None:
    before = written(one({"km": 12.5, "plan": '{"id": 7}', "legs": [1, 2], "who": RUN}))
    mask = {"km": float, "plan.id": int, "legs": int, "who": str}
    later = {"km": 13.0, "plan": '{"id": 8}', "legs": [3, 4], "who": "somebody"}

    assert not holds(before, one(later))
    assert holds(before, one(later), mask=mask)
    assert not holds(before, one(later | {"legs": [3]}), mask=mask)
    assert updated(before, one(later | {"kg": 2}), mask=mask).splitlines()[2:] == [
        "    kg = 2",
        "    km = <float>",
        "    legs = [<int>, <int>]",
        '    plan = json {"id": <int>}',
        "    who = <str>",
    ]


def test_what_a_hand_typed_says_more_than_a_mask() -> None:
    text = '# spans v1\na\n    gone = <absent>\n    id = <re:^r>\n    note = "leg <any>"\n'
    mask = {"*": str}

    assert holds(text, one({"id": "r2", "note": "leg 2"}), mask=mask)
    assert not holds(text, one({"id": "q2", "note": "leg 2"}), mask=mask)
    assert not holds(text, one({"id": "r2", "note": "way 2"}), mask=mask)
    assert not holds(text, one({"id": "r2", "note": "leg 2", "gone": "x"}), mask=mask)


def test_a_mask_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^mask=\{'x': 'str'\} gives no key and type: .* str$"):
        Masks(typed={"x": "str"})  # type: ignore[dict-item]  # the mistake to be refused


# What masks keep


def test_one_id_has_one_label_wherever_it_stands() -> None:
    def work(first: str, second: str) -> Work:
        def open_spans(tracer: Tracer) -> None:
            with tracer.start_as_current_span("a", attributes={"id": first}):
                tracer.start_span("b", attributes={"id": second}).end()

        return open_spans

    same = written(work(RUN, RUN))
    different = written(work(RUN, str(uuid.uuid4())))

    assert same.count("<uuid:1>") == 2
    assert holds(same, work("1" + RUN[1:], "1" + RUN[1:]))
    assert not holds(same, work(RUN, str(uuid.uuid4())))
    assert "<uuid:2>" in different
    assert not holds(different, work(RUN, RUN))


def test_a_run_id_that_differs_in_one_place_is_shown_beside_the_usual_one() -> None:
    spans = told(_family([RUN, RUN, "1" + RUN[1:]]))

    assert not spans.agrees_with(parse_rows(written(_family([RUN] * 3))))
    explanation = spans.explanation()

    assert f"- <uuid:1>, elsewhere '{RUN}'" in explanation
    assert f"+ '1{RUN[1:]}'" in explanation


def test_an_update_keeps_the_labels_that_stand_and_counts_on() -> None:
    before = written(_family([RUN, RUN, "1" + RUN[1:]]))

    after = updated(before, _family([RUN, RUN, "2" + RUN[1:], RUN, "3" + RUN[1:]]))

    assert changed(before, after) == [
        "+  child",
        "+      id = <uuid:1>",
        "+  child",
        "+      id = <uuid:3>",
    ]


def _family(ids: Sequence[str]) -> Work:
    def open_spans(tracer: Tracer) -> None:
        with tracer.start_as_current_span("parent"):
            for identity in ids:
                tracer.start_span("child", attributes={"id": identity}).end()

    return open_spans


# What a hand may type


@pytest.mark.parametrize(
    ("typed", "good", "bad"),
    [
        ("<any>", [1, "x", True], []),
        ("<int>", [1, 2], [True, 1.0, "1"]),
        ("<float>", [1.5], [1]),
        ("<str>", ["x", RUN], [1]),
        ("<bool>", [True, False], [1]),
        ("<re:^gpt-4>", ["gpt-4o", "gpt-4"], ["o gpt-4", 4]),
        ("<re:^[0-9a-f-]{36}$>", [RUN], ["x"]),
        ("[<int>, 2]", [(7, 2)], [(7, 3), (7,), 7]),
        ('json {"n": <int>}', ['{"n": 1}'], ['{"n": 1, "m": 2}', '{"n": "1"}', "n"]),
        ('"<any>"', ["x", "", "a\nb"], [1]),
        ('"id <any>: <any>!"', ["id 7: x!", "id : !"], ["id 7 x!", "an id 7: x!", 7]),
        ('"<any> of <uuid:1>"', [f"x of {RUN}"], [f"x of {RUN[1:]}"]),
        (r'"a \u003cany> b"', ["a <any> b"], ["a x b"]),
        (f'"{RUN}"', [RUN], ["1" + RUN[1:]]),
    ],
)
def test_a_wildcard_typed_by_hand_holds(typed: str, good: list[Any], bad: list[Any]) -> None:
    text = f"# spans v1\na\n    x = {typed}\n"

    assert all(holds(text, one({"x": value})) for value in good)
    assert not any(holds(text, one({"x": value})) for value in bad)
    assert not holds(text, one())


def test_absent_typed_by_hand_forbids_a_key_and_stands_when_others_change() -> None:
    text = "# spans v1\na\n    x = <absent>\n    y = 1\n"

    assert holds(text, one({"y": 1}))
    assert not holds(text, one({"x": None, "y": 1}, "b"))
    assert changed(text, updated(text, one({"y": 2}))) == ["-    y = 1", "+    y = 2"]
    assert changed(text, updated(text, one({"x": 3, "y": 1}))) == [
        "-    x = <absent>",
        "+    x = 3",
    ]


def test_names_events_and_descriptions_may_be_wild() -> None:
    def work(tracer: Tracer) -> None:
        span = tracer.start_span("task:t7")
        span.add_event("retry 3", {"n": 3})
        span.record_exception(KeyError("k"))
        span.set_status(Status(StatusCode.ERROR, "gave up after 3"))
        span.end()

    text = (
        "# spans v1\n<re:^task:>  [error <re:gave up>]\n"
        "    ! <re:^retry>\n        n = <int>\n    ! exception <any>: <str>\n"
    )

    assert holds(text, work)
    assert not holds(text.replace("^task", "^run"), work)
    assert not holds(text.replace("^retry", "^try"), work)
    assert not holds(text.replace("gave up", "won"), work)


def test_a_part_of_a_name_may_be_anything_and_stays_so() -> None:
    text = "# spans v1\ntask <any>\n    x = 1\n"

    assert holds(text, one({"x": 1}, "task 7"))
    assert not holds(text, one({"x": 1}, "tusk 7"))
    assert changed(text, updated(text, one({"x": 2}, "task 8"))) == ["-    x = 1", "+    x = 2"]


def test_wildcards_survive_an_update_where_their_span_still_stands() -> None:
    text = written(_story()).replace('model = "gpt-4o"', "model = <any>", 1)
    text = text.replace("tokens = 0", "tokens = <int>", 1).replace("call:2\n", "<re:^call:>\n")

    after = updated(text, _story(extra_after=5, flip=7))

    assert after.count("<any>") == after.count("tokens = <int>") == after.count("<re:^call:>") == 1
    assert (
        after.splitlines()[: text.splitlines().index("        model = <any>")]
        == (text.splitlines()[: text.splitlines().index("        model = <any>")])
    )


# No churn


def _story(
    *, extra_last: bool = False, extra_after: int | None = None, flip: int | None = None
) -> Work:
    """Tell 29 spans: a run, four tasks, six calls in each."""

    def call(tracer: Tracer, number: int) -> None:
        model = "gpt-4o-mini" if number == flip else "gpt-4o"
        attributes: dict[str, Any] = {
            "model": model,
            "tokens": number,
            "latency_ms": 1.5,
            "run": RUN,
        }
        tracer.start_span(f"call:{number}", attributes=attributes).end()
        if number == extra_after:
            tracer.start_span("policy_check", attributes={"passed": True}).end()

    def work(tracer: Tracer) -> None:
        with tracer.start_as_current_span("run_project", attributes={"run": RUN}):
            for task in range(4):
                with tracer.start_as_current_span(f"task:{task}"):
                    for number in range(6 * task, 6 * task + 6):
                        call(tracer, number)
            if extra_last:
                tracer.start_span("settle", attributes={"outcome": "done"}).end()

    return work


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        ({"extra_last": True}, ["+  settle", '+      outcome = "done"']),
        ({"extra_after": 8}, ["+    policy_check", "+        passed = true"]),
        ({"flip": 8}, ['-        model = "gpt-4o"', '+        model = "gpt-4o-mini"']),
    ],
    ids=["a last sibling", "a leaf in the middle", "one attribute"],
)
def test_a_change_of_one_span_of_29_changes_the_lines_of_that_span_only(
    change: dict[str, Any], lines: list[str]
) -> None:
    before = written(_story())
    assert len([line for line in before.splitlines() if " = " not in line]) == 1 + 29

    assert changed(before, updated(before, _story(**change))) == lines
    assert changed(before, written(_story(**change))) == lines


# Order


def _concurrent(names: Sequence[str], *, roots: bool = False) -> Work:
    def work(tracer: Tracer) -> None:
        spans: list[Span] = []
        if roots:
            spans = [tracer.start_span(name) for name in names]
        else:
            with tracer.start_as_current_span("run_project"):
                spans = [tracer.start_span(name, attributes={"n": name}) for name in names]
        for span in spans:
            span.end()

    return work


def test_order_counts_but_where_a_test_says_that_it_does_not() -> None:
    ordered = written(_concurrent(["b", "a"]))
    free = written(_concurrent(["b", "a"]), unordered=["run_*"])

    assert not holds(ordered, _concurrent(["a", "b"]))
    assert free == written(_concurrent(["a", "b"]), unordered=["run_*"])
    assert all(holds(free, _concurrent(names), unordered=["run_*"]) for names in ("ab", "ba"))
    assert not holds(free, _concurrent(["a", "c"]), unordered=["run_*"])


def test_a_link_into_unordered_siblings_counts_them_as_they_are_told() -> None:
    def work(order: Sequence[int]) -> Work:
        def open_spans(tracer: Tracer) -> None:
            with tracer.start_as_current_span("run_project"):
                tasks = {n: tracer.start_span("task", attributes={"n": n}) for n in order}
                links = [Link(tasks[2].get_span_context())]
                tracer.start_span("after", links=links).end()
                for task in tasks.values():
                    task.end()

        return open_spans

    text = written(work([1, 2, 3]), unordered=["run_project"])

    assert "~> run_project/task[1]" in text
    assert holds(text, work([3, 2, 1]), unordered=["run_project"])
    assert holds(text, work([2, 1, 3]), unordered=["run_project"])


def test_roots_may_have_no_order() -> None:
    text = written(_concurrent("ba", roots=True), unordered=["/"])

    assert text == "# spans v1\na\nb\n"
    assert holds(text, _concurrent("ba", roots=True), unordered=["/"])
    assert not holds(text, _concurrent("ba", roots=True))


def test_an_unordered_update_leaves_the_others_where_they_stand() -> None:
    before = written(_concurrent("bdf"), unordered=["run_project"]).replace('n = "d"', "n = <str>")

    after = updated(before, _concurrent("fdab"), unordered=["run_project"])

    assert after == before + '  a\n      n = "a"\n'


def test_an_unordered_update_leaves_what_changed_where_it_stands() -> None:
    before = written(_alike([(1, RUN), (2, RUN), (3, RUN)]), unordered=["run_project"])

    after = updated(before, _alike([(2, RUN), (9, RUN), (3, RUN)]), unordered=["run_project"])

    assert changed(before, after) == ["-        n = 1", "+        n = 9"]


def _alike(tasks: Sequence[tuple[int, str]]) -> Work:
    """Siblings that say the same but for an id, and differ in what is below them."""

    def work(tracer: Tracer) -> None:
        with tracer.start_as_current_span("run_project"):
            for n, id_ in tasks:
                with tracer.start_as_current_span("task", attributes={"id": id_}):
                    tracer.start_span("call", attributes={"n": n}).end()

    return work


def test_siblings_without_an_order_are_told_by_what_is_below_them_and_not_by_their_ids() -> None:
    one_way = written(_alike([(1, "1" + RUN[1:]), (2, "2" + RUN[1:])]), unordered=["run_project"])

    for pairs in (
        [(2, "1" + RUN[1:]), (1, "2" + RUN[1:])],
        [(2, "2" + RUN[1:]), (1, "1" + RUN[1:])],
    ):
        assert written(_alike(pairs), unordered=["run_project"]) == one_way


def test_roots_have_an_order_where_only_children_have_none() -> None:
    assert written(_concurrent("ba", roots=True), unordered=["run_*"]) == "# spans v1\nb\na\n"


def test_a_wrong_order_says_which_option_would_allow_it() -> None:
    spans = told(_concurrent("ab"))

    assert not spans.agrees_with(parse_rows(written(_concurrent("ba"))))

    assert "same spans, different order" in spans.explanation()
    assert "span_snapshot(unordered=[...])" in spans.explanation()
    assert "any_order" not in spans.explanation()


# What is compared


@pytest.mark.parametrize(
    "other",
    [
        one({"x": 1}, "b"),
        one({"x": 1}, kind=SpanKind.CLIENT),
        one({"x": True}),
        one({"x": 1.0}),
        one({"x": "1"}),
        one({"x": 1, "y": 2}),
        one(),
        _concurrent("ab", roots=True),
        _concurrent("a", roots=True),
    ],
)
def test_every_fact_of_a_span_is_locked(other: Work) -> None:
    text = written(one({"x": 1}))

    assert holds(text, one({"x": 1}))
    assert not holds(text, other)


def _failed(description: str | None) -> Work:
    def work(tracer: Tracer) -> None:
        span = tracer.start_span("a")
        span.set_status(Status(StatusCode.ERROR, description))
        span.end()

    return work


@pytest.mark.parametrize(
    ("line", "work"),
    [
        ("a  (never ended)", one()),
        ("a  (client)", one()),
        ("a  [ok]", one()),
        ("a  [error]", _failed("boom")),
        ('a  [error "boom"]', _failed(None)),
    ],
)
def test_what_stands_behind_a_name_is_compared(line: str, work: Work) -> None:
    assert not holds(f"# spans v1\n{line}\n", work)


@pytest.mark.parametrize("name", ['["a"]', "a ", "a  b", "~> a", f"g{'0123456789' * 3}"])
def test_a_name_is_the_text_that_it_is(name: str) -> None:
    text = written(one(name=name))

    assert not text.rstrip("\n").endswith(" ")  # which an editor would cut off
    assert holds(text, one(name=name))
    assert not holds(text, one(name=name.replace("a", "b").replace("9", "8")))


def test_an_exception_without_a_message_is_its_type_alone() -> None:
    def work(tracer: Tracer) -> None:
        with tracer.start_as_current_span("a", set_status_on_exception=False) as span:
            span.record_exception(ValueError())

    assert written(work) == "# spans v1\na\n    ! exception ValueError\n"


def test_events_are_locked_with_their_order_and_attributes() -> None:
    def work(*events: tuple[str, int]) -> Work:
        def open_spans(tracer: Tracer) -> None:
            span = tracer.start_span("a")
            for name, number in events:
                span.add_event(name, {"n": number})
            span.end()

        return open_spans

    text = written(work(("x", 1), ("y", 2)))

    assert not holds(text, work(("y", 2), ("x", 1)))
    assert not holds(text, work(("x", 1)))
    assert not holds(text, work(("x", 1), ("y", 3)))
    assert changed(text, updated(text, work(("x", 1), ("z", 5), ("y", 2)))) == [
        "+    ! z",
        "+        n = 5",
    ]


def test_an_event_is_not_taken_for_a_span_of_that_name() -> None:
    def event(tracer: Tracer) -> None:
        with tracer.start_as_current_span("a") as span:
            span.add_event("x")

    def child(tracer: Tracer) -> None:
        with tracer.start_as_current_span("a"):
            tracer.start_span("! x").end()

    assert not holds(written(event), child)
    assert not holds(written(child), event)


def test_a_span_that_moved_is_shown_where_it_was_and_where_it_is() -> None:
    def work(*, deep: bool) -> Work:
        def open_spans(tracer: Tracer) -> None:
            with tracer.start_as_current_span("run"):
                with tracer.start_as_current_span("task"):
                    if deep:
                        tracer.start_span("call").end()
                if not deep:
                    tracer.start_span("call").end()

        return open_spans

    spans = told(work(deep=False))

    assert not spans.agrees_with(parse_rows(written(work(deep=True))))
    assert "moved: an equal span is run/call" in spans.explanation()


def test_a_new_span_comes_without_advice_for_literals() -> None:
    spans = told(_story(extra_last=True, flip=3))

    assert not spans.agrees_with(parse_rows(written(_story())))
    explanation = spans.explanation()

    assert "+ unexpected child" in explanation
    assert "→" not in explanation
    assert explanation.startswith("2 differences in 1 trace (30 spans)")


# Scale


def test_a_chain_20_000_deep_is_written_read_and_compared() -> None:
    def work(tracer: Tracer) -> None:
        context = None
        for _ in range(20_000):
            span = tracer.start_span("deep", context=context)
            context = trace.set_span_in_context(span)
            span.end()

    spans = told(work)
    text = spans.text()

    assert spans.agrees_with(parse_rows(text))
    assert not spans.agrees_with(
        parse_rows(text.replace("(level 19999) deep", "(level 19999) deeq"))
    )
    assert spans.text() == text
    assert "- missing, expected exactly 1" in spans.explanation()


def test_ten_thousand_spans_agree_with_their_own_text() -> None:
    def work(tracer: Tracer) -> None:
        with tracer.start_as_current_span("run"):
            for number in range(100):
                with tracer.start_as_current_span(f"task:{number}", attributes={"id": RUN}):
                    for call in range(99):
                        span = tracer.start_span("call", attributes={"model": "gpt-4o"})
                        span.set_attributes({"tokens": call, "latency_ms": 1.5})
                        span.end()

    spans = told(work)
    text = spans.text()

    assert spans.agrees_with(parse_rows(text))
