"""What a process has counted and measured, as exporters are given it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One figure of a family: a count, or a distribution."""

    labels: tuple[str, ...]
    """The values of the family's labels, in their order."""
    value: float
    """The count; of a distribution, the sum of what was measured."""
    buckets: tuple[int, ...] = ()
    """Of a distribution: how many values are at most each bound, and how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Figures of one kind; no label names a project or a task, of which there is no end."""

    name: str
    """As Prometheus names it, without ``_total``; units are seconds and dollars."""
    kind: Literal["counter", "histogram"]
    brief: str
    labels: tuple[str, ...]
    bounds: tuple[float, ...] = ()
    """Of a histogram: the upper bounds of its buckets, but for infinity."""
    samples: tuple[Sample, ...] = ()
