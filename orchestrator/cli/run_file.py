"""A run as it was asked for: the entries of ``--file``, the flags over them, all checked."""

import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from orchestrator import documents, remediation
from orchestrator.errors import InputError
from orchestrator.models import Settings, TaskType
from orchestrator.routing import BackendName, RoutingBackend, Weights, backend_called

_DEFAULTS: Final = Settings()
_MAX_ID_LENGTH: Final = 64
_PATHS: Final = ("models", "policies", "output_dir")


class RunFile(BaseModel):
    """What a run file may hold: flags by their names with underscores, and what has no flag."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    project: str
    criteria: str = ""
    project_id: str | None = None
    budget: float | None = None
    time: float | None = None
    concurrency: Annotated[int, Field(ge=1)] = _DEFAULTS.concurrency
    threshold: Annotated[float, Field(ge=0, le=1)] = _DEFAULTS.threshold
    max_iterations: Annotated[int, Field(ge=1)] = _DEFAULTS.max_iterations
    max_tasks: Annotated[int, Field(ge=1)] = _DEFAULTS.max_tasks
    models: str | None = None
    policies: str | None = None
    routing: BackendName = "pareto"
    weights: Weights | None = None
    """Of the weighted sum; a file says them, for as flags they would be three."""
    output_dir: str | None = None
    validators: dict[TaskType, list[str]] = Field(default_factory=dict)
    """Hard validators by the type of task that has them, whatever the plan says; of files alone."""

    skippable: list[str] = Field(default_factory=list)
    """Hard validators that a recovery may set aside."""
    remediation: dict[str, list[str]] = Field(default_factory=dict)
    """Recovery plans by trigger; `remediation.checked` says what may stand there."""

    @property
    def settings(self) -> Settings:
        """How hard the run is to try."""
        return Settings(
            threshold=self.threshold,
            max_iterations=self.max_iterations,
            max_tasks=self.max_tasks,
            concurrency=self.concurrency,
            validators={kind: tuple(names) for kind, names in self.validators.items()},
            skippable=tuple(self.skippable),
            remediation=remediation.checked(self.remediation),
        )

    @property
    def backend(self) -> RoutingBackend:
        """What the best of several models is."""
        return backend_called(self.routing, self.weights)

    @field_validator("weights")
    @classmethod
    def _are_used(cls, value: Weights | None, info: ValidationInfo) -> Weights | None:
        routing = info.data.get("routing", "weighted")
        if value is not None and routing != "weighted":
            raise ValueError(f"they are those of `routing: weighted`, and routing is {routing!r}")
        return value

    @field_validator("*")
    @classmethod
    def _is_text(cls, value: Any) -> Any:
        """Refuse what no file name and no request can carry."""
        if isinstance(value, str) and ("\0" in value or not _is_unicode(value)):
            raise ValueError("it holds bytes that are no UTF-8 text")
        return value

    @field_validator("project")
    @classmethod
    def _says_something(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("say in a sentence what is to be made")
        return value

    @field_validator("project_id")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        """An id stands in spans, file names and on command lines."""
        harmless = value is None or (
            len(value) <= _MAX_ID_LENGTH
            and value.isascii()
            and value[:1].isalnum()
            and value.replace("-", "").replace("_", "").replace(".", "").isalnum()
        )
        if not harmless:
            raise ValueError(
                f"use up to {_MAX_ID_LENGTH} letters, digits, '-', '_' and '.', "
                "the first a letter or a digit"
            )
        return value


def describe(flags: Mapping[str, Any], file: Path | None) -> RunFile:
    """Lay the flags that were given (not None) over the file's entries and check the whole.

    A path in the file is relative to the file; a flag's path to the current directory.

    Raises:
        InputError: the file cannot be read, or an entry or a flag cannot be used.
    """
    given = {key: value for key, value in flags.items() if value is not None}
    entries = _read(file) if file is not None else {}
    try:
        return RunFile.model_validate({**entries, **given})
    except ValidationError as error:
        raise InputError(_sentence(error, given, file)) from error


def _read(file: Path) -> dict[str, Any]:
    entries = documents.read(file, "run file")
    if not isinstance(entries, dict):
        raise InputError(
            f"The run file {str(file)!r} holds {reprlib.repr(entries)} instead of entries such as "
            "`project: Build a …`."
        )
    beside = {
        key: str(file.parent / entries[key]) for key in _PATHS if isinstance(entries.get(key), str)
    }
    return {str(key): value for key, value in {**entries, **beside}.items()}


def _sentence(error: ValidationError, given: Mapping[str, Any], file: Path | None) -> str:
    """Name the place in the user's terms: the flag, the entry, or what nobody said."""
    fault = documents.fault(error, RunFile)
    if fault == "project is missing":
        return "There is no project; say it with --project TEXT or in a --file."
    key = fault.partition(" ")[0]
    if key in given:
        fault = f"--{key.replace('_', '-')}{fault.removeprefix(key)}"
        return documents.ended(fault)
    return f"The run file {str(file)!r} is wrong: {documents.ended(fault)}"


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
