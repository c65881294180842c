"""What can be measured in source for the things that are said of all of it."""

import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from orchestrator.providers.offline.frames import Measure
from orchestrator.providers.offline.source_reading import Function, Source
from orchestrator.providers.offline.words import listed

_MOST_LINES: Final = 30
"""A function of more is not called short."""


def measured(measure: Measure, source: Source) -> str | None:
    """What the source shows, as a sentence; nothing when it does not show it."""
    return _MEASURES[measure](source)


def _types(source: Source) -> str | None:
    typed = [f for f in source.functions if f.returns is not None and not _untyped(f)]
    return _all_of(len(typed), len(source.functions), "functions state every type")


def _untyped(function: Function) -> bool:
    arguments = function.args
    listed_ones = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    named = [a for a in listed_ones if a.arg not in {"self", "cls"}]
    return any(argument.annotation is None for argument in named)


def _docstrings(source: Source) -> str | None:
    names = [*source.names, *(method for name in source.names for method in name.methods)]
    said = [name for name in names if name.promise]
    return _all_of(len(said), len(names), "public names and methods have a docstring")


def _imports(source: Source) -> str | None:
    names = sorted({module.partition(".")[0] for module in source.imports})
    foreign = [name for name in names if name not in sys.stdlib_module_names]
    shown = listed(f"`{name}`" for name in names) if names else "nothing"
    return None if foreign else f"It imports {shown}, of the standard library."


def _tests(source: Source) -> str | None:
    ready = [test for test in source.tests if not test.is_skipped]
    return f"There are {len(ready)} tests that are not skipped; none was run." if ready else None


def _refusals(source: Source) -> str | None:
    kinds = [f"`{kind}`" for kind, _ in source.refusals if kind != NotImplementedError.__name__]
    return f"{len(kinds)} places raise {listed(dict.fromkeys(kinds))}." if kinds else None


def _size(source: Source) -> str | None:
    lines = [(f.end_lineno or f.lineno) - f.lineno + 1 for f in source.functions]
    longest = max(lines, default=0)
    is_short = 0 < longest <= _MOST_LINES
    return f"The longest of {len(lines)} functions has {longest} lines." if is_short else None


def _examples(source: Source) -> str | None:
    number = len(source.examples)
    return f"{number} docstrings hold an example." if number else None


def _all_of(part: int, whole: int, what: str) -> str | None:
    return f"{part} of {whole} {what}." if part == whole and whole else None


_MEASURES: Final[Mapping[Measure, Callable[[Source], str | None]]] = MappingProxyType(
    {
        "types": _types,
        "docstrings": _docstrings,
        "imports": _imports,
        "tests": _tests,
        "refusals": _refusals,
        "size": _size,
        "examples": _examples,
    }
)
