"""Figures for Prometheus: in a file of node_exporter's textfile collector, or over HTTP."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import InputError
from orchestrator.figures import Family

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

    from prometheus_client import CollectorRegistry, Metric
    from prometheus_client.samples import Sample

LOOPBACK: Final = "127.0.0.1"
"""What is asked of whom, and what it costs, is nobody's business beyond the machine."""

SUFFIX: Final = ".prom"
"""Of the files that the textfile collector reads."""

_PORTS: Final = range(1 << 16)
_OURS: Final = "orchestrator_"
_Key = tuple[str, tuple[tuple[str, str], ...]]


class PrometheusExporter:
    """Keeps a textfile, answers on the loopback, or both.

    What the file holds is added to, by however many processes: runs that are short add up, and a
    counter never goes back. Whoever reads it finds it whole.

    Args:
        path: the textfile.
        port: where to answer HTTP; 0 takes a free one.

    Raises:
        InputError: prometheus_client is not installed, the file cannot be written or is not ours,
            or somebody else has the port.
    """

    def __init__(self, *, path: Path | None = None, port: int | None = None) -> None:
        _refuse_missing()
        self._path = path
        self._families: tuple[Family, ...] = ()
        self._written: dict[_Key, float] = {}
        if path is not None:
            _refuse_unusable(path)
        self._server = None if port is None else self._answering(port)

    @property
    def port(self) -> int | None:
        """Where it answers, if it does."""
        return None if self._server is None else self._server.server_port

    def export(self, families: tuple[Family, ...], *, is_settled: bool) -> None:
        """Take the figures, and bring the file up to date.

        Raises:
            OSError: the file cannot be written.
        """
        del is_settled
        self._families = families
        if self._path is not None:
            self._add_to(self._path)

    def close(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def collect(self) -> "Iterator[Metric]":
        """The figures of this process: what prometheus_client asks a collector for."""
        return (_metric(family) for family in self._families if family.samples)

    def _add_to(self, path: Path) -> None:
        """Add what is new since the last time to what stands in the file."""
        from prometheus_client import write_to_textfile

        new = tuple(self.collect())
        with _locked(path):
            metrics = {metric.name: metric for metric in _read(path)}
            for metric in new:
                before = metrics.get(metric.name)
                metrics[metric.name] = _sum(metric, self._written, before.samples if before else ())
            write_to_textfile(str(path), _registry_of(_Fixed(tuple(metrics.values()))))
        self._written = {_key(each): each.value for metric in new for each in metric.samples}

    def _answering(self, port: int) -> "WSGIServer":
        from prometheus_client import start_http_server

        if port not in _PORTS:
            raise InputError(f"There is no port {port}: name one from 0 to {_PORTS[-1]}.")
        try:
            server, _ = start_http_server(port, LOOPBACK, _registry_of(self))
        except OSError as error:
            raise InputError(
                f"Cannot answer on port {port} of {LOOPBACK}: {error.strerror}. Name another port."
            ) from error
        return server


@dataclass(frozen=True, slots=True, eq=False)
class _Fixed:
    """A collector of what is there already."""

    metrics: "tuple[Metric, ...]"

    def collect(self) -> "Iterable[Metric]":
        return self.metrics


def _registry_of(collector: "PrometheusExporter | _Fixed") -> "CollectorRegistry":
    from prometheus_client import CollectorRegistry

    registry = CollectorRegistry()
    registry.register(collector)
    return registry


def _metric(family: Family) -> "Metric":
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

    if family.kind == "counter":
        counter = CounterMetricFamily(family.name, family.brief, labels=family.labels)
        for sample in family.samples:
            counter.add_metric(sample.labels, sample.value)
        return counter
    histogram = HistogramMetricFamily(family.name, family.brief, labels=family.labels)
    bounds = (*map(str, family.bounds), "+Inf")
    for sample in family.samples:
        buckets = list(zip(bounds, map(float, sample.buckets), strict=True))
        histogram.add_metric(sample.labels, buckets, sample.value)
    return histogram


def _sum(metric: "Metric", written: Mapping[_Key, float], before: "Iterable[Sample]") -> "Metric":
    """What was there, and of this metric what was not yet added to it; all of it is additive."""
    sums = {_key(sample): sample for sample in before}
    for sample in metric.samples:
        key = _key(sample)
        new = sample.value - written.get(key, 0.0)
        sums[key] = sample._replace(value=new + (sums[key].value if key in sums else 0.0))
    summed = _metric_like(metric)
    summed.samples = list(sums.values())
    return summed


def _metric_like(metric: "Metric") -> "Metric":
    from prometheus_client import Metric

    return Metric(metric.name, metric.documentation, metric.type)


def _key(sample: "Sample") -> _Key:
    return sample.name, tuple(sorted(sample.labels.items()))


def _read(path: Path) -> "Iterator[Metric]":
    """The metrics of a file; of none, none.

    Raises:
        ValueError: it is no such file.
    """
    from prometheus_client.parser import text_string_to_metric_families

    if path.exists():
        yield from text_string_to_metric_families(path.read_text(encoding="utf-8"))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other processes from the file; the lock is a file beside it, for it is replaced."""
    import fcntl  # which not every system has

    with path.with_name(f".{path.name}.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _refuse_missing() -> None:
    try:
        import prometheus_client  # noqa: F401
    except ImportError:
        raise InputError(
            "Metrics for Prometheus need prometheus_client, which is not installed. "
            "Install it with `pip install 'multi-llm-orchestrator[prometheus]'`."
        ) from None


def _refuse_unusable(path: Path) -> None:
    try:
        with _locked(path):
            foreign = [metric.name for metric in _read(path) if not metric.name.startswith(_OURS)]
    except OSError as error:
        raise InputError(
            f"Cannot write the metrics file {str(path)!r}: {error.strerror}. Name another one."
        ) from error
    except ValueError as error:
        raise InputError(
            f"The metrics file {str(path)!r} holds something else than metrics. Name another one."
        ) from error
    if foreign:
        raise InputError(
            f"The metrics file {str(path)!r} holds {foreign[0]!r}, which is not ours. "
            "Name another one."
        )
