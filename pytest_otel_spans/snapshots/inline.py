"""Write the literal of a capture into the test, where inline-snapshot is asked to."""

from __future__ import annotations

import ast
import re

from inline_snapshot.plugin import Builder, Custom, ImportFrom, customize

from pytest_otel_spans.capturing.questions import Capture

__all__ = ["write_spans"]

# inline-snapshot loads this module by its entry point, so nothing imports it where that is missing.


@customize
def write_spans(value: object, builder: Builder) -> Custom | None:
    """Return the code of `span(...)`, or of a list where there are several roots."""
    if not isinstance(value, Capture) or not value.roots:
        return None
    code, words = _literal(value.suggest())
    return builder.create_code(
        code, imports=[ImportFrom("pytest_otel_spans", word) for word in words]
    )


def _literal(suggested: str) -> tuple[str, list[str]]:
    """Take what is expected out of the suggested assertion, and the words to import for it."""
    statement, *assignments, call = ast.parse(suggested).body
    meanings: dict[str, str] = {}

    def source(node: ast.AST) -> str:
        text = ast.get_source_segment(suggested, node) or ""
        return re.sub(r"\bdeep_\d+\b", lambda found: meanings.get(found[0], found[0]), text)

    for assignment in assignments:
        if isinstance(assignment, ast.Assign):
            meanings[ast.unparse(assignment.targets[0])] = source(assignment.value)
    roots = [source(root) for root in _arguments(call)]
    imported = statement.names if isinstance(statement, ast.ImportFrom) else []
    words = [one.name for one in imported if one.name != "assert_span_tree"]
    return (roots[0] if len(roots) == 1 else f"[{', '.join(roots)}]"), words


def _arguments(call: ast.stmt) -> list[ast.expr]:
    """Return what the suggested assertion expects of the spans."""
    assert isinstance(call, ast.Expr)  # noqa: S101 - for the type checker
    assert isinstance(call.value, ast.Call)  # noqa: S101 - as above
    return call.value.args[1:]
