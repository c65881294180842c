"""Whatever the spans are: a snapshot of them holds, and an update of any other makes one."""

from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_otel_spans.snapshots.lock import Terms, Told
from pytest_otel_spans.snapshots.parse import parse_rows
from pytest_otel_spans.sources import Source
from pytest_otel_spans.tree import Forest
from tests.plugin.groves import Plant, forest, plant

MANY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines are busy
IDS = [f"{number}50e8400-e29b-41d4-a716-446655440000" for number in range(3)]
VALUES = st.sampled_from([1, 2, True, 1.5, "x", *IDS, f"run {IDS[0]}", '{"id": "%s"}' % IDS[1]])  # noqa: UP031 - braces are JSON's
FACTS: Any = st.fixed_dictionaries(
    {},
    optional={
        "error": st.sampled_from(["boom", f"{IDS[0]} failed"]),
        "ended": st.booleans(),
        "events": st.lists(
            st.tuples(st.sampled_from(["e", "exception"]), st.dictionaries(st.just("v"), VALUES)),
            max_size=2,
        ),
    },
)


def _plants(children: st.SearchStrategy[list[Plant]]) -> st.SearchStrategy[Plant]:
    return st.builds(
        lambda name, values, below, facts: plant(name, values, *below, **facts),
        st.sampled_from(["a", "b", f"run {IDS[0]}", "x*"]),
        st.dictionaries(st.sampled_from(["k", "n_ms", "id"]), VALUES, max_size=2),
        children,
        FACTS,
    )


TREES = st.recursive(
    _plants(st.just([])), lambda below: _plants(st.lists(below, max_size=3)), max_leaves=6
)
FORESTS = st.lists(TREES, min_size=1, max_size=3).map(lambda plants: forest(*plants))
UNORDERED = st.sampled_from([(), ("a",), ("*", "/")])


def told(spans: Forest, unordered: Sequence[str]) -> Told:
    source = Source(forest=lambda: spans, why_empty=str, notes=tuple, wait_until=None)
    return Told(source, Terms(unordered=tuple(unordered)))


@MANY
@given(spans=FORESTS, unordered=UNORDERED)
def test_spans_agree_with_their_snapshot(spans: Forest, unordered: Sequence[str]) -> None:
    text = told(spans, unordered).text()

    assert told(spans, unordered).agrees_with(parse_rows(text))


@MANY
@given(before=FORESTS, after=FORESTS, unordered=UNORDERED)
def test_an_update_agrees_with_the_spans_and_says_what_differed(
    before: Forest, after: Forest, unordered: Sequence[str]
) -> None:
    rows = parse_rows(told(before, unordered).text())
    spans = told(after, unordered)

    if not spans.agrees_with(rows):
        assert spans.explanation()
        assert spans.agrees_with(parse_rows(spans.text()))


@MANY
@given(spans=FORESTS, data=st.data())
def test_one_value_typed_wild_holds_and_stands_when_another_changes(
    spans: Forest, data: st.DataObject
) -> None:
    lines = told(spans, ()).text().splitlines()
    values = [at for at, line in enumerate(lines) if " = " in line]
    if len(values) < 2:
        return
    typed, wrong = data.draw(st.permutations(values))[:2]
    lines[typed] = lines[typed].partition(" = ")[0] + " = <any>"

    assert told(spans, ()).agrees_with(parse_rows("\n".join(lines)))

    good, lines[wrong] = lines[wrong], lines[wrong].partition(" = ")[0] + ' = "wrong"'
    update = told(spans, ())
    assert not update.agrees_with(parse_rows("\n".join(lines)))
    updated = update.text().splitlines()
    assert updated[typed] == lines[typed]
    assert updated[wrong].partition(" = ")[0] == good.partition(" = ")[0]
