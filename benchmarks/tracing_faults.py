"""What a run pays for a receiver that does not take its spans: time, spans, and what is said."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.receivers import receiver, refusing, silent

BOUND_S = 1.0
RUN = """
import sys, time
from orchestrator.tracing import *
bound = float(sys.argv[2])
configure_tracing(TracingConfig(enabled=True, otlp_endpoint=sys.argv[1], flush_timeout_s=bound))
with traced_run("p1"):
    for number in range(int(sys.argv[3]) - 1):
        with traced_task(f"t{number}", "writing"):
            pass
started = time.monotonic()
delivered = shutdown_tracing()
print(time.monotonic() - started)
"""


@contextmanager
def _endpoint(kind: str) -> Iterator[str]:
    if kind == "refused":
        with refusing() as address:
            yield address
    elif kind == "silent":
        with silent() as address:
            yield address
    else:
        refuses = grpc.StatusCode.UNAVAILABLE if kind == "unavailable" else None
        with receiver(hangs=kind == "hanging", refuses=refuses) as server:
            yield server.endpoint


def _measured(kind: str, path: str, spans: int) -> str:
    with _endpoint(kind) as address:
        bound = 60.0 if kind == "live" else BOUND_S
        command = [sys.executable, "-c", RUN, f"http://{address}{path}", str(bound), str(spans)]
        started = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        whole_s = time.monotonic() - started
    said = done.stderr.strip().splitlines()
    lost = said[0].split(" ")[0] if said else "0"
    return (
        f"  {kind:12} {'http' if path else 'grpc':5} {spans:7} {float(done.stdout):9.2f} "
        f"{whole_s:9.2f} {lost:>7} {len(said):6}  {said[0][:90] if said else ''}"
    )


if __name__ == "__main__":
    print(f"tracing_faults: closed within {BOUND_S:g} s (a live receiver within 60 s)")
    print("  endpoint     over    spans   close s   whole s    lost  lines  the line")
    for kind in ("refused", "silent", "hanging", "unavailable"):
        for path in ("", "/v1/traces"):
            for spans in (10, 3_000):
                print(_measured(kind, path, spans))
    for spans in (10_000, 100_000):
        print(_measured("live", "", spans))
