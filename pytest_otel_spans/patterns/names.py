"""Say what a name may be: itself, with `*` as a wildcard, or what a regular expression finds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeGuard

__all__ = [
    "LEADING",
    "SEPARATOR",
    "LiteralName",
    "Name",
    "fixed_name",
    "is_name",
    "is_path",
    "literal",
    "name_matches",
]

LEADING: Final = re.compile(r"\s*(//?)(?:\s+|$)")
"""What may stand before the first name of a path."""
SEPARATOR: Final = re.compile(r"\s+(//?)\s+(?!//?(?:\s|$))")
"""What stands between two names of a path."""


@dataclass(frozen=True, slots=True, repr=False)
class LiteralName:
    """A name in which `*` means itself; made by `literal`."""

    text: str

    def __repr__(self) -> str:
        return f"literal({self.text!r})"


Name: TypeAlias = str | LiteralName | re.Pattern[str]


def literal(text: str) -> LiteralName:
    """Take a name as it stands: in `literal("SELECT * FROM t")` the star is a star."""
    __tracebackhide__ = True
    if not isinstance(text, str):
        raise TypeError(f"literal() takes the text of a name, not {text!r}")
    return LiteralName(text)


def is_name(value: object) -> TypeGuard[Name]:
    """Whether `value` can stand for a name."""
    if isinstance(value, re.Pattern):
        return isinstance(value.pattern, str)
    return isinstance(value, str | LiteralName)


def is_path(value: object) -> bool:
    """Whether `value` is a text that a query would read as a path of several steps."""
    if not isinstance(value, str):
        return False
    text = value.strip()
    leading = LEADING.match(text)
    return bool(SEPARATOR.search(text) or (leading and leading.end() < len(text)))


def fixed_name(name: Name) -> str | None:
    """The only text that `name` matches, None where it matches several."""
    if isinstance(name, LiteralName):
        return name.text
    return name if isinstance(name, str) and "*" not in name else None


def name_matches(name: Name, text: str) -> bool:
    """Whether `text` is a name that `name` stands for.

    A compiled pattern needs to be found anywhere in the text (`re.search`), as `match=` of
    `pytest.raises` does; anchor it with `^` and `$` to match the whole.
    """
    if isinstance(name, re.Pattern):
        return name.search(text) is not None
    if isinstance(name, LiteralName):
        return text == name.text
    return text == name if "*" not in name else _glob_matches(name, text)


def _glob_matches(glob: str, text: str) -> bool:
    first, *middle, last = glob.split("*")
    if not text.startswith(first) or not text.endswith(last):
        return False
    position, end = len(first), len(text) - len(last)
    for piece in middle:
        found = text.find(piece, position, end)
        if found < 0:
            return False
        position = found + len(piece)
    return position <= end
