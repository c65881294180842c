"""What a plan may cost before anything of it is run."""

from decimal import Decimal

from orchestrator.forecast import forecast
from orchestrator.models import Brief, Plan, Settings, Task
from tests.fakes import model

PLAN = Plan(tasks=(Task(id="t1", title="a", instructions="b", type="writing"),))
PROMPTS_OF_AN_ITERATION = 4


def test_room_to_think_is_part_of_the_most_that_a_task_can_cost() -> None:
    settings = Settings(max_iterations=2)
    plain, thinking = model(), model(thinking_tokens=1000)

    without = forecast(Brief(project="p"), PLAN, [plain], settings)["t1"]
    with_room = forecast(Brief(project="p"), PLAN, [thinking], settings)["t1"]

    # At a dollar per million tokens each prompt's room costs a tenth of a cent.
    assert with_room - without == 2 * PROMPTS_OF_AN_ITERATION * Decimal("0.001")


def test_the_dearest_model_takes_every_call() -> None:
    cheap, dear = (
        model(price={"input": 1, "output": 1}),
        model("d", price={"input": 9, "output": 9}),
    )

    both = forecast(Brief(project="p"), PLAN, [cheap, dear], Settings())

    assert both == forecast(Brief(project="p"), PLAN, [dear], Settings())
