"""Whether a failed attempt is made again, and how long to wait before it."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.errors import ProviderError


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """The one owner of retries: providers' SDKs have theirs switched off, so none multiply."""

    attempts: int = 4
    """Requests that one call may send at most."""
    first_s: float = 0.5
    """The longest wait before the second attempt; it doubles from there."""
    longest_s: float = 60.0
    """No wait is longer: a call that is told to come back later than this has failed."""
    jitter: Callable[[], float] = random.random
    """0 to 1; keeps calls that failed together from coming back together."""

    def wait_s(self, error: ProviderError, attempt: int) -> float | None:
        """Seconds to wait after the failure of this attempt (from 1); None: it is final.

        A provider's own ``Retry-After`` is kept to the letter.
        """
        if not error.retryable or attempt >= self.attempts:
            return None
        if error.retry_after_s is not None:
            return error.retry_after_s if error.retry_after_s <= self.longest_s else None
        ceiling: float = min(self.longest_s, self.first_s * 2 ** (attempt - 1))
        return ceiling * (1 + self.jitter()) / 2
