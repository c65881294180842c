"""Find the cheapest way to pair rows with columns."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final

__all__ = ["MOST_ROWS", "cheapest"]

MOST_ROWS: Final = 64
"""Up to this many rows and columns the pairing is the cheapest; above, it is a greedy one."""
_FORBIDDEN: Final = 1e6


def cheapest(costs: Sequence[Sequence[float | None]]) -> list[tuple[int, int]]:
    """Return pairs of row and column: as many as possible, and of those the cheapest.

    Args:
        costs: The cost of each pair, row by row; below 1,000, or None where there is no pair.
    """
    if not costs or not costs[0]:
        return []
    if max(len(costs), len(costs[0])) > MOST_ROWS:
        return _greedy(costs)
    if len(costs) > len(costs[0]):
        turned = [[row[column] for row in costs] for column in range(len(costs[0]))]
        return sorted((row, column) for column, row in cheapest(turned))
    filled = [[_FORBIDDEN if cost is None else cost for cost in row] for row in costs]
    pairs = _shortest_paths(filled)
    return [(row, column) for row, column in pairs if costs[row][column] is not None]


def _greedy(costs: Sequence[Sequence[float | None]]) -> list[tuple[int, int]]:
    """Take the cheapest pair that is left, again and again."""
    edges = sorted(
        (cost, row, column)
        for row, line in enumerate(costs)
        for column, cost in enumerate(line)
        if cost is not None
    )
    rows: dict[int, int] = {}
    columns: set[int] = set()
    for _, row, column in edges:
        if row not in rows and column not in columns:
            rows[row] = column
            columns.add(column)
    return sorted(rows.items())


def _shortest_paths(costs: list[list[float]]) -> list[tuple[int, int]]:
    """Pair every row, one shortest augmenting path after the other (Jonker and Volgenant, 1987).

    There are no more rows than columns. `price` keeps every reduced cost at 0 or more.
    """
    width = len(costs[0])
    row_of: list[int | None] = [None] * width
    row_price = [0.0] * len(costs)
    price = [0.0] * width
    for start in range(len(costs)):
        distance = [inf] * width
        before: list[int | None] = [None] * width
        done = [False] * width
        row: int | None = start
        last: int | None = None
        reached = 0.0
        while row is not None:
            for column in range(width):
                if not done[column]:
                    new = reached + costs[row][column] - row_price[row] - price[column]
                    if new < distance[column]:
                        distance[column], before[column] = new, last
            last = min((c for c in range(width) if not done[c]), key=distance.__getitem__)
            reached = distance[last]
            done[last] = True
            row = row_of[last]
        for column in range(width):
            if done[column]:
                gain = reached - distance[column]
                price[column] -= gain
                if (owner := row_of[column]) is not None:
                    row_price[owner] += gain
        row_price[start] += reached
        while last is not None:
            previous = before[last]
            row_of[last] = start if previous is None else row_of[previous]
            last = previous
    return sorted((row, column) for column, row in enumerate(row_of) if row is not None)
