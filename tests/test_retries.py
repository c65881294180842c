"""When a failed request is sent again, and after how long."""

import pytest

from orchestrator.errors import ProviderError
from orchestrator.retries import Retries


def failure(*, retryable: bool = True, retry_after_s: float | None = None) -> ProviderError:
    return ProviderError("it broke", code="x", retryable=retryable, retry_after_s=retry_after_s)


def test_waits_double_up_to_the_longest_one() -> None:
    retries = Retries(attempts=9, first_s=1, longest_s=10, jitter=lambda: 1.0)

    waits = [retries.wait_s(failure(), attempt) for attempt in range(1, 7)]

    assert waits == [1, 2, 4, 8, 10, 10]


def test_jitter_takes_up_to_half_of_a_wait() -> None:
    assert Retries(first_s=1, jitter=lambda: 0.0).wait_s(failure(), 1) == 0.5
    assert Retries(first_s=1, jitter=lambda: 0.5).wait_s(failure(), 1) == 0.75


def test_the_last_attempt_is_the_last() -> None:
    retries = Retries(attempts=3)

    assert retries.wait_s(failure(), 2) is not None
    assert retries.wait_s(failure(), 3) is None


def test_what_no_retry_can_mend_is_final() -> None:
    assert Retries().wait_s(failure(retryable=False), 1) is None


@pytest.mark.parametrize("seconds", [0, 7.5, 60])
def test_retry_after_is_kept_to_the_letter(seconds: float) -> None:
    assert Retries(longest_s=60).wait_s(failure(retry_after_s=seconds), 1) == seconds


def test_a_retry_after_longer_than_the_longest_wait_is_final() -> None:
    assert Retries(longest_s=60).wait_s(failure(retry_after_s=61), 1) is None
