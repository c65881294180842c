"""What an import brings along: nothing heavy before it is needed."""

import subprocess
import sys

import pytest

HEAVY = (
    *("jsonschema", "prometheus_client"),
    *("anthropic", "google", "openai", "genai_prices", "httpx2"),
    *("grpc", "opentelemetry", "rich", "pytest"),
)


def modules_after(statements: str) -> set[str]:
    """The top-level packages that a fresh process has loaded after these statements."""
    check = f"import sys\n{statements}\nprint(*{{m.partition('.')[0] for m in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["orchestrator", "orchestrator.cli"])
def test_the_front_door_imports_the_standard_library_alone(module: str) -> None:
    loaded = modules_after(f"import {module}")

    assert loaded.isdisjoint((*HEAVY, "pydantic", "stamina", "typer", "yaml"))


def test_help_imports_the_standard_library_alone() -> None:
    loaded = modules_after(
        "import contextlib, io\n"
        "from orchestrator.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "    main(['--help'])"
    )

    assert loaded.isdisjoint((*HEAVY, "pydantic", "stamina", "typer", "yaml"))


def test_everything_that_a_run_needs_is_imported_without_an_sdk() -> None:
    loaded = modules_after("import orchestrator.cli.command")

    assert "pydantic" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_every_exported_name_is_imported_without_opentelemetry() -> None:
    loaded = modules_after("from orchestrator import *")

    assert loaded.isdisjoint(HEAVY)
