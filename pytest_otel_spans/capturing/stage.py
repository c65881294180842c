"""Whose code runs on pytest's own thread: the suite's, or that of pytest and its plugins."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager


class Stage:
    """Open while a fixture or a test body runs, shut while pytest or a plugin does.

    A plugin may open spans of its own around the test; the stage tells them from the suite's.

    Attributes:
        tests: How many tests began so far.
    """

    __slots__ = ("_open", "_thread", "tests")

    def __init__(self) -> None:
        self.tests = 0
        self._open = False
        self._thread = threading.get_ident()

    def suite(self) -> AbstractContextManager[None]:
        """Mark what runs inside as the suite's code."""
        return self._set(is_open=True)

    def pytest_itself(self) -> AbstractContextManager[None]:
        """Mark what runs inside as code of pytest or of a plugin."""
        return self._set(is_open=False)

    def runs_pytest_itself(self) -> bool:
        """Whether the calling thread is pytest's and runs no code of the suite."""
        return not self._open and threading.get_ident() == self._thread

    @contextmanager
    def _set(self, *, is_open: bool) -> Iterator[None]:
        before = self._open, self._thread
        self._open, self._thread = is_open, threading.get_ident()
        try:
            yield
        finally:
            self._open, self._thread = before
