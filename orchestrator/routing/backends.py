"""What "best" means among the models that may serve: three answers behind one protocol.

A choice depends on what is measured and on nothing else: neither on the order of the candidates
nor on chance. Scales are absolute, so that a model that comes or goes changes nothing between two
others, and noise decides only between models that are otherwise alike.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Final, Literal, Protocol, get_args

from pydantic import BaseModel, ConfigDict, Field

BackendName = Literal["greedy", "weighted", "pareto"]
"""As ``--routing`` calls them."""

BACKENDS: Final[tuple[BackendName, ...]] = get_args(BackendName)

_NOTHING: Final = 1e-9
"""Dollars or seconds: what is left when nothing is, as a divisor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A model that may serve, by what is expected of it."""

    model: str
    """The catalogue's id."""
    quality: float
    """0 to 1."""
    latency_s: float
    """The 95th percentile of its calls, in seconds; 0 before anything is known of it."""
    cost_usd: float
    """What a typical call costs, in dollars."""
    rank: int
    """Its place in the catalogue, which decides between equals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What is left of the run's limits; infinite where there is none."""

    usd: float = math.inf
    seconds: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Who was chosen, and what became of the others."""

    model: str
    reason: str
    """A clause: what the winner has that the others have not."""
    scores: Mapping[str, float]
    """By model id; higher is better, and only between the models of one selection."""
    beaten_by: Mapping[str, str] = field(default_factory=dict)
    """Of those that another one equals or beats in everything: by whom."""


class RoutingBackend(Protocol):
    """Chooses one of several models, all of which may serve."""

    name: ClassVar[str]
    """What events call it."""

    def select(self, candidates: Sequence[Candidate], left: Left) -> Selection:
        """Choose the best of at least one candidate."""
        ...


class Weights(BaseModel):
    """What a point of quality is weighed against: a dollar a call, and a second a call."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    quality: Annotated[float, Field(ge=0)] = 1.0
    usd: Annotated[float, Field(ge=0)] = 1.0
    seconds: Annotated[float, Field(ge=0)] = 0.002

    def score(self, candidate: Candidate) -> float:
        """Quality less what money and waiting are worth.

        As they come, 0.1 of quality is worth ten cents a call, or fifty seconds.
        """
        return (
            self.quality * candidate.quality
            - self.usd * candidate.cost_usd
            - self.seconds * candidate.latency_s
        )


AS_THEY_COME: Final = Weights()


@dataclass(frozen=True, slots=True)
class GreedyBackend:
    """The highest quality, whatever it costs and however long it takes."""

    name: ClassVar[str] = "greedy"

    def select(self, candidates: Sequence[Candidate], left: Left) -> Selection:
        """Choose the highest quality; the cheaper and then the quicker of equals."""
        del left
        scores = {each.model: each.quality for each in candidates}
        best = _best(candidates, scores)
        return Selection(model=best.model, reason="its quality is the highest", scores=scores)


@dataclass(frozen=True, slots=True)
class WeightedSumBackend:
    """Quality less cost and latency, weighed alike from the first call to the last."""

    weights: Weights = AS_THEY_COME
    name: ClassVar[str] = "weighted"

    def select(self, candidates: Sequence[Candidate], left: Left) -> Selection:
        """Choose the highest sum."""
        del left
        scores = {each.model: self.weights.score(each) for each in candidates}
        best = _best(candidates, scores)
        reason = f"its weighted sum is the highest, {scores[best.model]:.3f}"
        return Selection(model=best.model, reason=reason, scores=scores)


@dataclass(frozen=True, slots=True)
class ParetoBackend:
    """Of the models that no other beats in everything, the one worth its share of what is left.

    A tenth of the money or of the time that is left weighs as much as a tenth of quality, on top of
    what `Weights` says of dollars and seconds. So the best models write while there is plenty, and
    before it gets scarce the run makes do with cheaper ones.
    """

    weights: Weights = AS_THEY_COME
    name: ClassVar[str] = "pareto"

    def select(self, candidates: Sequence[Candidate], left: Left) -> Selection:
        """Choose from the front."""
        beaten_by = {
            each.model: best.model
            for each in candidates
            if (best := _dominator(each, candidates)) is not None
        }
        front = [each for each in candidates if each.model not in beaten_by]
        weights = Weights(
            quality=self.weights.quality,
            usd=self.weights.usd + 1 / max(left.usd, _NOTHING),
            seconds=self.weights.seconds + 1 / max(left.seconds, _NOTHING),
        )
        scores = {each.model: weights.score(each) for each in candidates}
        best = _best(front, scores)
        return Selection(
            model=best.model,
            reason=_of_the_front(best, len(front), left),
            scores=scores,
            beaten_by=beaten_by,
        )


def backend_called(name: BackendName, weights: Weights | None = None) -> RoutingBackend:
    """The backend of this name; weights are the weighted sum's."""
    if name == "greedy":
        return GreedyBackend()
    return ParetoBackend() if name == "pareto" else WeightedSumBackend(weights or AS_THEY_COME)


def _of_the_front(best: Candidate, size: int, left: Left) -> str:
    shares = [
        f"{share:.0%} of the {what} that is left"
        for share, what in (
            (best.cost_usd / max(left.usd, _NOTHING), "money"),
            (best.latency_s / max(left.seconds, _NOTHING), "time"),
        )
        if share >= 0.005  # noqa: PLR2004 - what rounds to a per cent
    ]
    taking = f", a call taking {' and '.join(shares)}" if shares else ""
    if size == 1:
        return f"no other one is better in anything{taking}"
    return f"it is worth most of the {size} that no other one beats in everything{taking}"


def _dominator(one: Candidate, candidates: Sequence[Candidate]) -> Candidate | None:
    """The best of those that are at least as good in everything, and better in something."""
    better = [each for each in candidates if _merits(each) != _merits(one) and _covers(each, one)]
    return max(better, key=_order, default=None)


def _covers(one: Candidate, other: Candidate) -> bool:
    return all(a >= b for a, b in zip(_merits(one), _merits(other), strict=True))


def _merits(candidate: Candidate) -> tuple[float, float, float]:
    """More is better."""
    return candidate.quality, -candidate.cost_usd, -candidate.latency_s


def _order(candidate: Candidate) -> tuple[float, float, float, int]:
    return *_merits(candidate), -candidate.rank


def _best(candidates: Sequence[Candidate], scores: Mapping[str, float]) -> Candidate:
    return max(candidates, key=lambda each: (scores[each.model], *_order(each)))
