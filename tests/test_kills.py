"""`kill -9` in the middle of a run, and `--resume`: nothing is lost and nothing is paid twice.

A hundred of these at random instants are `benchmarks/kills.py`.
"""

import json
from collections import Counter
from collections.abc import Iterator
from multiprocessing.context import ForkServerProcess

import pytest

from tests.killing import Desk, Whole, killed, undisturbed
from tests.model_server import ModelServer


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with ModelServer(latency_s=0.02) as server:
        yield Desk(server, tmp_path_factory.mktemp("kills"))


@pytest.fixture(scope="module")
def whole(desk: Desk) -> Whole:
    return undisturbed(desk)


@pytest.mark.parametrize("request_number", [1, 5, 16])
def test_a_killed_run_is_taken_up_and_ends_as_if_it_had_not_been(
    desk: Desk, whole: Whole, request_number: int
) -> None:
    trial = killed(desk, whole, f"p{request_number}", request_number, delay_s=0.01)

    assert (trial.code, trial.is_equal, trial.is_exact) == (0, True, True)
    assert (trial.lost, trial.paid_twice) == (0, 0)
    assert trial.requests == whole.requests.total() + trial.under_way


def test_a_second_process_on_one_project_is_refused_until_the_first_is_gone(
    desk: Desk, whole: Whole
) -> None:
    """A lock that a killed process held is no one's."""
    refused: list[ForkServerProcess] = []

    def meet(number: int) -> None:
        if number == 3:
            desk.server.on_request = lambda _: None
            refused.append(desk.resume("twice"))
            refused[0].join(30)
            first.kill()

    desk.server.requests.clear()
    desk.server.on_request = meet
    first = desk.begin("twice")
    first.join(30)

    assert refused[0].exitcode == 2
    assert desk.ended(desk.resume("twice")).code == 0


def test_processes_side_by_side_in_one_directory_do_not_mix(desk: Desk, whole: Whole) -> None:
    """They all ask the same: what they share would be told to the wrong one."""
    desk.server.requests.clear()
    processes = [desk.begin(f"side-{number}") for number in range(10)]

    ends = [desk.ended(process) for process in processes]

    assert [end.code for end in ends] == [0] * 10
    assert Counter(desk.server.requests) == Counter({k: 10 * n for k, n in whole.requests.items()})
    assert {json.loads(end.out)["total_cost_usd"] for end in ends} == {whole.cost_usd}
