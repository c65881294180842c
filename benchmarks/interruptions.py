"""How long a run takes to stop: from the signal to the end of the process, on every stage of it.

The server answers up to the n-th request and lets that one hang; then the process is sent SIGINT.
"""

import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.killing import LIMIT_S, Desk
from tests.model_server import ModelServer

ROUNDS = 16
RESULTS = Path(__file__).parent / "results"


def _stopped(folder: Path, request: int) -> tuple[int | None, float]:
    """The exit code, and seconds."""
    with ModelServer(lambda number: 3600.0 if number >= request else 0.0) as server:
        desk = Desk(server, folder)
        sent: list[float] = []

        def interrupt(number: int) -> None:
            if number == request:
                sent.append(time.monotonic())
                os.kill(process.pid or 0, signal.SIGINT)

        server.on_request = interrupt
        process = desk.begin(f"p{request}")
        process.join(LIMIT_S)
        return process.exitcode, time.monotonic() - sent[0]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        stops = [_stopped(Path(folder), request) for request in range(1, ROUNDS + 1)]
    figures = {
        "interrupted at each request of a run": len(stops),
        "exit code 130": sum(code == 130 for code, _ in stops),
        "longest, in seconds": round(max(seconds for _, seconds in stops), 2),
    }
    for title, figure in figures.items():
        print(f"  {title:62} {figure}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "interruptions.json").write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
