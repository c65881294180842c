"""What keeps validators from being made here, found out before a run needs to know."""

from importlib.util import find_spec

from orchestrator.errors import SandboxRefused
from orchestrator.models import Task
from orchestrator.ports import Sandbox
from orchestrator.validators.specimen import Specimen
from orchestrator.validators.testing import pytest

_TEST = "def test_it():\n    assert True\n"


async def hindrances(sandbox: Sandbox) -> dict[str, str | None]:
    """Why each validator that needs more than Python would be unverified; None where it would not.

    Of pytest it is found out by running a test.
    """
    return {
        "pytest": await _of_pytest(sandbox),
        "ruff": _of_module("ruff"),
        "json_schema": _of_module("jsonschema"),
    }


async def _of_pytest(sandbox: Sandbox) -> str | None:
    task = Task(id="t1", title="", instructions="", type="code_generation")
    try:
        finding = await pytest(Specimen(task=task, output=_TEST), sandbox)
    except SandboxRefused as refusal:
        return str(refusal)
    return None if finding.outcome == "passed" else finding.detail.removeprefix("not run: ")


def _of_module(name: str) -> str | None:
    return None if find_spec(name) else f"{name} is not installed"
