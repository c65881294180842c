"""The console's answer to "where did this run spend its time and money?"."""

from orchestrator.waterfall.draw import draw
from orchestrator.waterfall.trace import SpanRecord, Trace, traces_of
from orchestrator.waterfall.words import Line, Part

__all__ = ["Line", "Part", "SpanRecord", "Trace", "draw", "traces_of"]
