"""The names that `orchestrator` exports."""

import importlib
import subprocess
import sys

import pytest

import orchestrator


def test_the_exported_names_are_sorted() -> None:
    assert orchestrator.__all__ == sorted(orchestrator.__all__)


@pytest.mark.parametrize("name", orchestrator.__all__)
def test_every_exported_name_is_the_one_of_its_room(name: str) -> None:
    exported = getattr(orchestrator, name)

    assert exported is getattr(importlib.import_module(exported.__module__), name)


def test_dir_shows_the_exported_names() -> None:
    assert dir(orchestrator) == orchestrator.__all__


def test_a_name_that_is_not_exported_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'orchestrator' has no attribute 'Engine'"):
        _ = orchestrator.Engine


def test_a_star_import_brings_every_exported_name() -> None:
    check = "from orchestrator import *; print(sorted(n for n in dir() if n[0] != '_'))"

    found = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True
    )

    assert found.stdout.strip() == repr(orchestrator.__all__)
