"""Write the `assert_span_tree` literal for a forest, ready to paste into the test."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from pytest_otel_spans.text.calls import Call, Code, code_of, listing, quoted
from pytest_otel_spans.text.render import preorder
from pytest_otel_spans.text.volatile import is_volatile, starred
from pytest_otel_spans.tree import Forest, SpanNode

__all__ = ["suggest"]

_LEVELS: Final = 10
"""Levels of spans in one expression. Python reads no more than two hundred brackets in each other,
and a person fewer: what stands deeper becomes a variable."""

_LONGEST_TEXT: Final = 60
_STACK: Final = frozenset({"exception.stacktrace", "exception.escaped"})
_WORDS: Final = ("any_order", "assert_span_tree", "literal", "span")

_Part = tuple[tuple[Call, int], ...]
"""A stretch of siblings whose order says nothing: what each reads like, and how often."""


def suggest(forest: Forest, subject: str = "spans", *, exact: bool = False) -> str:
    """Write the `assert_span_tree` call that this forest passes, with its import.

    Siblings that overlapped in time stand in `any_order`; values that are long, or change from
    run to run (see `is_volatile`), are given as types.

    Args:
        forest: The spans.
        subject: The name by which the test knows them.
        exact: Write every value, kind and status, `only=True`, and siblings in the order in which
            they started, so that no other tree passes.
    """
    if not forest.roots:
        return f"{subject}.assert_empty()"
    body = "\n".join(_Writer(exact=exact).lines(forest, subject))
    words = [word for word in _WORDS if re.search(rf"\b{word}\(", body)]
    return f"from pytest_otel_spans import {', '.join(words)}\n\n{body}"


class _Writer:
    """Writes each span as a call, from the leaves up; spans that read the same share one."""

    def __init__(self, *, exact: bool) -> None:
        self._exact = exact
        self._calls: dict[SpanNode, Call] = {}
        self._known: dict[tuple[object, ...], Call] = {}
        self._levels: dict[Call, int] = {}
        self._variables: dict[Call, str] = {}
        self._lines: list[str] = []

    def lines(self, forest: Forest, subject: str) -> list[str]:
        """Return the lines of the statement, after those of the variables that it needs."""
        for node in reversed(list(preorder(forest.roots))):
            self._calls[node] = self._call(node)
        roots = [self._member(part, inline=True) for part in self._parts(forest.roots)]
        return [*self._lines, *listing(Call("assert_span_tree(", (subject, *roots)))]

    def _call(self, node: SpanNode) -> Call:
        """Return the call for a node, that of an equal node where there is one."""
        values = tuple(_values(node.attributes, exact=self._exact))
        keywords = tuple(_keywords(node, exact=self._exact))
        verbs = tuple(_verbs(node, exact=self._exact))
        parts = self._parts(node.children)
        key = (node.name, *map(str, (*values, *keywords, *verbs)), *parts)
        if key not in self._known:
            attributes = (Call("{", values, "}"),) if values else ()
            members = [self._member(part) for part in parts]
            name = _name(node.name, exact=self._exact)
            call = Call("span(", (name, *attributes, *members, *keywords), verbs=verbs)
            below = [self._levels[one] % _LEVELS for part in parts for one, _ in part]
            self._levels[call] = 1 + max(below, default=0)
            self._known[key] = call
        return self._known[key]

    def _parts(self, siblings: Sequence[SpanNode]) -> list[_Part]:
        parts: list[_Part] = []
        for stretch in [[one] for one in siblings] if self._exact else _overlapping(siblings):
            part = tuple(Counter([self._calls[node] for node in stretch]).items())
            if parts and len(part) == len(parts[-1]) == 1 and part[0][0] is parts[-1][0][0]:
                part = ((part[0][0], parts.pop()[0][1] + part[0][1]),)
            parts.append(part)
        return parts

    def _member(self, part: _Part, *, inline: bool = False) -> Code:
        members = tuple([self._counted(*counted, inline=inline) for counted in part])
        return members[0] if len(members) == 1 else Call("any_order(", members)

    def _counted(self, call: Call, count: int, *, inline: bool) -> Code:
        if self._levels[call] == _LEVELS and not inline:
            variable = self._variable(call)
            return variable if count == 1 else f"{variable}.times({count})"
        times = (Call(".times(", (str(count),)),)
        return call if count == 1 else replace(call, verbs=(*call.verbs, *times))

    def _variable(self, call: Call) -> str:
        """Name a call that stands too deep, and write the assignment the first time."""
        if call not in self._variables:
            name = self._variables[call] = f"deep_{len(self._variables) + 1}"
            self._lines += [*listing(call, before=f"{name} = "), ""]
        return self._variables[call]


def _overlapping(siblings: Sequence[SpanNode]) -> Iterator[list[SpanNode]]:
    """Yield stretches of siblings that overlapped in time; one that overlaps none stands alone."""
    stretch: list[SpanNode] = []
    end = 0
    for node in siblings:
        if stretch and node.start_ns >= end:
            yield stretch
            stretch = []
        stretch.append(node)
        end = max(end, node.end_ns or 0)
    if stretch:
        yield stretch


def _name(name: str, *, exact: bool) -> str:
    if "*" in name:
        return f"literal({quoted(name)})"
    return quoted(name if exact else starred(name))


def _values(attributes: Mapping[str, Any], *, exact: bool) -> Iterator[Code]:
    for key, value in attributes.items():
        if exact:
            yield code_of(value, f"{quoted(key)}: ")
        elif is_volatile(key, value) or (isinstance(value, str) and len(value) > _LONGEST_TEXT):
            yield f"{quoted(key)}: {_type_name(value)}"
        elif isinstance(value, list | tuple):
            items = [_type_name(v) if is_volatile("", v) else code_of(v) for v in value]
            yield Call(f"{quoted(key)}: [", tuple(items), "]")
        else:
            yield code_of(value, f"{quoted(key)}: ")


def _type_name(value: object) -> str:
    return type(value).__name__


def _keywords(node: SpanNode, *, exact: bool) -> Iterator[str]:
    if exact or node.kind != "internal":
        yield f"kind={quoted(node.kind)}"
    if exact:
        yield "only=True"


def _verbs(node: SpanNode, *, exact: bool) -> Iterator[Call]:
    if not node.ended:
        yield Call(".unfinished(")
    elif exact and node.status.code != "error":
        yield Call(".ok(")
    if node.status.code == "error":
        yield Call(".error(", tuple(_error(node, exact=exact)))
    for event in node.events:
        if event.name != "exception" or node.status.code != "error":
            told = {k: v for k, v in event.attributes.items() if k not in _STACK}
            values = tuple(_values(told, exact=exact))
            attributes = (Call("{", values, "}"),) if values else ()
            yield Call(".event(", (_name(event.name, exact=exact), *attributes))
    for link in node.links:
        if link.target is not None:
            target = _name(link.target.name, exact=exact)
            yield Call(".link_to(", (f"span({target})" if "*" in target else target,))


def _error(node: SpanNode, *, exact: bool) -> Iterator[str]:
    """Give the arguments of `.error()`: what the last exception says, else `error.type`."""
    raised = [event.attributes for event in node.events if event.name == "exception"]
    last: Mapping[str, Any] = raised[-1] if raised else {}
    kind = last.get("exception.type", node.attributes.get("error.type"))
    message = last.get("exception.message", node.status.description)
    if isinstance(kind, str):
        yield quoted(kind)
    if exact and isinstance(message, str) and message:
        yield f"match={quoted(f'^{re.escape(message)}$')}"
