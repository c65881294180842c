"""The programs that the offline author knows, cut into their cells and put together again."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

from orchestrator.providers.offline.vocabulary import VOCABULARY
from orchestrator.providers.offline.words import asks_for, mentions, phrases

GENERIC: Final = "record_store"
"""What is written for a thing that is not known."""

_PACKAGE: Final = f"{__package__}.kernels"
_LINE: Final = 88
_CELL: Final = re.compile(
    r"^# %% (?P<demand>\??)(?P<title>[^:\n]+)(?:: (?P<words>.+))?$", re.MULTILINE
)
_FOR_CHECKERS: Final = re.compile(r"  # noqa.*$|^# ruff: noqa.*\n", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A piece of a program that can be left out."""

    title: str
    words: tuple[str, ...]
    """What criteria call it."""
    source: str
    on_demand: bool

    def answers(self, criterion: str, beside: str) -> bool:
        """Whether this is what the criterion asks for, of a thing of this name."""
        return asks_for(criterion, (self.title, *self.words), beside)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A program: what it does, what it imports, what it cannot do without, and its additions."""

    name: str
    purpose: str
    imports: str
    core: Cell
    additions: tuple[Cell, ...]

    @property
    def main(self) -> str:
        """The class that carries the name of the thing."""
        return "".join(word.capitalize() for word in self.name.split("_"))

    @property
    def package(self) -> str:
        """Where its tests import it from, here."""
        return _PACKAGE

    @property
    def identifiers(self) -> frozenset[str]:
        """Every name in it but the main class's, so that no new name meets an old one."""
        cells = (self.core, *self.additions)
        text = "\n".join([self.imports, *(cell.source for cell in cells)])
        return frozenset(re.findall(r"\w+", text)) - {self.main}

    def cell_for(self, criterion: str, beside: str) -> Cell | None:
        """The cell that answers a criterion; an addition rather than the core."""
        cells = (*self.additions, self.core)
        return next((cell for cell in cells if cell.answers(criterion, beside)), None)


def kernel_for(project: str) -> str | None:
    """The name of the program that fits these words best, if one does."""
    known = VOCABULARY.kernels.items()
    return next((name for name, nouns in known if mentions(project, nouns)), None)


@cache
def program(name: str) -> Kernel:
    """The program of this name."""
    return _cut(name, name)


@cache
def checks(name: str) -> Kernel:
    """The tests of the program of this name; its cells have the titles of the program's."""
    return _cut(name, f"{name}_checks")


def _cut(name: str, file: str) -> Kernel:
    text = files(_PACKAGE).joinpath(f"{file}.py").read_text(encoding="utf-8")
    text = _FOR_CHECKERS.sub("", text)
    marks = list(_CELL.finditer(text))
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    cells = [
        Cell(
            title=mark["title"],
            words=phrases(mark["words"] or ""),
            source=text[mark.end() : end].strip(),
            on_demand=bool(mark["demand"]),
        )
        for mark, end in zip(marks, ends, strict=True)
    ]
    return Kernel(
        name=name,
        purpose=text[: marks[0].start()].strip().strip('"'),
        imports=cells[0].source,
        core=cells[1],
        additions=tuple(cells[2:]),
    )


@lru_cache(maxsize=64)
def needed(imports: str, source: str) -> str:
    """The imports in their groups, without the names that the source does not use."""
    used = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    groups = (filter(None, _lines(group, used)) for group in imports.split("\n\n"))
    return "\n\n".join(filter(None, map("\n".join, groups)))


def _lines(group: str, used: set[str]) -> Iterator[str]:
    for node in ast.parse(group).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names if alias.name in used]
            start = f"from {node.module} import" if isinstance(node, ast.ImportFrom) else "import"
            line = f"{start} {', '.join(names)}"
            if len(line) > _LINE:
                block = "".join(f"    {name},\n" for name in names)
                line = f"{start} (\n{block})"
            yield line if names else ""


def renamed(source: str, before: str, after: str) -> str:
    """The source with another name for a thing, wherever the name stands by itself."""
    return re.sub(rf"\b{before}\b", after, source)


def joined(pieces: Iterable[str]) -> str:
    """Pieces of a module, two blank lines apart."""
    return "\n\n\n".join(filter(None, pieces)) + "\n"
