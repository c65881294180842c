"""Hard validators: checks of an output that ask no model and execute nothing."""

import ast
import re
import textwrap
import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal

from orchestrator import spans
from orchestrator.errors import InputError
from orchestrator.models import Validation
from orchestrator.tracing import traced_validation

Finding = tuple[Literal["passed", "failed", "unverified"], str]
"""The outcome, and what a person or the next draft has to know about it."""

MIN_CHARACTERS: Final = 100
"""What `length` asks for; white space does not count, languages that use none do."""

MAX_CODE_CHARACTERS: Final = 65_536
"""A longer output is not parsed but `unverified`: so much takes up to half a second."""

PYTHON_TAGS: Final = frozenset({"python", "python3", "py", "py3"})
"""The info strings of those fenced blocks that `python_syntax` reads."""

_FENCED = re.compile(
    r"^[ \t]*(?P<fence>`{3,}|~{3,})[ \t]*(?P<tag>[\w+#-]*)[^\n`]*\n"
    r"(?P<text>.*?)"
    # A fence is closed by one at least as long; one that is never closed runs to the end.
    r"(?:^[ \t]*(?P=fence)[`~]*[ \t]*$|\Z)",
    re.MULTILINE | re.DOTALL,
)


def known() -> tuple[str, ...]:
    """The names of all validators."""
    return tuple(_CHECKS)


def validate(name: str, output: str) -> Validation:
    """Hold an output against one validator.

    Raises:
        InputError: there is no validator of that name.
    """
    check = _CHECKS.get(name)
    if check is None:
        raise InputError(f"There is no validator {name!r}; known are {', '.join(known())}.")
    with traced_validation(name) as span:
        outcome, detail = check(output)
        if span.is_recording():
            span.set_attributes(
                {spans.VALIDATION_PASSED: outcome == "passed", spans.VALIDATION_OUTCOME: outcome}
            )
    return Validation(validator=name, outcome=outcome, detail=detail)


def _python_syntax(output: str) -> Finding:
    """Python reads the output as a module, or else every fenced block of Python in it."""
    if len(output) > MAX_CODE_CHARACTERS:
        return "unverified", f"{len(output)} characters are too many to parse"
    text = output.replace("\r\n", "\n")
    try:
        if any(_does_something(statement) for statement in _parse(text).body):
            return "passed", ""
        problem = ""
    except SyntaxError as error:
        problem = f"; read as a module, {_where(error)}{error.msg}"
    blocks = _python_blocks(text)
    found = False
    for number, block in enumerate(blocks, start=1):
        try:
            found |= bool(_parse(block).body)
        except SyntaxError as error:
            return "failed", f"code block {number} of {len(blocks)}: {_where(error)}{error.msg}"
    if found:
        return "passed", ""
    return "failed", "no Python code" + ("" if blocks else problem)


def _length(output: str) -> Finding:
    """The output has at least `MIN_CHARACTERS` characters that are not white space."""
    count = len("".join(output.split()))
    if count >= MIN_CHARACTERS:
        return "passed", ""
    return "failed", f"{count} characters, at least {MIN_CHARACTERS} are asked for"


_CHECKS: Final[Mapping[str, Callable[[str], Finding]]] = MappingProxyType(
    {"python_syntax": _python_syntax, "length": _length}
)


def _python_blocks(markdown: str) -> list[str]:
    """The fenced blocks that say they are Python; if none does, those that do not say."""
    blocks = [
        (match["tag"].lower(), textwrap.dedent(match["text"]))
        for match in _FENCED.finditer(markdown)
    ]
    tagged = [text for tag, text in blocks if tag in PYTHON_TAGS]
    return tagged or [text for tag, text in blocks if not tag]


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
