"""The sentences of the offline author, as data."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict

from orchestrator.providers.offline.words import mentions


class _Frame(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Answered(_Frame):
    """A text for criteria that ask for it in one of these ways."""

    asked: tuple[str, ...]
    text: str


class Standing(_Frame):
    """A section that texts of a type have whatever the criteria are."""

    point: str
    basic: bool = False
    text: str


class Frames(_Frame):
    """What stands in ``frames.yaml``; the file says what each list is for."""

    facts: tuple[Answered, ...]
    sections: Mapping[str, tuple[Standing, ...]]
    criterion: Mapping[str, tuple[str, ...]]
    form: tuple[Answered, ...]


FRAMES: Final = Frames.model_validate(
    yaml.safe_load(files(__package__).joinpath("frames.yaml").read_text(encoding="utf-8"))
)


def text_for(criterion: str, answers: tuple[Answered, ...]) -> str | None:
    """The text of the first answer to what the criterion asks, if there is one."""
    return next((answer.text for answer in answers if mentions(criterion, answer.asked)), None)
