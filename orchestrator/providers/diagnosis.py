"""What a model lacks to be used in a run, as far as that shows without asking anybody."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from orchestrator import prices
from orchestrator.catalogue import Catalogue, ModelEntry
from orchestrator.errors import InputError
from orchestrator.providers import access, ready_models, speaker

State = Literal["ready", "resting", "not_ready"]
"""Whether a run uses it: yes; no, because remote models are ready; no, because it lacks something.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One model's state, and what would change it."""

    model: ModelEntry
    state: State
    missing_key: str | None = None
    """The variable that has to be set."""
    install: str | None = None
    """The command that installs its SDK."""
    problem: str | None = None
    """What is wrong with its key, its base URL or its price, in a sentence."""

    @property
    def is_remote(self) -> bool:
        """There is a server behind it."""
        return self.model.api != "offline"

    @property
    def stops_runs(self) -> bool:
        """It was meant to be used and cannot be: every run is refused until that is mended."""
        return self.state == "not_ready" and self.missing_key is None


def diagnose(catalogue: Catalogue, environ: Mapping[str, str]) -> tuple[Diagnosis, ...]:
    """What each model of the catalogue lacks, in its order."""
    chosen = ready_models(catalogue, environ)
    return tuple(
        _diagnosis(entry, environ, is_chosen=entry in chosen) for entry in catalogue.entries()
    )


def _diagnosis(entry: ModelEntry, environ: Mapping[str, str], *, is_chosen: bool) -> Diagnosis:
    if entry.api == "offline":
        return Diagnosis(model=entry, state="ready" if is_chosen else "resting")
    speaks = speaker(entry.api)
    missing_key = None if access.has_key(entry, environ) else entry.key_env
    install = speaks.sdk.how_to_install if speaks.sdk.lack else None
    problem = None
    if missing_key is None and install is None:
        try:
            speaks(entry, environ)
            prices.refuse_unpriced([entry])
        except InputError as error:
            problem = str(error)
    return Diagnosis(
        model=entry,
        state="not_ready" if missing_key or install or problem else "ready",
        missing_key=missing_key,
        install=install,
        problem=problem,
    )
