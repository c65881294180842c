"""Spans held against a registry in the format of OpenTelemetry's semantic conventions."""

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind

from pytest_otel_spans import SpanCapture, SpanSchemaMismatch
from pytest_otel_spans.registries.registry import RegistryError

TRACER = trace.get_tracer("tests.registries")

# As registries are written: definitions apart, groups that extend others and refer to definitions.
SHOP = """
groups:
  - id: registry.shop
    type: attribute_group
    brief: Keys.
    attributes:
      - {id: order.id, type: string, stability: stable, brief: An order.}
      - {id: amount, type: double, stability: stable, brief: Euros.}
      - {id: items, type: "string[]", stability: stable, brief: What is in it.}
      - {id: express, type: boolean, stability: stable, brief: Today.}
      - {id: attempt, type: int, stability: stable, brief: From 1.}
      - {id: anything, type: any, stability: stable, brief: Any value.}
      - {id: header, type: "template[string[]]", stability: stable, brief: A header.}
      - id: pay.by
        type: {members: [{id: card, value: card, stability: stable}]}
        stability: stable
        brief: How it is paid.
  - id: common
    type: attribute_group
    brief: What all have.
    attributes:
      - ref: order.id
        requirement_level: required
      - ref: anything
      - ref: header
  - id: event.retry
    type: event
    name: retry
    stability: stable
    brief: Again.
    attributes:
      - ref: attempt
        requirement_level: required
  - id: span.order
    type: span
    span_kind: server
    stability: stable
    brief: One order.
    extends: common
    annotations:
      span_tree: {name: order, parents: ["/"]}
    attributes:
      - ref: items
        requirement_level: {conditionally_required: there are any}
  - id: span.charge
    type: span
    span_kind: client
    stability: stable
    brief: One payment.
    extends: common
    annotations:
      span_tree: {name: "charge:*", parents: [order, "charge:*"]}
    events: [event.retry]
    attributes:
      - ref: order.id
        requirement_level: recommended
      - ref: amount
        requirement_level: required
      - ref: pay.by
        annotations:
          span_tree: {value: card}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(SHOP, encoding="utf-8")
    return path


def order(**attributes: Any) -> Any:
    facts = {"order.id": "o-1", **attributes}
    return TRACER.start_as_current_span("order", kind=SpanKind.SERVER, attributes=facts)


def charge(name: str = "charge:card", **attributes: Any) -> Any:
    facts = {"amount": 1.5, **attributes}
    return TRACER.start_as_current_span(name, kind=SpanKind.CLIENT, attributes=facts)


def found(spans: SpanCapture, registry: Path, **options: Any) -> list[tuple[str, str, str]]:
    """What each deviation is, with the path and the key."""
    with pytest.raises(SpanSchemaMismatch) as caught:
        spans.conforms_to(registry, **options)
    return [(one.what, one.path, one.key) for one in caught.value.deviations]


def test_spans_that_are_what_the_registry_says_conform(spans: SpanCapture, shop: Path) -> None:
    with order(items=["tea"], anything=1.5), charge("charge:card", **{"pay.by": "card"}) as one:
        one.add_event("retry", {"attempt": 1})
        with charge("charge:fee"):
            pass

    assert spans.conforms_to(shop)
    assert spans.conforms_to(str(shop))
    assert spans.conforms_to(shop.parent)


def test_each_deviation_stands_in_the_tree(spans: SpanCapture, shop: Path) -> None:
    with order(items="tea", amuont=2.0), charge(amount=2, **{"pay.by": "cash"}):
        with order():
            pass
        with TRACER.start_as_current_span("chrage:card"):
            pass

    with pytest.raises(SpanSchemaMismatch) as caught:
        spans.conforms_to(shop)

    expected = """\
        6 deviations from {} in 1 trace (4 spans)
          order
          │   items   - string[]
          │           + 'tea' (string)
          │   amuont  - absent: the registry defines no such key, did you mean 'amount'?
          │           + 2.0
          └─ charge:card
             │   amount  - double
             │           + 2 (int)
             │   pay.by  - 'card'
             │           + 'cash'
             ├─ order        + under charge:card, expected a root
             └─ chrage:card  + no group is for this name, did you mean 'charge:*'?"""
    told = str(caught.value).replace(str(shop), "{}")
    assert told == dedent(expected)
    assert [(one.what, one.path) for one in caught.value.deviations] == [
        ("type", "order"),
        ("key", "order"),
        ("type", "order/charge:card"),
        ("value", "order/charge:card"),
        ("parent", "order/charge:card/order"),
        ("name", "order/charge:card/chrage:card"),
    ]


def test_a_list_is_told_with_the_type_of_its_items(spans: SpanCapture, shop: Path) -> None:
    with order(items=[1, 2], **{"header.accept": []}), charge(amount=[]):
        pass

    with pytest.raises(SpanSchemaMismatch) as caught:
        spans.conforms_to(shop)

    assert [line.strip("│ ") for line in str(caught.value).splitlines()[2:]] == [
        "items  - string[]",
        "+ (1, 2) (int[])",
        "└─ charge:card",
        "amount  - double",
        "+ () (list)",
    ]


def test_what_was_renamed_is_told_where_it_is_missing(spans: SpanCapture, shop: Path) -> None:
    with order(), TRACER.start_as_current_span("charge:card", kind=SpanKind.CLIENT) as one:
        one.set_attribute("amounts", 1.5)

    with pytest.raises(SpanSchemaMismatch, match=r"absent  \(there is 'amounts'\)"):
        spans.conforms_to(shop)


@pytest.mark.parametrize(
    ("attributes", "key", "what"),
    [
        ({"amount": 1}, "amount", "type"),
        ({"amount": True}, "amount", "type"),
        ({"items": ["tea"]}, "items", "key"),
        ({"express": True}, "express", "key"),
        ({"header.accept": "json"}, "header.accept", "type"),
        ({"headers.accept": ["json"]}, "headers.accept", "key"),
        ({"header": ["json"]}, "header", "key"),
        ({"pay.by": 1}, "pay.by", "type"),
    ],
)
def test_a_wrong_attribute_is_named(
    spans: SpanCapture, shop: Path, attributes: Mapping[str, Any], key: str, what: str
) -> None:
    with order(), charge(**attributes):
        pass

    assert found(spans, shop) == [(what, "order/charge:card", key)]


def test_a_template_stands_for_every_key_that_it_begins(spans: SpanCapture, shop: Path) -> None:
    with order(**{"header.accept": ["json"], "header.x.y": ["z"]}):
        pass

    assert spans.conforms_to(shop)


def test_events_and_links_are_held_against_the_registry_too(spans: SpanCapture, shop: Path) -> None:
    with order() as first, charge() as one:
        one.add_event("retry", {"attempt": "first", "why": "slow"})
        one.add_event("retry")
        one.add_event("give up")
        one.add_link(first.get_span_context(), {"order.id": 7})

    with pytest.raises(SpanSchemaMismatch) as caught:
        spans.conforms_to(shop)

    assert [(one.what, one.place, one.key) for one in caught.value.deviations] == [
        ("type", "! retry", "attempt"),
        ("key", "! retry", "why"),
        ("missing", "! retry", "attempt"),
        ("event", "! give up", ""),
        ("type", "~> order", "order.id"),
    ]
    assert re.search(r"! give up +- absent: span\.charge has no such event", str(caught.value))


def test_of_templates_the_longest_decides(spans: SpanCapture) -> None:
    template = {"stability": "stable", "brief": "Any."}
    attributes = [
        {"id": "header", "type": "template[string[]]", **template},
        {"id": "header.length", "type": "template[int]", **template},
    ]
    tree = {"span_tree": {"name": "order"}}
    group = {"id": "a", "type": "span", "span_kind": "server", "annotations": tree}
    with order(**{"header.accept": ["json"], "header.length.body": 7}):
        pass

    assert spans.all("order").conforms_to(
        {"groups": [group | {"attributes": [*attributes, {"id": "order.id", "type": "string"}]}]}
    )


def test_a_link_may_lack_what_a_definition_requires(spans: SpanCapture, tmp_path: Path) -> None:
    required = SHOP.replace("brief: Euros.", "brief: Euros., requirement_level: required")
    path = tmp_path / "registry.yaml"
    path.write_text(required, encoding="utf-8")
    with order() as first:
        pass
    with order() as second:
        second.add_link(first.get_span_context(), {"order.id": "o-1"})

    assert spans.conforms_to(path)


def test_an_event_of_a_group_that_lists_none_may_be_any(spans: SpanCapture, shop: Path) -> None:
    with order() as one:
        one.add_event("noted", {"x": 1})

    assert spans.conforms_to(shop)


def test_a_parent_that_was_not_captured_may_be_any(spans: SpanCapture, shop: Path) -> None:
    private = TracerProvider()
    with private.get_tracer("caller").start_as_current_span("caller"), charge():
        pass

    assert [node.name for node in spans.roots] == ["charge:card"]
    assert spans.conforms_to(shop)


def test_a_root_that_should_hang_somewhere_is_a_deviation(spans: SpanCapture, shop: Path) -> None:
    with charge():
        pass

    with pytest.raises(SpanSchemaMismatch, match=r"\+ a root, expected under order or charge:\*"):
        spans.conforms_to(shop)


def test_a_selection_is_held_against_it_where_the_rest_is_not_in_it(
    spans: SpanCapture, shop: Path
) -> None:
    with TRACER.start_as_current_span("caller"), order(), charge(), charge(wrong=1):
        pass

    assert found(spans, shop)[0] == ("name", "caller", "")
    assert spans.all("order").conforms_to(shop)
    with pytest.raises(SpanSchemaMismatch) as caught:
        spans.all("caller // *").conforms_to(shop)
    assert "1 deviation" in str(caught.value)
    assert "(3 spans)" in str(caught.value)
    with pytest.raises(AssertionError, match="0 spans match 'nothing'"):
        spans.all("nothing").conforms_to(shop)


def test_no_span_at_all_conforms_to_nothing(spans: SpanCapture, shop: Path) -> None:
    with pytest.raises(AssertionError, match="No span was captured"):
        spans.conforms_to(shop)


def test_a_span_that_never_ended_is_held_to_all_that_is_required(
    spans: SpanCapture, shop: Path
) -> None:
    TRACER.start_span("order", kind=SpanKind.SERVER)

    with pytest.raises(SpanSchemaMismatch, match="never ended") as caught:
        spans.conforms_to(shop)
    assert [one.key for one in caught.value.deviations] == ["order.id"]


# Groups that do not say which spans they are for, as the published ones


PUBLISHED = {
    "groups": [
        {
            "id": "registry.http",
            "type": "attribute_group",
            "brief": "Keys.",
            "attributes": [
                {"id": "http.request.method", "type": "string", "brief": "GET, and so on."},
                {"id": "http.request.header", "type": "template[string[]]", "brief": "A header."},
            ],
        },
        {
            "id": "span.http.client",
            "type": "span",
            "span_kind": "client",
            "stability": "stable",
            "brief": "A request.",
            "attributes": [{"ref": "http.request.method", "requirement_level": "required"}],
        },
    ]
}


def test_groups_can_be_told_which_spans_are_theirs(spans: SpanCapture) -> None:
    method = {"http.request.method": "GET"}
    TRACER.start_span("GET /users", kind=SpanKind.CLIENT, attributes=method).end()
    groups = {"GET *": "span.http.client"}

    assert spans.conforms_to(PUBLISHED, groups)

    TRACER.start_span("GET /", kind=SpanKind.SERVER).end()
    with pytest.raises(SpanSchemaMismatch) as caught:
        spans.conforms_to(PUBLISHED, groups)
    assert [(one.what, one.key) for one in caught.value.deviations] == [
        ("kind", ""),
        ("missing", "http.request.method"),
    ]


def test_the_name_that_says_more_decides_and_then_the_kind(spans: SpanCapture) -> None:
    def group(id_: str, kind: str, name: str) -> dict[str, Any]:
        tree = {"name": name}
        return {"id": id_, "type": "span", "span_kind": kind, "annotations": {"span_tree": tree}}

    registry = {
        "groups": [
            group("any", "producer", "*"),
            group("call", "client", "call:*"),
            group("call.cached", "internal", "call:*"),
            group("call.special", "server", "call:x"),
        ]
    }
    for name, kind in (("call:a", "client"), ("call:b", "internal"), ("call:x", "server")):
        TRACER.start_span(name, kind=SpanKind[kind.upper()]).end()
    TRACER.start_span("else", kind=SpanKind.PRODUCER).end()

    assert spans.conforms_to(registry)

    TRACER.start_span("call:c", kind=SpanKind.PRODUCER).end()
    with pytest.raises(SpanSchemaMismatch) as caught:
        spans.conforms_to(registry)
    (one,) = caught.value.deviations
    assert (one.group, one.expected, one.actual) == ("call", "client", "producer")


SECOND = """
file_format: definition/2
attributes:
  - {key: order.id, type: string, stability: stable, brief: An order.}
  - {key: amount, type: double, stability: stable, brief: Euros.}
  - {key: attempt, type: int, stability: stable, brief: From 1.}
attribute_groups:
  - id: all
    attributes:
      - {ref: order.id, requirement_level: required}
spans:
  - type: order
    kind: server
    annotations:
      span_tree: {name: order, parents: ["/"]}
    attributes: [{ref_group: all}]
span_refinements:
  - id: span.order.paid
    ref: order
    annotations:
      span_tree: {name: "order *"}
    attributes: [{ref: amount, requirement_level: required}]
events:
  - name: retry
    attributes: [{ref: attempt, requirement_level: required}]
event_refinements:
  - id: event.retry.soon
    ref: retry
    attributes: [{ref: attempt, requirement_level: recommended}]
"""


def test_the_second_format_says_the_same(spans: SpanCapture, tmp_path: Path) -> None:
    path = tmp_path / "registry" / "shop.yaml"
    path.parent.mkdir()
    path.write_text(SECOND, encoding="utf-8")
    path.with_name("manifest.yaml").write_text("schema_url: about:blank", encoding="utf-8")
    with order() as one:
        one.add_event("retry", {"attempt": 1})

    assert spans.conforms_to(path.parent)

    paid: list[dict[str, Any]] = [{"order.id": "o-1", "amount": 1.0}, {"amount": 2}]
    for facts in paid:
        one = TRACER.start_span("order paid", kind=SpanKind.SERVER, attributes=facts)
        one.add_event("retry")
        one.end()
    assert found(spans, path.parent) == [
        ("missing", "order paid[0]", "attempt"),
        ("type", "order paid[1]", "amount"),
        ("missing", "order paid[1]", "order.id"),
        ("missing", "order paid[1]", "attempt"),
    ]


def test_a_group_that_has_itself_is_refused(spans: SpanCapture, tmp_path: Path) -> None:
    with order():
        pass
    path = tmp_path / "registry.yaml"
    path.write_text(SECOND.replace("{ref: order.id, r", "{ref_group: all, r"), encoding="utf-8")

    with pytest.raises(RegistryError, match="the group 'all' has itself"):
        spans.conforms_to(path)


# Registries that say nothing one could use


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("groups: [", r"is no YAML: line \d: .*expected"),
        ("groups: \0", "is no YAML: unacceptable character #x0000"),
        ("- a list", "is no registry: it has no list of `groups`"),
        ("file_format: definition/2\nspans: []", "has no group of type span"),
        ("file_format: definition/2\nspans: [{kind: client}]", "no group of .* says which spans"),
        ("file_format: definition/3\nspans: []", "it has no list of `groups`"),
        ("groups: [{type: span}]", "has a group without an `id`"),
        ("groups: []", "has no group of type span"),
        ("groups: [{id: a, type: span}, {id: a, type: span}]", "has the group 'a' twice"),
        (
            "groups: [{id: a, attributes: 3}]",
            "has the attributes 3, which are no list",
        ),
        ("groups: [{id: a, attributes: [{id: [x]}]}]", r"that is text: \{'id': \['x'\]\}"),
        ("groups: [{id: a, extends: [b]}]", r"extends \['b'\], which is no group of it"),
        (
            "groups: [{id: a, attributes: [{id: x, type: {members: 3}}]}]",
            "gives 'x' the type",
        ),
        (
            "groups: [{id: a, attributes: [{id: x, type: {members: [3]}}]}]",
            "gives 'x' the type",
        ),
        (SHOP.replace("value: card, s", "value: [card], s"), "gives 'pay.by' the type"),
        (SHOP.replace("span_kind: client", "span_kind: klient"), "span kind 'klient': one of 'int"),
        (
            SHOP.replace("[event.retry]", "event.retry"),
            "'event.retry', which is no list",
        ),
        (SHOP.replace("[event.retry]", "[event.rety]"), "lists 'event.rety', which is no group"),
        (SHOP.replace("[event.retry]", "[common]"), "lists 'common', which is no event"),
        (SHOP.replace("ref: amount", "ref: amuont"), "refers to 'amuont', .*mean 'amount'"),
        (SHOP.replace("ref: amount", "ref: zzz"), "give the folder of all its files"),
        (SHOP.replace("extends: common", "extends: nobody"), "extends 'nobody', which is no group"),
        (SHOP.replace("brief: What all have.", "extends: common"), "which extends it"),
        (SHOP.replace("type: double", "type: float"), "gives 'amount' the type 'float'"),
        (SHOP.replace('parents: ["/"]', "parents: order"), "which is no list of names"),
        (SHOP.replace('parents: ["/"]', "parents: []"), r"no parents at all: for a root, say"),
        (SHOP.replace("name: order,", "name: 7,"), "has the name 7, which is no text"),
        (
            SHOP.replace("- ref: items", "- item: items"),
            "has an attribute with no `id` and no `ref`",
        ),
        (
            SHOP.replace("requirement_level: required", "requirement_level: needed"),
            "requires 'order.id' at the level 'needed': one of 'required', 'cond",
        ),
        (
            SHOP.replace('parents: ["/"]', 'parent: ["/"]'),
            "has span_tree: .*, which may say 'name', 'parents'",
        ),
        (SHOP.replace("span_tree: {value: card}", "span_tree: card"), "which may say 'value'"),
        (SHOP.replace("span_tree", "tree"), "no group of .* says which spans it is for"),
    ],
)
def test_a_registry_that_cannot_be_used_is_refused_with_a_sentence(
    spans: SpanCapture, tmp_path: Path, text: str, sentence: str
) -> None:
    with order():
        pass
    path = tmp_path / "registry.yaml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(RegistryError, match=sentence):
        spans.conforms_to(path)


def test_a_path_where_nothing_is_and_a_group_that_is_not_are_named(
    spans: SpanCapture, tmp_path: Path
) -> None:
    with order():
        pass

    with pytest.raises(RegistryError, match=r"there is no file missing\.yaml"):
        spans.conforms_to("missing.yaml")
    with pytest.raises(RegistryError, match="no YAML file is in"):
        spans.conforms_to(tmp_path)
    with pytest.raises(RegistryError, match=r"no span group 'span\.http'; it has 'span\.http\.cl"):
        spans.conforms_to(PUBLISHED, {"order": "span.http"})
    with pytest.raises(TypeError, match="a registry is the path of a YAML file"):
        spans.conforms_to(["shop.yaml"])  # type: ignore[arg-type]


def test_what_is_wrong_with_a_registry_is_shown_where_the_test_names_it(
    pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]
) -> None:
    pytester.makepyfile(
        """
        from opentelemetry import trace

        def test_it(spans):
            trace.get_tracer("app").start_span("a").end()
            spans.conforms_to("nowhere.yaml")
        """
    )

    lines = run().outlines

    assert any(line.startswith('>       spans.conforms_to("nowhere.yaml")') for line in lines)
    assert any("RegistryError: there is no file nowhere.yaml" in line for line in lines)
    assert not any("raise " in line for line in lines)


def test_without_pyyaml_a_mapping_serves_and_a_file_says_what_is_missing(
    spans: SpanCapture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    method = {"http.request.method": "GET"}
    TRACER.start_span("GET /", kind=SpanKind.CLIENT, attributes=method).end()
    path = tmp_path / "registry.yaml"
    path.write_text(SHOP, encoding="utf-8")

    assert spans.conforms_to(PUBLISHED, {"GET *": "span.http.client"})
    with pytest.raises(RegistryError, match="pip install pyyaml"):
        spans.conforms_to(path)


def test_a_file_that_changed_is_read_again(spans: SpanCapture, shop: Path) -> None:
    with order():
        pass
    assert spans.conforms_to(shop)

    shop.write_text(SHOP.replace("{name: order,", "{name: another,"), encoding="utf-8")

    assert found(spans, shop) == [("name", "order", "")]
