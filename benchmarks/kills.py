"""A hundred runs killed at random instants and taken up: what survives, what is paid twice.

Each run is a process that asks a counting server over loopback and is ended by SIGKILL some time
around its n-th request, n and the time by a seeded chance. `python benchmarks/kills.py [KILLS]`.
"""

import json
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.killing import Desk, Trial, killed, undisturbed
from tests.model_server import ModelServer

LATENCY_S = 0.02
SEED = 7
RESULTS = Path(__file__).parent / "results"


def main(kills: int) -> None:
    chance, began_s = random.Random(SEED), time.monotonic()
    with ModelServer(LATENCY_S) as server, tempfile.TemporaryDirectory() as folder:
        desk = Desk(server, Path(folder))
        whole = undisturbed(desk)
        trials = [
            killed(
                desk,
                whole,
                f"p{number}",
                request=chance.randint(1, whole.requests.total()),
                delay_s=chance.uniform(0, 2 * LATENCY_S),
            )
            for number in range(kills)
        ]
    figures = _figures(trials, whole.requests.total())
    print(f"{kills} kills, seed {SEED}, {time.monotonic() - began_s:.0f} s")
    for title, figure in figures.items():
        print(f"  {title:62} {figure}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "kills.json").write_text(
        json.dumps({"figures": figures, "trials": [asdict(trial) for trial in trials]}, indent=2)
    )
    if not all(trial.is_equal and trial.is_exact and not trial.paid_twice for trial in trials):
        sys.exit(1)


def _figures(trials: list[Trial], undisturbed_requests: int) -> dict[str, object]:
    return {
        "requests of the undisturbed run": undisturbed_requests,
        "survived: the results are those of the undisturbed run": sum(
            trial.code == 0 and trial.is_equal for trial in trials
        ),
        "lost: a request of the undisturbed run was never made": sum(
            trial.lost > 0 for trial in trials
        ),
        "paid twice: a journalled answer was asked for again": sum(
            trial.paid_twice for trial in trials
        ),
        "requests = undisturbed + under way at the kill": sum(
            trial.requests == undisturbed_requests + trial.under_way for trial in trials
        ),
        "cost, less what is estimated = that of the undisturbed run": sum(
            trial.is_exact for trial in trials
        ),
        "kills by calls under way": dict(sorted(Counter(t.under_way for t in trials).items())),
    }


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
