"""Read expressions and work them out."""

# %% imports
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

# %% core: expression, arithmetic, parse, parser, precedence, parentheses, tokens
TOKEN = re.compile(r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<sign>[-+*/()]))")
NO_NAMES: Mapping[str, float] = MappingProxyType({})


class ExpressionError(ValueError):
    """An expression that cannot be read; `position` says where."""

    def __init__(self, sentence: str, position: int) -> None:
        """Keep the place beside the sentence."""
        super().__init__(f"{sentence} at position {position}")
        self.position = position


@dataclass(frozen=True)
class Token:
    """One word of an expression."""

    kind: str
    text: str
    position: int


def tokens(text: str) -> list[Token]:
    """Cut an expression into its words."""
    found: list[Token] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise ExpressionError(f"unexpected {text[position:].strip()[0]!r}", position)
        found.append(Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        position = match.end()
    return found


class Calculator:
    """A recursive descent: sums of products of signed factors.

    >>> Calculator().evaluate("2 + 3 * (4 - 1)")
    11.0
    """

    def __init__(self, names: Mapping[str, float] = NO_NAMES) -> None:
        """Take what names in an expression stand for."""
        self._names = names
        self._tokens: list[Token] = []
        self._end = 0

    def evaluate(self, text: str) -> float:
        """Work an expression out; ExpressionError when it cannot be read."""
        self._tokens, self._end = tokens(text)[::-1], len(text)
        value = self._sum()
        if self._tokens:
            raise ExpressionError(f"unexpected {self._peek()!r}", self._tokens[-1].position)
        return value

    def _sum(self) -> float:
        value = self._product()
        while self._peek() in {"+", "-"}:
            sign = self._next().text
            right = self._product()
            value = value + right if sign == "+" else value - right
        return value

    def _product(self) -> float:
        value = self._factor()
        while self._peek() in {"*", "/"}:
            sign = self._next()
            right = self._factor()
            if sign.text == "/" and right == 0:
                raise ExpressionError("division by zero", sign.position)
            value = value * right if sign.text == "*" else value / right
        return value

    def _factor(self) -> float:
        token = self._next()
        if token.kind == "number":
            return float(token.text)
        if token.text == "-":
            return -self._factor()
        if token.text == "(":
            value = self._sum()
            if self._next().text != ")":
                raise ExpressionError("a parenthesis is not closed", token.position)
            return value
        return self._named(token)

    def _named(self, token: Token) -> float:
        if token.text not in self._names:
            raise ExpressionError(f"unexpected {token.text!r}", token.position)
        return self._names[token.text]

    def _peek(self) -> str:
        return self._tokens[-1].text if self._tokens else ""

    def _next(self) -> Token:
        if not self._tokens:
            raise ExpressionError("the expression breaks off", self._end)
        return self._tokens.pop()


# %% explaining errors: error messages, errors, friendly, diagnostics
def explained(text: str, error: ExpressionError) -> str:
    """The expression with a mark under the place of the error, for explaining errors to people."""
    return f"{text}\n{' ' * error.position}^ {error}"


# %% reading many lines: lines, batch, file, files, input
def evaluate_lines(text: str, evaluate: Callable[[str], float]) -> list[tuple[int, float | str]]:
    """Reading many lines, each gives its number and its value, or what is wrong with it."""
    results: list[tuple[int, float | str]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                results.append((number, evaluate(line)))
            except ExpressionError as error:
                results.append((number, str(error)))
    return results


# %% a command line: cli, command line, interactive, terminal
def main(arguments: list[str]) -> int:
    """A command line: work out the expression in the arguments, print it, say how it went."""
    text = " ".join(arguments)
    try:
        answer = f"{Calculator().evaluate(text):g}"
    except ExpressionError as error:
        answer = f"{text}\n{' ' * error.position}^ {error}"
    print(answer)  # noqa: T201 - this is what a command line is for
    return 1 if "^" in answer else 0
