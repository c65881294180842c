"""The sentences of the offline author, as data."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict

from orchestrator.providers.offline.words import asks_for, mentions

Measure = Literal["types", "docstrings", "imports", "tests", "refusals", "size", "examples"]


class _Frame(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Answered(_Frame):
    """A text for criteria that ask for it in one of these ways."""

    asked: tuple[str, ...]
    text: str


class Fact(Answered):
    """Something true of every program that the author knows."""

    shown_by: Measure
    """What a review measures, to show that it is so."""


class Standing(_Frame):
    """A section that texts of a type have whatever the criteria are."""

    point: str
    basic: bool = False
    text: str


class Frames(_Frame):
    """What stands in ``frames.yaml``; the file says what each list is for."""

    facts: tuple[Fact, ...]
    sections: Mapping[str, tuple[Standing, ...]]
    criterion: Mapping[str, tuple[str, ...]]
    form: tuple[Answered, ...]


FRAMES: Final = Frames.model_validate(
    yaml.safe_load(files(__package__).joinpath("frames.yaml").read_text(encoding="utf-8"))
)


def form_for(criterion: str) -> str | None:
    """The text of the first form that the criterion names, if it names one."""
    return next((form.text for form in FRAMES.form if mentions(criterion, form.asked)), None)


def fact_for(criterion: str, beside: str) -> Fact | None:
    """What is true of every program and all that the criterion asks for, if there is such."""
    return next((fact for fact in FRAMES.facts if asks_for(criterion, fact.asked, beside)), None)
