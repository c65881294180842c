"""The words that the offline models know, as data."""

from importlib.resources import files
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict


class Vocabulary(BaseModel):
    """What stands in ``vocabulary.yaml``; the file says what each list is for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    empty: frozenset[str]
    neutral: tuple[str, ...]
    verbs: dict[str, tuple[str, ...]]
    forms: dict[str, tuple[str, ...]]
    structures: frozenset[str]
    wrappers: frozenset[str]
    kernels: dict[str, tuple[str, ...]]
    beyond_text: tuple[str, ...]
    of_tests: tuple[str, ...]
    of_documentation: tuple[str, ...]


VOCABULARY: Final = Vocabulary.model_validate(
    yaml.safe_load(files(__package__).joinpath("vocabulary.yaml").read_text(encoding="utf-8"))
)
