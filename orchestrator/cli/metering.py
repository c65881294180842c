"""Who is given the figures of a run, as the command line names them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from orchestrator import metrics
from orchestrator.cli import streams
from orchestrator.cli.arguments import Arguments
from orchestrator.hooks import HookRegistry
from orchestrator.ports import MetricsExporter


@contextmanager
def metered(hooks: HookRegistry, given: Arguments) -> Iterator[None]:
    """Count what happens within the block.

    Raises:
        InputError: a file or a port that is named cannot be used.
    """
    exporters = list[MetricsExporter]()
    with ExitStack() as stack:
        if given.metrics_file is not None:
            exporters.append(metrics.exporter_for(given.metrics_file))
        if given.metrics_port is not None:
            answering = metrics.PrometheusExporter(port=given.metrics_port)
            stack.callback(answering.close)
            exporters.append(answering)
            if not given.is_silent:
                where = f"http://{metrics.LOOPBACK}:{answering.port}/metrics"
                streams.say(f"Figures are at {where} while the run lasts.")
        if exporters:
            stack.enter_context(hooks.listening(metrics.Meter(*exporters)))
        yield
