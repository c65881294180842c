"""The fenced blocks of a Markdown text."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

PYTHON_TAGS: Final = frozenset({"python", "python3", "py", "py3"})
"""The info strings of the blocks that are Python."""

_FENCED: Final = re.compile(
    r"^[ \t]*(?P<fence>`{3,}|~{3,})[ \t]*(?P<tag>[\w+#-]*)(?P<info>[^\n`]*)\n"
    r"(?P<text>.*?)"
    # A fence is closed by one at least as long; one that is never closed runs to the end.
    r"(?:^[ \t]*(?P=fence)[`~]*[ \t]*$|\Z)",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block, without its indentation."""

    tag: str
    """The language that it says it is, in lower case, or nothing."""
    info: str
    """What else stands on its first line."""
    before: str
    """The last line above it that is not blank."""
    text: str


def blocks(markdown: str) -> Iterator[Block]:
    """Every fenced block, in order."""
    end = 0
    for match in _FENCED.finditer(markdown):
        above, end = markdown[end : match.start()].rstrip(), match.end()
        yield Block(
            tag=match["tag"].lower(),
            info=match["info"],
            before=above[above.rfind("\n") + 1 :],
            text=textwrap.dedent(match["text"]),
        )


def python_blocks(markdown: str) -> list[Block]:
    """The blocks that say they are Python; if none does, those that do not say."""
    found = list(blocks(markdown))
    tagged = [block for block in found if block.tag in PYTHON_TAGS]
    return tagged or [block for block in found if not block.tag]
