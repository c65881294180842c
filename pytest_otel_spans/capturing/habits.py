"""Answer those who take captured spans for a list, or for an exporter, with what to ask instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NoReturn

_NO_SEQUENCE = (
    "{1} is not possible, spans are a tree: {0}.one('name') is a span by its name, "
    "{0}.all('*') are all of them in start order, {0}.roots are those on top"
)
_NO_CONTAINER = (
    "{1!r} in {0} is not possible: {0}.all({1!r}) are the spans that match, {0}.one({1!r}) is the "
    "only one, and {0}.none({1!r}) says that there is none"
)
_NO_EXPORTER = (
    "{0} is no exporter, but trees to ask: {0}.one('name'), {0}.all('*'), {0}.roots; "
    "assert_span_tree() takes an exporter and lists of spans as they are"
)


class Habits:
    """What has other names here than in a list of spans.

    Attributes:
        fixture: The fixture's name, for sentences that say what to write.
    """

    fixture: ClassVar[str]

    def __getitem__(self, index: object) -> NoReturn:
        __tracebackhide__ = True
        raise TypeError(_NO_SEQUENCE.format(self.fixture, f"{self.fixture}[{index!r}]"))

    def __iter__(self) -> NoReturn:
        __tracebackhide__ = True
        raise TypeError(_NO_SEQUENCE.format(self.fixture, f"iterating over {self.fixture}"))

    def __contains__(self, item: object) -> NoReturn:
        __tracebackhide__ = True
        raise TypeError(_NO_CONTAINER.format(self.fixture, item))

    if not TYPE_CHECKING:  # to a type checker there is no such attribute, and no other

        def __getattr__(self, name: str) -> NoReturn:
            __tracebackhide__ = True
            plain = f"{type(self).__name__!r} object has no attribute {name!r}"
            sentence = _NO_EXPORTER.format(self.fixture) if name == "get_finished_spans" else plain
            raise AttributeError(sentence, name=name, obj=self)
