"""Ask for the explanation of a failure."""

from pytest_otel_spans.expected import ChildPart
from pytest_otel_spans.explain import explain
from pytest_otel_spans.match import match_roots
from tests.plugin.groves import Plant, forest


def explained(plants: list[Plant], *roots: ChildPart) -> list[str]:
    """Return the lines of the annotated tree."""
    outcome = match_roots(forest(*plants), roots)
    assert not outcome.holds
    return list(explain(outcome).lines)
