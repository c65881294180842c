"""Ask for the explanation of a failure."""

from pytest_otel_spans.explaining.explain import explain
from pytest_otel_spans.matching.match import match_roots
from pytest_otel_spans.patterns.expected import ChildPart
from tests.plugin.groves import Plant, forest


def explained(plants: list[Plant], *roots: ChildPart) -> list[str]:
    """Return the lines of the annotated tree."""
    outcome = match_roots(forest(*plants), roots)
    assert not outcome.holds
    return list(explain(outcome).lines)
