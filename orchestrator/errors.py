"""Every exception raised on purpose.

OrchestratorError
├── InputError              something the user can mend; exit code 2
│   └── TracingUnavailable  the tracing extra is not installed
├── CallFailed              one logical call, or the answer it gave, is lost
│   ├── CircuitOpen         the model keeps failing and is left alone for a while
│   ├── NoModelLeft         every model that is ready was tried before
│   ├── ProviderError       the provider refused or broke off
│   └── InvalidOutput       an answer that cannot be used: empty, cut off, not the shape asked for
├── PolicyViolation         no model may be used here
├── SandboxRefused          there is no place to run a model's code in
├── BudgetExceeded          the next call could pass the limit
├── TimeExceeded            the run's time is over
├── JournalFailed           what the run pays for could not be kept
├── AuditFailed             what the policies decided could not be kept
└── NotInJournal            a replay has come to the end of what its journal holds
"""

from typing import ClassVar


class OrchestratorError(Exception):
    """The root of the tree; `error_type` is the code that spans and metrics carry."""

    error_type: ClassVar[str] = "orchestrator_error"

    @property
    def code(self) -> str:
        """The ``error.type`` of this very failure."""
        return self.error_type


class InputError(OrchestratorError):
    """The user gave something that cannot be used; the sentence says what and what to do."""

    error_type = "invalid_input"


class TracingUnavailable(InputError):
    """Tracing was asked for where OpenTelemetry is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "Tracing is on, but OpenTelemetry is not installed. "
            "Install it with `pip install 'multi-llm-orchestrator[tracing]'`."
        )


class CallFailed(OrchestratorError):
    """One logical call failed after everything its door may try."""

    error_type = "call_failed"


class CircuitOpen(CallFailed):
    """The model was not asked, because it keeps failing."""

    error_type = "circuit_open"


class NoModelLeft(CallFailed):
    """Nobody was asked, because every model that is ready was tried before."""

    error_type = "no_model_left"


class ProviderError(CallFailed):
    """A provider refused a request or broke it off.

    The message is ours: a provider's own text can echo the prompt or a key, so it is never kept.
    """

    def __init__(
        self,
        sentence: str,
        *,
        code: str,
        retryable: bool,
        retry_after_s: float | None = None,
        status_code: int | None = None,
        billed: bool = False,
    ) -> None:
        super().__init__(sentence)
        self._code = code
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.status_code = status_code
        self.billed = billed
        """Whether the provider may have charged for it (a reply that was lost on the way)."""

    @property
    def code(self) -> str:
        """The provider-neutral code, such as ``rate_limit_exceeded`` or ``timeout``."""
        return self._code


class InvalidOutput(CallFailed):
    """An answer arrived that cannot be used."""

    error_type = "invalid_output"


class PolicyViolation(OrchestratorError):
    """Policies leave no model for what has to be done."""

    error_type = "policy_violation"


class SandboxRefused(OrchestratorError):
    """A program is not run, because nothing here can shut it off, or nothing can be started."""

    error_type = "sandbox_refused"


class BudgetExceeded(OrchestratorError):
    """The next call's worst case does not fit into what is left of the budget."""

    error_type = "budget_exceeded"


class TimeExceeded(OrchestratorError):
    """The run's time limit has passed."""

    error_type = "timeout"


class JournalFailed(OrchestratorError):
    """The journal cannot be written: what is paid from now on would be lost."""

    error_type = "journal_failed"


class AuditFailed(OrchestratorError):
    """The audit cannot be written: what policies decide from now on could not be shown."""

    error_type = "audit_failed"


class NotInJournal(OrchestratorError):
    """A replay asks nobody, and its journal ends here."""

    error_type = "not_in_journal"
