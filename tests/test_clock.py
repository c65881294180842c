"""Real time, which most tests do without."""

from orchestrator.clock import SystemClock


async def test_the_systems_clock_waits_and_never_runs_backwards() -> None:
    clock = SystemClock()
    before = clock.monotonic()

    await clock.sleep(0.001)

    assert clock.monotonic() >= before + 0.001
