"""Where what outlives a run is kept: journals, and what is known of each model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

ENVIRON: Final = "ORCHESTRATOR_STATE_DIR"
"""The environment variable that moves it."""

_APPLICATION: Final = "multi-llm-orchestrator"


def state_dir(given: Path | str | None, environ: Mapping[str, str]) -> Path:
    """The directory that was given, else the environment's, else the platform's for state.

    Nothing is created here; the one who writes first does that.
    """
    named = given or environ.get(ENVIRON)
    if named:
        return Path(named).expanduser().absolute()
    # Imported here: a library that keeps nothing never asks the platform.
    from platformdirs import user_state_path

    return user_state_path(_APPLICATION, appauthor=False)
