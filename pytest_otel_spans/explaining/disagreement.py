"""Say about which labels of `same` the spans disagree, and where each value stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from typing import Any, Final

from pytest_otel_spans.matching.match import Conflict, Outcome, Place
from pytest_otel_spans.patterns.shapes import value_key
from pytest_otel_spans.text.render import path_text, value_text, visible

__all__ = ["label_lines", "usual_values"]

_SHOWN: Final = 3


def usual_values(conflicts: Iterable[Conflict]) -> dict[str, Any]:
    """Return for each label the value that it has most often."""
    return {one.label: next(iter(_by_value(one).values()))[0].value for one in conflicts}


def label_lines(outcome: Outcome) -> Iterator[str]:
    """Write every value of each label with where it stands."""
    for conflict in outcome.conflicts:
        by_value = _by_value(conflict)
        yield f"same({conflict.label!r}) has {len(by_value):,} values:"
        for places in by_value.values():
            shown = ", ".join(
                f"{path_text(one.node)} ({visible(one.key)})" for one in places[:_SHOWN]
            )
            more = f", and {len(places) - _SHOWN:,} more" if len(places) > _SHOWN else ""
            yield f"  {value_text(places[0].value)} at {shown}{more}"


def _by_value(conflict: Conflict) -> dict[Hashable, list[Place]]:
    places: dict[Hashable, list[Place]] = {}
    for place in conflict.places:
        places.setdefault(value_key(place.value), []).append(place)
    order = Counter({key: len(some) for key, some in places.items()}).most_common()
    return {key: places[key] for key, _ in order}
