"""The models looked at for one choice, and what puts each of them out of the running."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from orchestrator.catalogue import ModelEntry
from orchestrator.models import Bar, Contender
from orchestrator.routing.backends import Candidate, Selection


class Lineup:
    """Everybody who is ready, in the catalogue's order; whoever is barred stays in sight."""

    def __init__(self, measured: Mapping[ModelEntry, Candidate]) -> None:
        self._measured = measured
        self.left = tuple(measured)
        """Who is still in the running."""
        self._barred: dict[str, tuple[Bar, str]] = {}
        self.spared: dict[str, str] = {}
        """By model id: what should have put it out of the running, had that left anybody."""

    def bar(self, models: Iterable[ModelEntry], bar: Bar, why: Callable[[ModelEntry], str]) -> None:
        """Put these out of the running; `why` is a clause that says what of each does it."""
        for model in models:
            self._barred[model.id] = bar, why(model)
        self.left = tuple(model for model in self.left if model.id not in self._barred)

    def bar_but_one(
        self,
        models: Iterable[ModelEntry],
        bar: Bar,
        why: Callable[[ModelEntry], str],
        *,
        least: Callable[[ModelEntry], Any],
    ) -> None:
        """As `bar`, but where nobody would be left, the one that is least concerned stays."""
        concerned = list(models)
        if len(concerned) == len(self.left):
            spared = min(concerned, key=least)
            concerned.remove(spared)
            self.spared[spared.id] = why(spared)
        self.bar(concerned, bar, why)

    def candidates(self) -> tuple[Candidate, ...]:
        """Who is still in the running, as the backends see them."""
        return tuple(self._measured[model] for model in self.left)

    def contenders(self, selection: Selection | None = None) -> tuple[Contender, ...]:
        """Everybody, with what the selection, if it came to one, made of them."""
        return tuple(
            self._contender(model, expected, selection)
            for model, expected in self._measured.items()
        )

    def _contender(
        self, model: ModelEntry, expected: Candidate, selection: Selection | None
    ) -> Contender:
        bar, why = self._barred.get(model.id, (None, self.spared.get(model.id, "")))
        if bar is None and selection is not None and model.id in selection.beaten_by:
            why = f"{selection.beaten_by[model.id]!r} is at least as good in everything"
        return Contender(
            model=model.id,
            provider=model.provider,
            quality=expected.quality,
            latency_ms=expected.latency_s * 1000 or None,
            cost_usd=Decimal(repr(expected.cost_usd)),
            score=selection.scores.get(model.id) if selection is not None else None,
            barred_by=bar,
            why=why,
        )
