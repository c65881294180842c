"""What Python source says about itself: its names, its promises, its refusals."""

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_BLOCK: Final = re.compile(r"^(`{3,})python[^\n]*\n(.*?)^\1", re.MULTILINE | re.DOTALL)
_FILLED_IN: Final = re.compile(r"\{[^}]*\}")
_REFUSAL: Final = re.compile(r"raise (\w+)\(\s*f?([\"'])(.+?)\2")

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """Something public that a module defines."""

    name: str
    signature: str
    promise: str
    """The first line of its docstring."""
    methods: tuple["Name", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """A test, and every name that stands in it."""

    name: str
    uses: frozenset[str]
    is_skipped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Modules, read; what does not parse is as if it were not there."""

    text: str
    names: tuple[Name, ...]
    tests: tuple[Test, ...]
    examples: tuple[str, ...]
    """Interactive sessions in docstrings, with the prompts taken off."""
    functions: tuple[Function, ...]
    """All of the interface, methods included."""
    imports: tuple[str, ...]
    """The modules that the interface imports."""

    @property
    def refusals(self) -> tuple[tuple[str, str], ...]:
        """The exceptions it raises and what they say, each once."""
        found = (
            (error, _FILLED_IN.sub("…", said)) for error, _, said in _REFUSAL.findall(self.text)
        )
        return tuple(dict.fromkeys(found))

    def tests_of(self, name: str) -> tuple[str, ...]:
        """The tests that use a name; one that only contains it is another name."""
        return tuple(test.name for test in self.tests if name in test.uses)

    def name_of(self, wanted: str) -> Name | None:
        """The public name that is written so."""
        return next((name for name in self.names if name.name == wanted), None)


def blocks(text: str) -> tuple[str, ...]:
    """The fenced Python of a Markdown text."""
    return tuple(match[2] for match in _BLOCK.finditer(text))


def parses(source: str) -> bool:
    """Whether it is Python."""
    return _parsed(source) is not None


def read_source(modules: Iterable[str]) -> Source:
    """Read modules; definitions that begin with ``test`` are tests, not interface."""
    return _read(tuple(modules))


@lru_cache(maxsize=64)
def _read(modules: tuple[str, ...]) -> Source:
    readable = [(module, tree) for module in modules if (tree := _parsed(module)) is not None]
    text = "\n".join(module for module, _ in readable)
    nodes = [n for _, tree in readable for n in tree.body if isinstance(n, Definition)]
    has_tests = {module for module, _ in readable if re.search(r"^def test_", module, re.MULTILINE)}
    trees = [tree for module, tree in readable if module not in has_tests]
    public = [
        node
        for tree in trees
        for node in tree.body
        if isinstance(node, Definition) and not node.name.startswith("_")
    ]
    everything = [node for tree in trees for node in ast.walk(tree)]
    return Source(
        text=text,
        names=tuple(_named(node) for node in public),
        tests=tuple(_test(node) for node in nodes if node.name.startswith("test_")),
        examples=tuple(example for node in public for example in _examples(node)),
        functions=tuple(node for node in everything if isinstance(node, Function)),
        imports=tuple(_imported(everything)),
    )


def defined(source: str) -> tuple[str, ...]:
    """The public names that a piece of source defines, in order."""
    tree = _parsed(source)
    nodes = [node for node in tree.body if isinstance(node, Definition)] if tree else []
    return tuple(node.name for node in nodes if not node.name.startswith("_"))


@lru_cache(maxsize=64)
def _parsed(source: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the style of a text that is only read here
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _imported(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "."


def _test(node: Definition) -> Test:
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    skipped = any("skip" in ast.unparse(mark) for mark in node.decorator_list)
    return Test(name=node.name, uses=frozenset(names), is_skipped=skipped)


def _named(node: Definition) -> Name:
    methods: tuple[Name, ...] = ()
    signature = node.name
    if isinstance(node, ast.ClassDef):
        functions = [n for n in node.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
        methods = tuple(_named(n) for n in functions if not n.name.startswith("_"))
        init = next((n for n in functions if n.name == "__init__"), None)
        signature += f"({', '.join(_arguments(init))})" if init else ""
    else:
        signature += f"({', '.join(_arguments(node))})"
    promise = (ast.get_docstring(node) or "").split("\n\n")[0]
    return Name(
        name=node.name, signature=signature, promise=" ".join(promise.split()), methods=methods
    )


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for argument in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]:
        if argument.arg not in {"self", "cls"}:
            yield argument.arg
    if node.args.kwarg:
        yield f"**{node.args.kwarg.arg}"


def _examples(node: Definition) -> Iterator[str]:
    lines = (ast.get_docstring(node) or "").splitlines()
    session = [
        line[4:] if line.startswith((">>> ", "... ")) else f"# {line}"
        for line in lines[next((i for i, s in enumerate(lines) if s[:3] == ">>>"), len(lines)) :]
        if line.strip()
    ]
    if session:
        yield "\n".join(session)
