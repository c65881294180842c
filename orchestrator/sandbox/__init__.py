"""Where programs that a model wrote are run: shut off from everything, or not at all."""

from orchestrator.sandbox.bubblewrap import Bubblewrap
from orchestrator.sandbox.unsafe import Unsandboxed

__all__ = ["Bubblewrap", "Unsandboxed"]
