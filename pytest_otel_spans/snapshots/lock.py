"""Hold the spans of a test against the text that locks them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pytest_otel_spans.explaining.explain import explain
from pytest_otel_spans.explaining.report import compose
from pytest_otel_spans.snapshots.compare import Disagreement, compare
from pytest_otel_spans.snapshots.format import format_rows
from pytest_otel_spans.snapshots.masks import Masks
from pytest_otel_spans.snapshots.merge import fresh, merge
from pytest_otel_spans.snapshots.parse import parse_rows, unreadable
from pytest_otel_spans.snapshots.read import Unreadable
from pytest_otel_spans.snapshots.rows import Row
from pytest_otel_spans.snapshots.story import tell
from pytest_otel_spans.sources import Source
from pytest_otel_spans.text.render import path_text

__all__ = ["Terms", "Told", "read_rows", "read_text"]

_ADVICE: Final = re.compile(
    r"  → (?:allow it with|span\(.* means a leaf|\.times\(|expect it here"
    r"|name it|leave out|pytest\.approx).*$"
)
_COUNT: Final = re.compile(r"([\d,]+) spans?(?= below$| ok$)")
_ANY_ORDER: Final = re.compile(r"→ (?:expect them in this order, or in )?any_order\(\.\.\.\).*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a test says about its snapshot.

    Attributes:
        masks: What is masked.
        unordered: The names of the spans whose children have no order, `"/"` for the roots.
    """

    masks: Masks = field(default_factory=Masks)
    unordered: tuple[str, ...] = ()


class Told:
    """The spans of a test as they were when they were compared.

    Raises:
        AssertionError: There is no span, or one whose value is not of the type that a mask says.
    """

    def __init__(self, source: Source, terms: Terms) -> None:
        __tracebackhide__ = True
        self._source = source
        self._terms = terms
        self._story = tell(source.forest(), terms.unordered)
        self._disagreement: Disagreement | None = None
        if not self._story.rows:
            raise AssertionError(f"there is nothing to compare: {source.why_empty()}")
        for wrong in self._wrong_types():
            raise AssertionError(wrong)

    def agrees_with(self, rows: Sequence[Row]) -> bool:
        """Whether the spans are what a snapshot says; if not, the answers below are about it."""
        masks = self._terms.masks
        meant = [_meant(row, masks) for row in rows] if masks.typed else rows
        self._disagreement = compare(meant, self._story, self._terms.unordered)
        return self._disagreement is None

    def text(self) -> str:
        """Return the snapshot as it is to be: the one that disagrees brought up to date."""
        if self._disagreement is None:
            return format_rows(fresh(self._story, self._terms.masks))
        return format_rows(merge(self._disagreement, self._terms.masks, self._terms.unordered))

    def explanation(self) -> str:
        """Return the annotated tree of the disagreement, "" if there is none."""
        if self._disagreement is None:
            return ""
        outcome = self._disagreement.outcome
        explanation = explain(outcome)
        lines = tuple(map(_for_a_snapshot, explanation.lines))
        return compose(
            replace(outcome, forest=self._story.forest),
            explanation._replace(lines=lines),
            why_empty="",
            notes=self._source.notes(),
        )

    def _wrong_types(self) -> Iterator[str]:
        masks = self._terms.masks
        for row, node in zip(self._story.rows, self._story.nodes, strict=True):
            for key, value in row.attributes.items() if masks.typed else ():
                if (wrong := masks.wrong(key, value)) is not None:
                    yield f"{path_text(node)}: {wrong}"


def _meant(row: Row, masks: Masks) -> Row:
    attributes = {key: masks.meant(key, token) for key, token in row.attributes.items()}
    return replace(row, attributes=MappingProxyType(attributes))


def read_rows(path: Path, shown: str) -> tuple[Row, ...] | None:
    """Return the rows of the snapshot in a file, None if there is no file.

    Raises:
        SnapshotSyntaxError: The file is no snapshot.
    """
    text = read_text(path, shown)
    return None if text is None else parse_rows(text, shown)


def read_text(path: Path, shown: str = "the snapshot") -> str | None:
    """Return the text of a file, whatever ends its lines; None if there is no file.

    Raises:
        SnapshotSyntaxError: The file is no text.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise unreadable(number, shown, Unreadable("is no UTF-8")) from None
    return text.replace("\r\n", "\n")


def _for_a_snapshot(line: str) -> str:
    """Leave out what only who writes patterns can do, and say what can be done here.

    Events and links are counted with the spans, as what stands below one.
    """
    line = _COUNT.sub(r"\1", _ADVICE.sub("", line))
    return _ANY_ORDER.sub("→ span_snapshot(unordered=[...]) with the name of their parent", line)
