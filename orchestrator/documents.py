"""Files that people write for a run: read strictly, held against a model, refused in a sentence.

Nothing is guessed and nothing is skipped: a key that stands twice, a key that nobody knows and a
value of the wrong kind are each refused with their place.
"""

import json
import reprlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.errors import InputError

Model = TypeVar("Model", bound=BaseModel)

MAX_NODES: Final = 100_000
"""Values in one file, each alias counted as all that it stands for."""


def load(path: Path, model: type[Model], called: str) -> Model:
    """Read a file, YAML or (by its suffix) JSON, as this model; `called` is what a user calls it.

    Raises:
        InputError: it cannot be read or parsed, or is not what the model says.
    """
    document = read(path, called)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        what = ended(fault(error, model))
        raise InputError(f"The {called} {str(path)!r} is wrong: {what}") from error


def read(path: Path, called: str) -> object:
    """What stands in a file, as plain values.

    Raises:
        InputError: it cannot be read or parsed, says a thing twice, or is too large.
    """
    # JSON has its own parser: YAML's refuses the tabs that JSON may be indented with.
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            return json.loads(text, object_pairs_hook=_object)
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise InputError(f"Cannot read the {called} {str(path)!r}: {error.strerror}.") from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        what = " ".join(str(error).split())
        raise InputError(f"The {called} {str(path)!r} cannot be parsed: {what}.") from error


def fault(error: ValidationError, model: type[BaseModel]) -> str:
    """The first thing that is wrong, as a clause: where, what stands there, what should.

    An unknown key comes before everything else: where one is misspelt, the right one is missing.
    """
    problems = error.errors()
    unknown = (each for each in problems if each["type"] == "extra_forbidden")
    problem = next(unknown, problems[0])
    place = ".".join(str(part) for part in problem["loc"])
    match problem["type"]:
        case "extra_forbidden":
            return _unknown_key(place, _model_at(model, problem["loc"][:-1]))
        case "missing":
            return f"{place} is missing"
        case _:
            return ": ".join(filter(None, (_subject(problem, place), _cause(problem))))


def ended(clause: str) -> str:
    """With a full stop, unless it ends as a question."""
    return clause if clause.endswith("?") else f"{clause}."


def _unknown_key(place: str, model: type[BaseModel] | None) -> str:
    known = list(model.model_fields) if model else []
    near = get_close_matches(place.rpartition(".")[2], known, n=1)
    advice = f"did you mean {near[0]!r}?" if near else f"there may be {', '.join(known)}"
    return f"there is no key {place!r}; {advice}"


def _model_at(model: type[BaseModel] | None, way: Sequence[int | str]) -> type[BaseModel] | None:
    """The model that describes what stands at the end of the way."""
    for part in way:
        if model is not None and part in model.model_fields:
            model = _model_in(model.model_fields[str(part)].annotation)
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model within an annotation such as ``tuple[Policy, ...]`` or ``Price | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def _subject(problem: ErrorDetails, place: str) -> str:
    """Where what is wrong; of a whole mapping, the cause says what."""
    value = problem["input"]
    if isinstance(value, Mapping):
        return place
    where = place or "it"
    return f"{where} is empty" if value is None else f"{where} cannot be {reprlib.repr(value)}"


def _cause(problem: ErrorDetails) -> str:
    if problem["type"] == "model_type":
        return "keys and values belong there"
    cause = str(problem.get("ctx", {}).get("error", problem["msg"]))
    return cause[:1].lower() + cause[1:]


class _Loader(yaml.SafeLoader):
    """Refuses what YAML would silently accept: a key that stands twice, aliases that explode."""

    def get_single_node(self) -> yaml.Node | None:
        node: yaml.Node | None = super().get_single_node()
        if node is not None:
            _refuse_explosion(node)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        _refuse_twice(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        return super().construct_mapping(node, deep)


def _refuse_explosion(root: yaml.Node) -> None:
    """A few aliases of aliases stand for more values than any memory holds."""
    sizes: dict[int, int] = {}

    def size_of(node: yaml.Node) -> int:
        if id(node) not in sizes:
            sizes[id(node)] = MAX_NODES + 1  # what contains itself has no end
            pairs = node.value if isinstance(node, yaml.MappingNode) else ()
            parts = [part for pair in pairs for part in pair]
            if isinstance(node, yaml.SequenceNode):
                parts = node.value
            sizes[id(node)] = 1 + sum(map(size_of, parts))
        return sizes[id(node)]

    if size_of(root) > MAX_NODES:
        raise ValueError(f"with its aliases it holds more than {MAX_NODES:,} values")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    _refuse_twice(key for key, _ in pairs)
    return dict(pairs)


def _refuse_twice(keys: Iterable[str]) -> None:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise ValueError(f"the key {key!r} stands twice in one place")
        seen.add(key)
