"""A vendor's official SDK: where it comes from, and whether it is here."""

import importlib.util
from dataclasses import dataclass
from importlib.metadata import version


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdk:
    """A vendor's official SDK."""

    vendor: str
    distribution: str
    major: int
    """The oldest major version that will do."""
    module: str
    extra: str
    """The extra of this package that installs it."""
    url: str
    """Where requests go unless told otherwise."""

    @property
    def lack(self) -> str | None:
        """What keeps it from being imported, in a clause; None: nothing does, and it is not."""
        if not _is_there(self.module):
            return "which is not installed"
        installed = version(self.distribution)
        if int(installed.partition(".")[0]) < self.major:
            return f"of which {installed} is installed, and {self.major} is needed"
        return None

    @property
    def how_to_install(self) -> str:
        """The command."""
        return f"pip install 'multi-llm-orchestrator[{self.extra}]'"


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package around it
        return False
