"""Whether an output is JSON that fits the schema of its task."""

import json
from typing import Final

from orchestrator.programs import Limits, Program
from orchestrator.sandbox import Unsandboxed
from orchestrator.validators.fences import blocks
from orchestrator.validators.reading import MAX_CODE_CHARACTERS
from orchestrator.validators.specimen import Finding, Specimen, shortened

_CHECK: Final = "orchestrator.conformity"
_NO_LIBRARY: Final = "No module named 'jsonschema'"
_LIMITS: Final = Limits(seconds=10.0)


async def json_schema(specimen: Specimen) -> Finding:
    """The output, or the last block of JSON in it, fits the JSON Schema that the plan gives.

    A schema can be written so that a check of it never ends (a regular expression, references
    that double): it is made by a process that can be stopped.
    """
    if not specimen.task.output_schema:
        return Finding("unverified", "the plan gives no schema")
    document = _document(specimen.output)
    if document is None:
        return Finding("failed", "there is no JSON in it")
    files = {"schema.json": specimen.task.output_schema, "document.json": document}
    limits = Limits(seconds=min(_LIMITS.seconds, specimen.seconds))
    ended = await Unsandboxed().run(Program(module=_CHECK, files=files, limits=limits))
    return _verdict(ended.exit_code, shortened(ended.output))


def _verdict(exit_code: int | None, report: str) -> Finding:
    match exit_code:
        case 0:
            return Finding("passed")
        case 2:
            return Finding("failed", "it does not fit the schema", report)
        case 3:
            return Finding("unverified", "the plan's schema cannot be used", report)
        case 1 if _NO_LIBRARY in report:
            return Finding("unverified", "not run: jsonschema is not installed")
        case _:
            return Finding("unverified", "the check did not finish")


def _document(output: str) -> str | None:
    """The JSON in an output: all of it, or its last block that is JSON."""
    if len(output) > MAX_CODE_CHARACTERS:
        return None
    fenced = [block.text for block in blocks(output) if block.tag in {"json", ""}]
    return next((text for text in [output, *reversed(fenced)] if _is_json(text)), None)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
