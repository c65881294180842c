"""Writes what is printed from the schema: ``python -m orchestrator.spans docs``."""

import sys
from pathlib import Path

from orchestrator.spans.page import page
from orchestrator.spans.registry import registry


def main(arguments: list[str]) -> str | None:
    """Write spans.md and spans.yaml into a folder; return what is wrong, None if nothing is."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        return "Name the folder of spans.md and spans.yaml: python -m orchestrator.spans docs"
    folder = Path(arguments[0])
    (folder / "spans.md").write_text(page(), encoding="utf-8")
    (folder / "spans.yaml").write_text(registry(), encoding="utf-8")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
