"""The tests in an output, run beside the code they are about."""

import re
from typing import Final

from orchestrator.ports import Sandbox
from orchestrator.programs import Ended, Limits, Program
from orchestrator.validators.files import all_files, has_tests, own_files, unreadable
from orchestrator.validators.specimen import Finding, Specimen, shortened

_ARGUMENTS: Final = (
    "--rootdir=.",
    "--override-ini=pythonpath=.",
    "--quiet",
    "--color=no",
    "--tb=short",
    "-pno:cacheprovider",
)
_COUNT: Final = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed)")
_SUMMARY: Final = re.compile(
    r"^(?:=+ )?((?:\d+ \w+(?:, )?)+|no tests ran) in [\d.]+s.*$", re.MULTILINE
)
_NO_PYTEST: Final = "No module named pytest"
_FAULTS: Final = (1, 2)
"""How pytest exits when tests failed, or could not be read."""

_NO_TESTS: Final = 5


async def pytest(specimen: Specimen, sandbox: Sandbox) -> Finding:
    """Every test of the output passes; of an output without any, those of what it builds on.

    Raises:
        SandboxRefused: nothing is run.
    """
    if problem := unreadable(specimen, *specimen.inputs.values()):
        return Finding("unverified", f"not run: {problem}")
    files, own = all_files(specimen), own_files(specimen)
    tests = _tests(own) or _tests(files)
    if not tests:
        return Finding("failed", "there are no tests in it")
    limits = Limits(seconds=min(Limits().seconds, specimen.seconds))
    ended = await sandbox.run(
        Program(module="pytest", arguments=(*_ARGUMENTS, *tests), files=files, limits=limits)
    )
    return _verdict(ended, limits)


def _tests(files: dict[str, str]) -> list[str]:
    return [path for path, source in files.items() if has_tests(source)]


def _verdict(ended: Ended, limits: Limits) -> Finding:
    report = shortened(ended.output)
    match ended.stopped:
        case "time" if limits.seconds < Limits().seconds:
            return Finding("unverified", "the run's time was over before the tests were")
        case "time":
            return Finding("failed", f"the tests did not end within {limits.seconds:.3g} s", report)
        case "output":
            return Finding("failed", f"the tests print more than {limits.output_bytes} bytes")
    if report.endswith(_NO_PYTEST):
        return Finding("unverified", "not run: pytest is not installed")
    return _counted(ended.exit_code, _counts(ended.output), report)


def _counted(exit_code: int | None, counts: dict[str, int], report: str) -> Finding:
    """Passed are tests that pytest says it has seen pass, and nothing less than that."""
    said = ", ".join(f"{number} {what}" for what, number in counts.items())
    if exit_code == 0 and counts.get("passed"):
        return Finding("passed", said)
    if exit_code == 0 and counts:
        return Finding("unverified", f"no test passed: {said}", report)
    if exit_code == _NO_TESTS:
        return Finding("failed", "there are no tests in it", report)
    if exit_code in _FAULTS and counts:
        return Finding("failed", said, report)
    return Finding("failed", f"the tests broke pytest off (exit code {exit_code})", report)


def _counts(output: str) -> dict[str, int]:
    """What the last summary in pytest's output counts."""
    summaries = _SUMMARY.findall(output)
    found = _COUNT.findall(summaries[-1]) if summaries else []
    return {what: int(number) for number, what in found}
