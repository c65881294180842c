"""An answer of a given shape, or the sentence that says why there is none."""

from collections.abc import Awaitable, Callable, Iterator
from textwrap import shorten
from typing import Final, TypeVar

import json_repair
from pydantic import BaseModel, ValidationError

from orchestrator import prompts
from orchestrator.errors import InvalidOutput
from orchestrator.models import Answer, Prompt

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

LONGEST_ANSWER: Final = 200_000
"""Characters; nothing that was asked for is longer, and reading takes time."""

LONGEST_PROBLEM: Final = 400
"""Characters; a model's text must not grow without bound inside our sentences."""


async def ask(
    call: Callable[[Prompt], Awaitable[Answer]],
    prompt: Prompt,
    shape: type[M],
    read: Callable[[M], T],
) -> T:
    """Call for an answer of this shape; ask again, once, when it cannot be used.

    Args:
        call: asks a model; what it raises is raised.
        prompt: the question, whose `schema` is `shape`.
        shape: what the answer must fit, after what is repairable in its JSON is repaired.
        read: turns the answer into what is wanted; its ValueError is a problem of the answer.

    Raises:
        InvalidOutput: neither answer could be used; the sentence says what was wrong.
    """
    try:
        return _usable((await call(prompt)).text, shape, read)
    except ValueError as problem:
        again = prompts.asked_again(prompt, _sentence(problem))
    answer = await call(again)
    try:
        return _usable(answer.text, shape, read)
    except ValueError as problem:
        raise InvalidOutput(
            f"Model {answer.model!r} was asked twice and gave no usable answer: "
            f"{_sentence(problem)}"
        ) from None


def _usable(text: str, shape: type[M], read: Callable[[M], T]) -> T:
    return read(_fitting(text, shape))


def _fitting(text: str, shape: type[M]) -> M:
    """The last object in the text that fits: models think aloud first and answer then."""
    problem: ValueError | None = None
    for candidate in _objects(text):
        try:
            return shape.model_validate(candidate)
        except ValidationError as error:
            problem = problem or error
    raise problem or ValueError("there is no JSON object in it")


def _objects(text: str) -> Iterator[dict[str, object]]:
    """The JSON objects in a text, the last one first."""
    if len(text) > LONGEST_ANSWER:
        raise ValueError(f"it is longer than {LONGEST_ANSWER} characters")
    try:
        value = json_repair.loads(text)
    except (RecursionError, ValueError):  # nested without end
        raise ValueError("its JSON is beyond repair") from None
    for item in reversed(value if isinstance(value, list) else [value]):
        if isinstance(item, dict):
            yield item


def _sentence(problem: ValueError) -> str:
    """What is wrong, without the model's own text but for what `read` quotes of it."""
    if isinstance(problem, ValidationError):
        first = problem.errors(include_input=False, include_context=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        said = f"{where}: {first['msg'].removeprefix('Value error, ')}"
    else:
        said = str(problem)
    return f"{shorten(said, LONGEST_PROBLEM - 1, placeholder=' …').rstrip('.')}."
