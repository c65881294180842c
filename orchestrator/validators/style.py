"""What ruff says of the code in an output; it reads code and runs none."""

from typing import Final

from orchestrator.programs import Limits, Program
from orchestrator.sandbox import Unsandboxed
from orchestrator.validators.files import own_files, unreadable
from orchestrator.validators.specimen import Finding, Specimen, shortened

RULES: Final = "E4,E7,E9,F"
"""Ruff's own defaults: errors, not taste. What is configured on this machine does not count."""

_ARGUMENTS: Final = (
    "check",
    "--isolated",
    "--no-cache",
    "--quiet",
    "--output-format=concise",
    f"--select={RULES}",
    ".",
)
_NO_RUFF: Final = "No module named ruff"
_SECONDS: Final = 10.0


async def ruff(specimen: Specimen) -> Finding:
    """Ruff finds no error in any file of the output."""
    if problem := unreadable(specimen):
        return Finding("unverified", f"not run: {problem}")
    files = own_files(specimen)
    if not files:
        return Finding("failed", "no Python code")
    limits = Limits(seconds=min(_SECONDS, specimen.seconds))
    ended = await Unsandboxed().run(
        Program(module="ruff", arguments=_ARGUMENTS, files=files, limits=limits)
    )
    report = shortened(ended.output)
    match ended.exit_code:
        case 0:
            return Finding("passed")
        case 1 if report.endswith(_NO_RUFF):
            return Finding("unverified", "not run: ruff is not installed")
        case 1:
            return Finding("failed", "ruff finds errors in it", report)
        case _:
            return Finding("unverified", "ruff did not finish", report)
