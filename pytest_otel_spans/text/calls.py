"""Lay out nested Python calls as a formatter does: on one line, else one argument a line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["Call", "Code", "code_of", "listing", "quoted"]

_WIDTH: Final = 100
_INDENT: Final = "    "


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """An opening such as `span(`, arguments, a closing; and the calls chained to it.

    Attributes:
        opening: What stands before the arguments, brackets included.
        arguments: The arguments.
        closing: The closing bracket.
        verbs: Calls of methods of the result, as `.ok()`.
        width: How many characters the call takes on one line.
    """

    opening: str
    arguments: tuple[Code, ...] = ()
    closing: str = ")"
    verbs: tuple[Call, ...] = ()
    width: int = field(init=False)

    def __post_init__(self) -> None:
        inside = sum(map(_width, self.arguments)) + 2 * max(0, len(self.arguments) - 1)
        chain = sum(verb.width for verb in self.verbs)
        width = len(self.opening) + inside + len(self.closing) + chain
        object.__setattr__(self, "width", width)

    def __str__(self) -> str:
        inside = ", ".join(map(str, self.arguments))
        return f"{self.opening}{inside}{self.closing}{''.join(map(str, self.verbs))}"


Code = str | Call


def _width(code: Code) -> int:
    return len(code) if isinstance(code, str) else code.width


def listing(code: Code, *, before: str = "", after: str = "", level: int = 0) -> Iterator[str]:
    """Yield the lines of an expression.

    Args:
        code: The expression.
        before: What stands before it in its first line, such as a key.
        after: What stands after it in its last line, such as a comma.
        level: How deep it is indented.
    """
    margin = level * _INDENT
    if isinstance(code, str):
        yield f"{margin}{before}{code}{after}"
    elif len(margin) + len(before) + code.width + len(after) <= _WIDTH:
        yield f"{margin}{before}{code!s}{after}"
    else:
        yield f"{margin}{before}{code.opening}"
        for argument in code.arguments:
            yield from listing(argument, after=",", level=level + 1)
        yield from _chain(code, f"{margin}{code.closing}", after, level)


def _chain(call: Call, last: str, after: str, level: int) -> Iterator[str]:
    """End a call that is spread over lines: one verb follows its bracket, several stand apart."""
    *verbs, final = call.verbs or ("",)
    if len(call.verbs) <= 1:
        yield from _joined(last, final, after, level)
        return
    yield last
    for verb in verbs:
        yield from listing(verb, level=level)
    yield from listing(final, after=after, level=level)


def _joined(last: str, verb: Code, after: str, level: int) -> Iterator[str]:
    if isinstance(verb, str) or len(last) + verb.width + len(after) <= _WIDTH:
        yield f"{last}{verb!s}{after}"
    else:
        yield from listing(verb, before=last.strip(), after=after, level=level)


def code_of(value: Any, before: str = "") -> Code:
    """Write a value as Python source that makes it again, where there is one.

    Args:
        value: An attribute's value.
        before: What stands before it, such as its key in a mapping.
    """
    if isinstance(value, str):
        return before + quoted(value)
    if isinstance(value, list | tuple):
        return Call(f"{before}[", tuple(map(code_of, value)), "]")
    if isinstance(value, Mapping):
        items = tuple(code_of(item, f"{quoted(key)}: ") for key, item in value.items())
        return Call(f"{before}{{", items, "}")
    if isinstance(value, float):
        number = repr(value).replace("e+", "e")
        return before + (number if math.isfinite(value) else f'float("{number}")')
    return before + (quoted(value) if isinstance(value, bytes) else repr(value))


def quoted(text: str | bytes) -> str:
    """Write a string in double quotes, unless single ones save escapes."""
    code = repr(text)
    return code if '"' in code else code.replace("'", '"')
