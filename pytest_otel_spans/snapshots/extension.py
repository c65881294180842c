"""Store snapshots of spans with syrupy: one text file a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, cast
from zlib import crc32

import pytest
from syrupy.assertion import AssertionResult, DiffMode, SnapshotAssertion
from syrupy.extensions.base import AbstractSyrupyExtension
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from syrupy.location import PyTestLocation
from syrupy.session import SnapshotSession

from pytest_otel_spans.snapshots.lock import Terms, Told, read_rows, read_text
from pytest_otel_spans.snapshots.masks import Masks
from pytest_otel_spans.snapshots.parse import comments_in, parse_rows
from pytest_otel_spans.sources import source_of

__all__ = ["SECTION", "SpanSnapshot", "SpansExtension", "snapshot_of"]

SECTION: Final = "Span snapshot"
"""The title of the section of a report that shows in what spans differ from their snapshot."""

_UNSAFE: Final = frozenset('\\/?*:|"<>')
_LONGEST_NAME: Final = 120
"""Characters of a file name, which in some file systems may have 255 bytes."""


class SpansExtension(SingleFileSnapshotExtension):
    """A text file for each snapshot."""

    _write_mode = WriteMode.TEXT
    file_extension = "spans"

    def __init__(self, terms: Terms | None = None) -> None:
        self._terms = terms or Terms()

    def serialize(self, data: Any, **_: Any) -> Any:
        """Return the spans; they become a text when one is written."""
        return Told(source_of(data), self._terms)

    def matches(self, *, serialized_data: Any, snapshot_data: Any) -> bool:
        """Compare the spans with the rows of the file."""
        return cast("Told", serialized_data).agrees_with(snapshot_data)

    def read_snapshot_data_from_location(
        self, *, snapshot_location: str, snapshot_name: str, session_id: str
    ) -> Any:
        """Return the rows of the file, None if there is none."""
        del snapshot_name, session_id
        path = Path(snapshot_location)
        return read_rows(path, "/".join(path.parts[-3:]))

    @classmethod
    def get_snapshot_name(cls, *, test_location: PyTestLocation, index: str | int = 0) -> str:
        """Return the name of the file, without its ending: another one for each snapshot."""
        test = _file_name(test_location.snapshot_name)
        if isinstance(index, str):
            return f"{test}[{_file_name(index)}]"
        return f"{test}.{index}" if index else test

    @classmethod
    def matches_test_location(
        cls, *, test_location: PyTestLocation, snapshot_location: str
    ) -> bool:
        """Whether the file is one of this test."""
        path = Path(snapshot_location)
        own = cls.get_snapshot_name(test_location=test_location)
        return path.parent == Path(cls.dirname(test_location=test_location)) and (
            path.stem == own or path.stem.startswith((f"{own}.", f"{own}["))
        )


class HeldWrites:
    """A session of syrupy that writes nothing before it is told to."""

    def __init__(self, session: SnapshotSession) -> None:
        self._session = session
        self._texts: dict[str, str] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def recall_snapshot(
        self, extension: SpansExtension, test_location: PyTestLocation, index: str | int
    ) -> Any:
        """Return the rows that are to be written, else those of the file."""
        location = extension.get_location(test_location=test_location, index=index)
        if location in self._texts:
            return parse_rows(self._texts[location])
        return self._session.recall_snapshot(extension, test_location, index)

    def queue_snapshot_write(
        self,
        extension: SpansExtension,
        test_location: PyTestLocation,
        data: Told,
        index: str | int,
    ) -> None:
        """Hold a snapshot back."""
        location = extension.get_location(test_location=test_location, index=index)
        header, end, rows = data.text().partition("\n")
        comments = comments_in(read_text(Path(location)) or "")
        self._texts[location] = header + end + comments + rows

    def release(self) -> None:
        """Write what was held back."""
        for location, text in self._texts.items():
            Path(location).parent.mkdir(parents=True, exist_ok=True)
            Path(location).write_text(text, encoding="utf-8", newline="\n")
        self._texts.clear()

    def discard(self) -> None:
        """Forget what was held back."""
        self._texts.clear()


class SpanSnapshot(SnapshotAssertion):
    """The spans that a test had when its snapshot was written: `assert spans == span_snapshot`."""

    session: Any

    def __post_init__(self) -> None:
        self.session = HeldWrites(self.session)
        self._sections: list[str] = []
        self._sound = True
        self.tells = False
        """Whether a section shows the spans: in what they differ, and where."""
        super().__post_init__()

    def __call__(  # type: ignore[override]  # spans have options of their own
        self,
        *,
        mask: Mapping[str, type] | None = None,
        unordered: Sequence[str] = (),
        name: str | None = None,
    ) -> SpanSnapshot:
        """Give the next comparison its options.

        Args:
            mask: Keys, `*` being a wildcard, with the type that their values must have; the
                values themselves may change.
            unordered: The names of spans whose children may start in any order; `"/"` stands for
                the roots.
            name: A name for this snapshot, in place of its number.

        Raises:
            TypeError: A mask gives no key and type, or `unordered` is no list of names.
        """
        __tracebackhide__ = True
        if isinstance(unordered, str):
            raise TypeError(f"unordered={unordered!r} is no list of names: write [{unordered!r}]")
        terms = Terms(masks=Masks(typed=dict(mask or {})), unordered=tuple(unordered))
        extension = cast("type[AbstractSyrupyExtension]", partial(SpansExtension, terms))
        super().__call__(extension_class=extension, name=name)
        return self

    def __eq__(self, other: object) -> bool:
        __tracebackhide__ = True
        equal = super().__eq__(cast("Any", other))
        result = self._last()
        if result.exception is not None:
            raise result.exception.with_traceback(None) from None
        if not equal and result.recalled_data is not None:
            explanation = cast("Told", result.asserted_data).explanation()
            self._sections.append(f"{_shown(result)}: {explanation}")
            self.tells = True
        return equal

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<SpanSnapshot of {self.test_location.testname}>"

    def get_assert_diff(self, *, diff_mode: DiffMode = DiffMode.DETAILED) -> list[str]:
        """Return what pytest prints below the assertion: it cuts it to few lines."""
        del diff_mode
        result = self._last()
        if result.recalled_data is None:
            return [f"{_shown(result)} does not exist: pytest --snapshot-update writes it"]
        return [
            f"the section {SECTION!r} shows in what they differ from {_shown(result)}",
            "if the spans are right, pytest --snapshot-update brings it up to date",
        ]

    def witness(self, report: pytest.TestReport) -> list[str]:
        """Take note of a phase of the test; write what is new once it has passed in all of them.

        Returns:
            What the report of this phase should show, a section each.
        """
        if self._sound and report.outcome != "passed":
            self._sound = False
            self._withdraw()
        if report.when == "teardown":
            self.session.release()
            if not self._sound:  # it may not have come to its snapshots: they are not unused
                self.session.ran_item(report.nodeid, "skipped")
        if not report.failed:
            return []
        shown, self._sections = self._sections, []
        return shown

    def _withdraw(self) -> None:
        """Write nothing for a test that did not pass, and say so."""
        self.session.discard()
        for result in self.executions.values():
            if result.created or result.updated:
                result.created = result.updated = result.success = False
                self._sections.append(f"{_shown(result)} was not written: the test did not pass")

    def _last(self) -> AssertionResult:
        return self.executions[self.num_executions - 1]


def snapshot_of(item: pytest.Item) -> SpanSnapshot:
    """Return what the spans of a test are compared with."""
    # Syrupy gives its session nowhere else but in its fixture, whose name a suite may use itself.
    session = vars(item.config).get("_syrupy")
    if session is None:
        pytest.fail(
            "the fixture `span_snapshot` needs the pytest plugin syrupy, which is not loaded: "
            "leave out `-p no:syrupy`, or load it with `-p syrupy`",
            pytrace=False,
        )
    option = item.config.option
    return SpanSnapshot(
        session=session,
        extension_class=SpansExtension,
        test_location=PyTestLocation(item),
        update_snapshots=option.update_snapshots,
        update_new_snapshots_only=option.update_new_snapshots_only,
    )


def _shown(result: AssertionResult) -> str:
    return "/".join(Path(result.snapshot_location).parts[-3:])


def _file_name(name: str) -> str:
    """Return a name that every file system takes; names that differ have names that differ."""
    safe = "".join("_" if one in _UNSAFE or not one.isprintable() else one for one in name)
    if safe == name and len(safe) <= _LONGEST_NAME:
        return safe
    return f"{safe[:_LONGEST_NAME]}-{crc32(name.encode('utf-8', 'surrogatepass')):08x}"
