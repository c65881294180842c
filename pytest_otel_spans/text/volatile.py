"""Say which attributes change from run to run, so that nobody expects their values."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_volatile", "starred"]

_KEYS: Final = re.compile(r"(?:_ms|_ns|(?:^|[._])duration)$")

_TEXTS: Final = re.compile(
    r"""
      [0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}   # a uuid
    | \b(?=[0-9a-f]*[0-9])[0-9a-f]{16,}\b           # an id in hexadecimal
    | \b0x[0-9a-f]{6,}\b                            # an address
    | \b\d{4}-\d\d-\d\d[T\ ]\d\d:\d\d               # a timestamp
    """,
    re.VERBOSE | re.IGNORECASE,
)

_EPOCHS: Final = tuple(range(int(1e9) * unit, int(4e9) * unit) for unit in (1, 10**3, 10**6, 10**9))
"""Seconds, milliseconds, microseconds and nanoseconds since 1970, from 2001 to 2096."""


def is_volatile(key: str, value: object) -> bool:
    """Whether the next run may well have another value under this key.

    True for uuids, long hexadecimal ids, addresses and timestamps, as text or as a number, and
    for what stands under a key that ends in `_ms`, `_ns` or `duration`.
    """
    if _KEYS.search(key):
        return True
    if isinstance(value, str):
        return _TEXTS.search(value) is not None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return any(epoch.start <= value < epoch.stop for epoch in _EPOCHS)


def starred(name: str) -> str:
    """Put a `*` in a name for every part of it that changes from run to run."""
    return _TEXTS.sub("*", name)
