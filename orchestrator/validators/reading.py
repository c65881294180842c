"""What can be told from a text by reading it: whether it is Python, whether there is enough."""

import ast
import warnings
from typing import Final

from orchestrator.validators.fences import python_blocks
from orchestrator.validators.specimen import Finding

MIN_CHARACTERS: Final = 100
"""What `length` asks for; white space does not count, languages that use none do."""

MAX_CODE_CHARACTERS: Final = 65_536
"""A longer output is not parsed but `unverified`: so much takes up to half a second."""


def python_syntax(output: str) -> Finding:
    """Python reads the output as a module, or else every fenced block of Python in it."""
    if len(output) > MAX_CODE_CHARACTERS:
        return Finding("unverified", f"{len(output)} characters are too many to parse")
    text = output.replace("\r\n", "\n")
    try:
        if is_module(text):
            return Finding("passed")
        problem = ""
    except SyntaxError as error:
        problem = f"; read as a module, {_where(error)}{error.msg}"
    blocks = python_blocks(text)
    found = False
    for number, block in enumerate(blocks, start=1):
        try:
            found |= bool(_parse(block.text).body)
        except SyntaxError as error:
            where = f"code block {number} of {len(blocks)}: {_where(error)}"
            return Finding("failed", f"{where}{error.msg}")
    if found:
        return Finding("passed")
    return Finding("failed", "no Python code" + ("" if blocks else problem))


def is_module(text: str) -> bool:
    """Whether a text is Python as it stands, and does something.

    Raises:
        SyntaxError: it is no Python.
    """
    return any(_does_something(statement) for statement in _parse(text).body)


def length(output: str) -> Finding:
    """The output has at least `MIN_CHARACTERS` characters that are not white space."""
    count = len("".join(output.split()))
    if count >= MIN_CHARACTERS:
        return Finding("passed")
    return Finding("failed", f"{count} characters, at least {MIN_CHARACTERS} are asked for")


def _parse(source: str) -> ast.Module:
    """Parse hostile text.

    Raises:
        SyntaxError: Python cannot read it, for whatever reason.
    """
    try:
        with warnings.catch_warnings():
            # Of an odd escape in a model's string nobody wants to read on our stderr.
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (MemoryError, RecursionError):
        raise SyntaxError("nested too deeply") from None
    except ValueError:
        raise SyntaxError("it holds characters that no source can") from None


def _where(error: SyntaxError) -> str:
    return f"line {error.lineno}: " if error.lineno else ""


def _does_something(statement: ast.stmt) -> bool:
    """Not so what a sentence can be: "Hello, world" and "Note: done" are valid Python too."""
    match statement:
        case ast.Expr(value=value):
            return isinstance(value, ast.Call | ast.Await)
        case ast.AnnAssign(value=None):
            return False
        case _:
            return True
