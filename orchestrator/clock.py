"""Real time."""

import asyncio
import time


class SystemClock:
    """The machine's own clock, behind the `Clock` port."""

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
