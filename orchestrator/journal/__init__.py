"""The journal: nothing is paid twice and nothing is lost, whatever ends a run.

One append-only file a project: checkpoint, cache, audit and replay in one.
"""

from orchestrator.journal.history import History, Spending
from orchestrator.journal.keeping import Journal
from orchestrator.journal.shelf import Shelf

__all__ = ["History", "Journal", "Shelf", "Spending"]
