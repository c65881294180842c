"""How a run ended, as the number that the process answers."""

from typing import Final

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.models import RunStatus

EXIT_CODES: Final = {
    RunStatus.SUCCESS: ExitCode.SUCCESS,
    RunStatus.COMPLETED_DEGRADED: ExitCode.FAILURE,
    RunStatus.PARTIAL_SUCCESS: ExitCode.FAILURE,
    RunStatus.FAILED: ExitCode.FAILURE,
    RunStatus.BUDGET_EXHAUSTED: ExitCode.EXHAUSTED,
    RunStatus.TIMEOUT: ExitCode.EXHAUSTED,
    RunStatus.CANCELLED: ExitCode.INTERRUPTED,
}
