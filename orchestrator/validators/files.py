"""The Python files of an output, under names that no model can lead astray."""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from orchestrator.validators.fences import Block, python_blocks
from orchestrator.validators.reading import MAX_CODE_CHARACTERS, is_module
from orchestrator.validators.specimen import Specimen

_NAME: Final = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_]{0,63}/){0,3}[A-Za-z_][A-Za-z0-9_]{0,63}\.py")
"""The only paths there are: relative, of plain words, a few deep; no dot but the last."""

_CANDIDATE: Final = re.compile(r"[^\s`'\"=:,()*#]+\.py\b")
_TEST: Final = re.compile(r"^[ \t]*(?:async +)?def +test|^class +Test", re.MULTILINE)


MOST_FILES: Final = 100
"""Of an output and all that it builds on; each takes a descriptor while it is handed over."""


def unreadable(specimen: Specimen, *others: str) -> str:
    """Why nothing is made of its files, in a clause; nothing when they can be had."""
    longest = max(map(len, (specimen.output, *others)))
    if longest > MAX_CODE_CHARACTERS:
        return f"{longest} characters are too many to read"
    number = len(all_files(specimen))
    return f"{number} files are too many" if number > MOST_FILES else ""


def own_files(specimen: Specimen) -> dict[str, str]:
    """The files of the output itself, as text by path; none where it is too long to be read."""
    return _files(specimen.output, specimen.task.id)


def all_files(specimen: Specimen) -> dict[str, str]:
    """The same, beside the files of every result that the task builds on."""
    files: dict[str, str] = {}
    for task_id, output in specimen.inputs.items():
        files |= _files(output, task_id)
    return files | own_files(specimen)


def has_tests(source: str) -> bool:
    """Whether pytest would look for tests in it."""
    return _TEST.search(source) is not None


def _files(output: str, task_id: str) -> dict[str, str]:
    """A block is a file; several under one name are its parts, in order."""
    if len(output) > MAX_CODE_CHARACTERS:
        return {}
    parts: dict[str, list[str]] = {}
    for block in _sources(output.replace("\r\n", "\n")):
        parts.setdefault(_name(block, task_id), []).append(block.text)
    return {name: "\n\n".join(texts) for name, texts in parts.items()}


def _sources(text: str) -> Iterator[Block]:
    with suppress(SyntaxError):
        if is_module(text):
            yield Block(tag="python", info="", before="", text=text)
            return
    yield from python_blocks(text)


def _name(block: Block, task_id: str) -> str:
    """As the block, its first line or the line above it says, else after the task.

    The task's id is the engine's, never a model's.
    """
    first = block.text.lstrip().partition("\n")[0]
    comment = first if first.startswith("#") else ""
    for said in (block.info, comment, block.before):
        for candidate in _CANDIDATE.findall(said):
            if _NAME.fullmatch(candidate):
                return str(candidate)
    return f"test_{task_id}.py" if has_tests(block.text) else f"{task_id}.py"
