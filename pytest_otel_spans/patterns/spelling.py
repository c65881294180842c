"""Spell a pattern as the literal that builds it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pytest_otel_spans.patterns.composite import Composite, comma_separated
from pytest_otel_spans.patterns.expectations import ExpectedError
from pytest_otel_spans.patterns.shapes import describe
from pytest_otel_spans.patterns.single import SingleSpan

__all__ = ["spelled"]


def spelled(
    pattern: SingleSpan,
    parts: Iterable[str | Composite],
    verbs: Iterable[tuple[str, Iterable[Composite]]],
) -> Iterator[str | Composite]:
    """Yield the pieces of `span(...)` and of the verbs that follow it.

    Args:
        pattern: What is expected of the span by itself.
        parts: What stands below it.
        verbs: The verbs that take patterns, each with those it was given.
    """
    attributes = [describe(pattern.attributes)] if pattern.attributes else []
    kind = [f"kind={pattern.kind!r}"] if pattern.kind else []
    only = ["only=True"] if pattern.only else []
    yield "span("
    yield from comma_separated((repr(pattern.name), *attributes, *parts, *kind, *only))
    yield ")"
    for verb, others in verbs:
        for other in others:
            yield from (f".{verb}(", other, ")")
    yield from _verbs(pattern)


def _verbs(pattern: SingleSpan) -> Iterator[str]:
    """Yield the verbs that hold no pattern."""
    if pattern.status == "ok":
        yield ".ok()"
    elif isinstance(pattern.status, ExpectedError):
        kind, match = pattern.status
        given = [describe(kind)] if kind is not None else []
        given += [f"match={match!r}"] if match is not None else []
        yield f".error({', '.join(given)})"
    for name, attributes in pattern.events:
        yield f".event({name!r}{', ' + describe(attributes) if attributes else ''})"
    if pattern.counted:
        yield _count(pattern.least, pattern.most)
    if pattern.never_ended:
        yield ".unfinished()"
    if pattern.alias is not None:
        yield f".as_({pattern.alias!r})"


def _count(least: int, most: int | None) -> str:
    if most is None:
        return f".at_least({least})"
    if (least, most) == (0, 1):
        return ".optional()"
    return f".times({least})" if least == most else f".times({least}, max={most})"
