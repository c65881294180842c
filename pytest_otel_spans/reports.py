"""Show in the report of a failed test what its failure cannot say by itself."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

import pytest

__all__ = ["Equalities", "add_section"]

_SECTION: Final = "Span tree"


def add_section(report: pytest.TestReport, title: str, text: str, config: pytest.Config) -> None:
    """Add a text where a reader finds it: a JUnit file holds nothing but the failure."""
    add_to_failure = getattr(report.longrepr, "addsection", None)
    if config.getoption("xmlpath", None) and add_to_failure is not None:
        add_to_failure(title, text)
    else:
        report.sections.append((title, text))


class Equalities:
    """Tells why spans are not equal to a literal; pytest cuts what it is told at the comparison."""

    def __init__(self) -> None:
        self._why = ""

    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> list[str] | None:
        """Say where the report tells it."""
        ours = any(type(side).__module__.startswith(__package__) for side in (left, right))
        if op != "==" or not ours:
            return None
        from pytest_otel_spans.assertions import why_unequal

        self._why = why_unequal(left, right) or ""
        return [self._claim, f"the section {_SECTION!r} shows where"] if self._why else None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Tell it, unless the test went on after that comparison and failed elsewhere."""
        report = yield
        if report.failed and self._why and self._claim in report.longreprtext:
            add_section(report, _SECTION, self._why, item.config)
        self._why = ""
        return report

    @property
    def _claim(self) -> str:
        return "spans == literal: " + self._why.partition("\n")[0]
