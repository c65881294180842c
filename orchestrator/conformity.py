"""The check of a JSON document against a schema, as a program of its own: see `validators.shape`.

It reads ``schema.json`` and ``document.json`` where it is started, and exits with 0 (the document
fits), 2 (it does not, and the output says where) or 3 (the schema cannot be used).
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator, SchemaError
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

FITS: Final = 0
MISFITS: Final = 2
UNUSABLE: Final = 3
_MOST_SAID: Final = 5


def check(schema: dict[str, Any], document: Any) -> tuple[int, str]:
    """The exit code, and what there is to say."""
    try:
        judge = validator_for(schema, default=Draft202012Validator)
        judge.check_schema(schema)
        # An empty registry knows no place on the network or the disk to read a schema from.
        found = judge(schema, registry=Registry()).iter_errors(document)
        errors = sorted(found, key=lambda error: error.json_path)
    except (SchemaError, Unresolvable, RecursionError) as error:
        return UNUSABLE, str(getattr(error, "message", error))
    said = "\n".join(f"{error.json_path}: {error.message}" for error in errors[:_MOST_SAID])
    return (MISFITS, said) if errors else (FITS, "")


if __name__ == "__main__":
    documents = [
        json.loads(Path(name).read_text(encoding="utf-8"))
        for name in ("schema.json", "document.json")
    ]
    code, words = check(*documents)
    print(words)  # noqa: T201 - its output is read
    sys.exit(code)
