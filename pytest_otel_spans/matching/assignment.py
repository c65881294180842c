"""Assign spans to slots one to one: every slot filled as it asks, every required span placed.

Spans and slots are numbers here. A slot asks for at least so many spans and takes at most so
many. Filling the slots and placing the required spans are two questions, each about one side
of a bipartite graph; where each has an answer, one assignment answers both (Mendelsohn and
Dulmage, 1958). So `assign` fills the slots first and then places the spans that are left: a
path that places one never empties a slot below what it asks and never displaces a required span.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Slots", "assign", "can_fill", "can_place", "place_most", "unserved"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """The slots of one group of siblings.

    Attributes:
        least: How many spans each slot asks for.
        most: How many spans each slot takes, None for any number.
        takes: The spans that each slot could take, in ascending order.
    """

    least: Sequence[int]
    most: Sequence[int | None]
    takes: Sequence[Sequence[int]]

    def within(self, start: int, end: int) -> Slots:
        """Return the same slots for the spans from `start` up to, but not including, `end`."""
        takes = [[one for one in spans if start <= one < end] for spans in self.takes]
        return Slots(least=self.least, most=self.most, takes=takes)


def assign(slots: Slots, required: Sequence[int]) -> dict[int, int] | None:
    """Return which slot each span goes to, None when there is no assignment.

    Args:
        slots: The slots; each gets as many spans as it asks for and no more than it takes.
        required: The spans that must be placed; the others may stay out.
    """
    work = _Work(slots, required)
    return work.place_of if work.fill() and work.place() else None


def can_fill(slots: Slots) -> bool:
    """Whether every slot can have as many spans as it asks for."""
    return _Work(slots, ()).fill()


def can_place(slots: Slots, required: Sequence[int]) -> bool:
    """Whether every required span can be placed."""
    return _Work(slots, required).place()


def place_most(slots: Slots, required: Sequence[int]) -> dict[int, int]:
    """Return which slot spans go to when as many as possible fill slots and are placed."""
    work = _Work(slots, required)
    work.fill()
    work.place()
    return work.place_of


def unserved(takes: Sequence[Sequence[int]]) -> list[int]:
    """Return who goes without, when each takes one of these things and no two the same."""
    ones = [1] * len(takes)
    work = _Work(Slots(least=ones, most=ones, takes=takes), ())
    work.fill()
    return [slot for slot, held in enumerate(work.held) if not held]


class _Work:
    """One assignment in the making.

    Paths are searched in phases. In one phase no span (or slot) is visited twice, whoever
    started the search, so that a phase costs no more than a look at every edge; few are needed.
    """

    def __init__(self, slots: Slots, required: Sequence[int]) -> None:
        self.slots = slots
        self.required = dict.fromkeys(required)
        self.place_of: dict[int, int] = {}
        self.held: list[dict[int, None]] = [{} for _ in slots.takes]

    def fill(self) -> bool:
        """Give every slot what it asks for; answer whether that can be."""
        least = self.slots.least
        while lacking := [slot for slot, held in enumerate(self.held) if len(held) < least[slot]]:
            progress = False
            seen: set[int] = set()
            edges = [iter(spans) for spans in self.slots.takes]
            for slot in lacking:
                while len(self.held[slot]) < least[slot] and self._fill_one(slot, seen, edges):
                    progress = True
            if not progress:
                return False
        return True

    def _fill_one(self, slot: int, seen: set[int], edges: list[Iterator[int]]) -> bool:
        """Find a free span for the slot, or one whose own slot finds another, and so on."""
        wanting, taken = [slot], list[int]()
        while wanting:
            for span in edges[wanting[-1]]:
                owner = self.place_of.get(span)
                if span in seen or owner == wanting[-1]:
                    continue
                seen.add(span)
                taken.append(span)
                if owner is None:
                    for new_owner, moved in zip(wanting, taken, strict=True):
                        self._move(moved, new_owner)
                    return True
                wanting.append(owner)
                break
            else:
                wanting.pop()
                del taken[-1:]
        return False

    def place(self) -> bool:
        """Place every required span; answer whether that can be."""
        slots_of: dict[int, list[int]] = {span: [] for span in self.required}
        for slot, spans in enumerate(self.slots.takes):
            for span in spans:
                if span in slots_of:
                    slots_of[span].append(slot)
        while homeless := [span for span in self.required if span not in self.place_of]:
            seen: set[int] = set()
            placed = [span for span in homeless if self._place_one(span, seen, slots_of)]
            if not placed:
                return False
        return True

    def _place_one(self, span: int, seen: set[int], slots_of: dict[int, list[int]]) -> bool:
        """Find a slot with room, or one whose span finds another, and so on."""
        queue = [span]
        displaced_by: dict[int, int] = {}
        for one in queue:
            for slot in slots_of[one]:
                if slot in seen:
                    continue
                if self._has_room(slot):
                    self._settle(one, slot, displaced_by)
                    return True
                seen.add(slot)
                for held in self.held[slot]:
                    displaced_by[held] = one
                    queue.append(held)
        return False

    def _has_room(self, slot: int) -> bool:
        """Whether the slot has room, if need be by sending away a span that is not required."""
        most, held = self.slots.most[slot], self.held[slot]
        if most is None or len(held) < most:
            return True
        spare = next((span for span in held if span not in self.required), None)
        if spare is None:
            return False
        del held[spare], self.place_of[spare]
        return True

    def _settle(self, span: int, slot: int, displaced_by: dict[int, int]) -> None:
        """Move the span into the slot, the one it was displaced by into its old one, and so on."""
        next_slot: int | None = slot
        while next_slot is not None:
            next_slot = self._move(span, next_slot)
            span = displaced_by.get(span, span)

    def _move(self, span: int, slot: int) -> int | None:
        """Put the span into the slot; return the one it left, None when it had none."""
        before = self.place_of.get(span)
        if before is not None:
            del self.held[before][span]
        self.place_of[span] = slot
        self.held[slot][span] = None
        return before
