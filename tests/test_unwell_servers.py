"""A server that is down, and what it is still asked: counted at the server itself."""

from collections.abc import Callable
from typing import Any

from orchestrator.breaker import FAILURES_TO_OPEN
from orchestrator.engine import Orchestrator
from orchestrator.models import RunStatus, Settings
from tests.aimock import KEY, Aimock
from tests.fakes import ManualClock, catalogue, model
from tests.stories import critique, plan, score

DOWN = {"error": {"message": "overloaded", "type": "server_error"}, "status": 503}


def answer(asked: str, content: str) -> dict[str, Any]:
    return {"match": {"userMessage": asked}, "response": {"content": content}}


WELL = (
    answer('{"tasks"', plan(*((name, []) for name in "abcd"))),
    answer("Carry out the task", "A first draft."),
    answer('{"points"', critique()),
    answer('{"reason"', score(0.9)),
)
UNWELL = (
    WELL[0],
    {"match": {"userMessage": "Carry out the task"}, "response": DOWN},
    *WELL[2:],
)


def asked_to_write(server: Aimock) -> int:
    return sum("Carry out the task" in str(request) for request in server.journal())


async def test_a_server_that_is_down_is_asked_until_its_breaker_opens_and_then_left_alone(
    aimock: Callable[..., Aimock], traced
) -> None:
    down, well = aimock(*UNWELL), aimock(*WELL)
    known = catalogue(
        *(
            model(
                name,
                provider=f"{name}_inc",
                api="openai",
                base_url=server.base_url,
                key_env="AIMOCK_KEY",
                quality=quality,
            )
            for name, server, quality in (("down", down, 0.9), ("well", well, 0.5))
        )
    )

    async with Orchestrator(
        catalogue=known,
        environ={"AIMOCK_KEY": KEY},
        settings=Settings(concurrency=1),
        clock=ManualClock(),
    ) as orchestrator:
        state = await orchestrator.run_project("Make it")

    assert state.status is RunStatus.SUCCESS
    assert {result.model for result in state.results} == {"well"}
    assert asked_to_write(down) == FAILURES_TO_OPEN
    assert asked_to_write(well) == 4
    opened = [
        event.attributes
        for call in traced.all("llm_call:generate")
        for event in call.events
        if event.name == "orchestrator.circuit_breaker"
    ]
    assert opened == [{"provider": "down_inc", "from_state": "closed", "to_state": "open"}]
