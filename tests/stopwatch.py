"""Time as the code took it, on a machine that others use too."""

import threading
import time
from types import TracebackType
from typing import Final, Self

_TICK_S: Final = 0.01


class Stopwatch:
    """Measures a block without what the machine kept it waiting for.

    A thread that wants nothing but to wake up a hundred times a second knows that: whatever it
    oversleeps, the block has lost as well. On an idle machine it deducts next to nothing.
    """

    def __init__(self) -> None:
        self.took_s = 0.0
        self._late_s = 0.0
        self._done = threading.Event()
        self._bystander = threading.Thread(target=self._stand_by, daemon=True)

    def __enter__(self) -> Self:
        self._begun = time.monotonic()
        self._bystander.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        took_s = time.monotonic() - self._begun
        self._done.set()
        self._bystander.join()
        self.took_s = took_s - self._late_s

    def _stand_by(self) -> None:
        while not self._done.is_set():
            lain_down = time.monotonic()
            self._done.wait(_TICK_S)
            self._late_s += max(time.monotonic() - lain_down - _TICK_S, 0)
