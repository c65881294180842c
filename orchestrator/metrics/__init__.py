"""Figures for whoever watches many runs: counted from events, exported in the form they like."""

import sys
from pathlib import Path

from orchestrator.errors import InputError
from orchestrator.metrics.meter import Meter
from orchestrator.metrics.plain import ConsoleExporter, JSONExporter
from orchestrator.metrics.prometheus import LOOPBACK, SUFFIX, PrometheusExporter
from orchestrator.ports import MetricsExporter

__all__ = [
    "LOOPBACK",
    "ConsoleExporter",
    "JSONExporter",
    "Meter",
    "PrometheusExporter",
    "exporter_for",
]


def exporter_for(place: str) -> MetricsExporter:
    """The exporter that a place calls for: ``-``, or a file by its suffix.

    Raises:
        InputError: nobody writes such a file, or it cannot be written.
    """
    if place == "-":
        return ConsoleExporter(sys.stderr)
    match Path(place).suffix:
        case ".json":
            return JSONExporter(Path(place))
        case suffix if suffix == SUFFIX:
            return PrometheusExporter(path=Path(place))
        case _:
            raise InputError(
                f"The metrics file {place!r} ends neither in {SUFFIX} (for Prometheus) nor in "
                ".json. Name one that does."
            )
