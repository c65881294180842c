"""The span schema as a page for people: docs/spans.md."""

from collections.abc import Iterator

from orchestrator.spans import LINK_KIND
from orchestrator.spans.schema import EXCEPTION, SCHEMA
from orchestrator.spans.spec import EventSpec, Key, SpanSpec

_HEAD = """\
# The spans of a run

Printed from the schema by `python -m orchestrator.spans docs`; a test compares the two. The same
for machines is [spans.yaml](spans.yaml), a registry in the format of OpenTelemetry's conventions.

The attributes in **bold** are the founding ones: never renamed, never left out. What backends sum
(tokens, cost, model, provider) stands on `llm_call` alone, so nothing is counted twice. A success
leaves the status unset; a failure sets it to ERROR, with a redacted sentence and `error.type`.
Prompts, answers, keys, URLs and a provider's own messages are not recorded.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([*_lines(), ""])


def _lines() -> Iterator[str]:
    yield _HEAD
    yield "```"
    yield from _tree(SCHEMA[0], "")
    yield "```"
    for spec in SCHEMA:
        yield from _section(spec)
    yield "\n## Any span"
    yield from _event(EXCEPTION)


def _tree(spec: SpanSpec, indent: str) -> Iterator[str]:
    yield f"{indent}{_title(spec)}"
    for child in SCHEMA:
        if child is spec and spec.name in spec.parents:
            yield f"{indent}  {_title(spec)} …"
        elif spec.name in child.parents:
            yield from _tree(child, indent + "  ")


def _title(spec: SpanSpec) -> str:
    return f"{spec.name}<{spec.suffix}>" if spec.suffix else spec.name


def _section(spec: SpanSpec) -> Iterator[str]:
    parents = ", ".join(f"`{name.rstrip(':')}`" for name in spec.parents)
    under = (
        f"Under {parents}." if parents else "The root, or a child of the caller's `TRACEPARENT`."
    )
    yield f"\n## `{_title(spec)}`\n"
    yield f"{spec.brief} Kind {' or '.join(spec.kinds)}. {under}\n"
    yield "| attribute | type | set at | there | meaning |"
    yield "|---|---|---|---|---|"
    for key in spec.keys:
        name = f"**`{key.name}`**" if key.founding else f"`{key.name}`"
        yield f"| {name} | {key.type} | {key.at} | {_presence(key)} | {key.brief} |"
    for event in spec.events:
        yield from _event(event)
    for link in spec.links:
        yield f"\nLink, `{LINK_KIND}` = `{link.kind}`: {link.brief}."


def _event(event: EventSpec) -> Iterator[str]:
    yield f"\nEvent `{event.name}`: {event.brief}.\n"
    yield "| attribute | type | there | meaning |"
    yield "|---|---|---|---|"
    for key in event.keys:
        yield f"| `{key.name}` | {key.type} | {_presence(key)} | {key.brief} |"


def _presence(key: Key) -> str:
    if key.opt_in:
        return "opt-in"
    return f"when {key.condition}" if key.condition else "always"
