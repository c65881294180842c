"""Read a snapshot from its text, line by line."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import takewhile
from types import MappingProxyType
from typing import Any, Final

from pytest_otel_spans.snapshots.format import (
    COMMENT,
    DEEPEST,
    DETAIL,
    EXCEPTION_TYPE,
    HEADER,
    LEVEL,
    MESSAGE,
    TYPE,
)
from pytest_otel_spans.snapshots.read import Unreadable, read, read_name, read_quoted
from pytest_otel_spans.snapshots.rows import EXCEPTION, Row
from pytest_otel_spans.snapshots.tokens import Token, Wild

__all__ = ["SnapshotSyntaxError", "comments_in", "parse_rows", "unreadable"]

_NEWER: Final = re.compile(r"# spans v(\d+)")
_CONFLICT: Final = re.compile(r"(?:<{7}|={7}|>{7}|\|{7})(?: |$)")
_RESOLVE: Final = (
    "Keep either side, and pytest with --snapshot-update brings what is kept up to date."
)
_DEEP: Final = re.compile(r"\(level (\d+)\) ")
_MARKS: Final = re.compile(
    r"(?:  \((?P<kind>server|client|producer|consumer)\))?"
    r"(?:  \[(?P<status>ok|error)(?: (?P<description>.+))?\])?"
    r"(?P<open>  \(never ended\))?"
)
_EXCEPTION: Final = re.compile(rf"{EXCEPTION}(?: (?P<type>\S+?))?(?:: (?P<message>.+))?")


class SnapshotSyntaxError(ValueError):
    """A text that is no snapshot; the message has the number of the line, counted from 1."""


def parse_rows(text: str, where: str = "the snapshot") -> tuple[Row, ...]:
    """Return the rows of a snapshot.

    Args:
        text: The whole text, its first line included.
        where: What the text is, for the error: the path of the file.

    Raises:
        SnapshotSyntaxError: The text is no snapshot, or one of a later format.
    """
    reader = _Reader()
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        try:
            reader.take(line, first=number == 1)
        except Unreadable as error:
            raise unreadable(number, where, error) from None
    return reader.rows()


def unreadable(number: int, where: str, error: Unreadable) -> SnapshotSyntaxError:
    """Return the error that names the line."""
    return SnapshotSyntaxError(f"cannot parse line {number} of {where}: it {error}. {error.advice}")


def comments_in(text: str) -> str:
    """Return the lines that a hand has written between the first one and the first span."""
    lines = text.splitlines(keepends=True)[1:]
    return "".join(takewhile(lambda line: line.startswith(COMMENT), lines))


class _Reader:
    """Takes lines one after the other, and knows what the next may belong to."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._attributes: list[dict[str, Token]] = []
        self._span = -1
        """The level of the last span."""

    def rows(self) -> tuple[Row, ...]:
        return tuple(
            replace(row, attributes=MappingProxyType(attributes))
            for row, attributes in zip(self._rows, self._attributes, strict=True)
        )

    def take(self, line: str, *, first: bool) -> None:
        """Take a line.

        Raises:
            Unreadable: It cannot stand there.
        """
        if first:
            _check_header(line)
            return
        content = line.lstrip(" ")
        if not content:
            return
        if line.startswith(COMMENT):
            if self._rows:
                raise Unreadable("is a comment, which may stand above the first span alone")
            return
        if _CONFLICT.match(content):
            raise Unreadable("is the mark of a merge conflict", _RESOLVE)
        if content.startswith("\t"):
            raise Unreadable("is indented with a tab, and spaces are what counts")
        margin = len(line) - len(content)
        detail = LEVEL * min(self._span, DEEPEST) + DETAIL
        if self._span >= 0 and margin == detail:
            self._take_detail(content)
        elif self._span >= 0 and margin == detail + DETAIL and self._rows[-1].what != "span":
            self._take_attribute(content)
        else:
            self._take_span(content, margin)

    def _take_detail(self, content: str) -> None:
        """Take an event, a link, or an attribute of the span."""
        for sign, reader in _REMARKS.items():
            if content.startswith(sign):
                row, attributes = reader(content.removeprefix(sign))
                self._add(replace(row, level=self._span + 1), attributes)
                return
        if self._rows[-1].what != "span":
            raise Unreadable("is an attribute of the span below its events: move it up")
        self._take_attribute(content)

    def _take_attribute(self, content: str) -> None:
        if content.startswith('"'):
            key, rest = read_quoted(content)
            separator, value = rest[:3], rest[3:]
        else:
            text, separator, value = content.partition(" = ")
            key = read_name(text) if separator else None
        if separator != " = " or not isinstance(key, str):
            raise Unreadable(f"has {content!r} where `key = value` should be")
        attributes = self._attributes[-1]
        if key in attributes:
            raise Unreadable(f"has the key {key!r} for the second time")
        attributes[key] = read(value)

    def _take_span(self, content: str, margin: int) -> None:
        level, odd = divmod(margin, LEVEL)
        deep = _DEEP.match(content)
        if deep is not None and level == DEEPEST and int(deep[1]) > DEEPEST:
            level, content = int(deep[1]), content[deep.end() :]
        if odd or level > self._span + 1:
            raise Unreadable(f"is indented by {margin} spaces, where nothing can belong to it")
        self._add(_span(content, level), {})
        self._span = level

    def _add(self, row: Row, attributes: dict[str, Token]) -> None:
        self._rows.append(row)
        self._attributes.append(attributes)


def _check_header(line: str) -> None:
    if line.rstrip() == HEADER:
        return
    newer = _NEWER.fullmatch(line.rstrip())
    if newer is not None:
        raise Unreadable(
            f"is of format v{newer[1]}, and this version of the plugin reads v1",
            "Upgrade the plugin: a later version wrote the file.",
        )
    raise Unreadable(f"is not {HEADER!r}")


def _span(content: str, level: int) -> Row:
    if content.startswith('"'):
        name, rest = read_quoted(content)
    else:
        text, gap, more = content.partition("  ")
        name, rest = read_name(text), gap + more
    marks = _MARKS.fullmatch(rest)
    if marks is None:
        raise Unreadable(f"has {rest!r} after the name, which is no kind and no status")
    said = marks["description"]
    return Row(
        level=level,
        what="span",
        name=name,
        kind=marks["kind"] or "internal",
        status=marks["status"] or "unset",
        description=None if said is None else read(said),
        ended=marks["open"] is None,
    )


def _event(content: str) -> tuple[Row, dict[str, Token]]:
    attributes: dict[str, Any] = {}
    exception = _EXCEPTION.fullmatch(content)
    if exception is None:
        return Row(level=0, what="event", name=read_name(content)), attributes
    if (kind := exception["type"]) is not None:
        attributes[TYPE] = _exception_type(kind)
    if (message := exception["message"]) is not None:
        attributes[MESSAGE] = read(message)
    return Row(level=0, what="event", name=EXCEPTION), attributes


def _exception_type(text: str) -> Token:
    if EXCEPTION_TYPE.fullmatch(text):
        return text
    token = read(text)
    if isinstance(token, Wild):
        return token
    raise Unreadable(f"has {text!r} where the type of an exception should be")


def _link(content: str) -> tuple[Row, dict[str, Token]]:
    return Row(level=0, what="link", name=read_name(content)), {}


_REMARKS: Final[dict[str, Callable[[str], tuple[Row, dict[str, Token]]]]] = {
    "! ": _event,
    "~> ": _link,
}
