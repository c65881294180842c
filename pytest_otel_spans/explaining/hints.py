"""Hint at what holds and yet says less than it seems to: a misspelt `never`, a label by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pytest_otel_spans.explaining.slips import Slips
from pytest_otel_spans.matching.match import Outcome
from pytest_otel_spans.patterns.expected import Member, SpanPattern
from pytest_otel_spans.patterns.groups import AnyOrder
from pytest_otel_spans.text.render import path_text

__all__ = ["hints"]

_MISSPELT: Final = "no span is named {!r}, which must never be: did you mean {!r}?"
_LONELY: Final = (
    "same({!r}) is the same as nothing: it stands in one place only, {} ({}); "
    "let it stand in another place too, or expect a type"
)


def hints(outcome: Outcome) -> Iterator[str]:
    """Yield a sentence for each part of what was expected that may not do what it was meant to."""
    nevers = dict.fromkeys(_nevers(outcome))
    slips = Slips(outcome.forest)
    for never in nevers:
        if slip := slips.ask([never]):
            yield _MISSPELT.format(*slip)
    forbidden = frozenset[str]().union(*(never.labels for never in nevers))
    for label, places in outcome.places.items():
        if len(places) == 1 and label not in forbidden:
            yield _LONELY.format(label, path_text(places[0].node), places[0].key)


def _nevers(outcome: Outcome) -> Iterator[SpanPattern]:
    """Yield what must never stand somewhere."""
    yield from outcome.body.nevers
    agenda: list[Member] = [member for member in outcome.body.children if member.forbids]
    while agenda:
        member = agenda.pop()
        if isinstance(member, SpanPattern):
            yield from member.nevers
            inner: tuple[Member, ...] = (*member.children, *member.descendants, *member.links)
        else:
            inner = member.members if isinstance(member, AnyOrder) else member.alternatives
        agenda += [one for one in inner if one.forbids]
