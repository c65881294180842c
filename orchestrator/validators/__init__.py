"""Hard validators: checks of an output that ask no model."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from orchestrator import spans
from orchestrator.errors import InputError, SandboxRefused
from orchestrator.models import Validation
from orchestrator.ports import Sandbox
from orchestrator.tracing import Span, traced_validation
from orchestrator.validators.reading import length, python_syntax
from orchestrator.validators.shape import json_schema
from orchestrator.validators.specimen import Finding, Specimen
from orchestrator.validators.style import ruff
from orchestrator.validators.testing import pytest

__all__ = ["Finding", "Specimen", "known", "refuse_unknown", "validate"]

_Check = Callable[[Specimen, Sandbox], Awaitable[Finding]]


async def validate(name: str, specimen: Specimen, sandbox: Sandbox) -> Validation:
    """Hold an output against one validator; what runs it runs it in the sandbox or not at all.

    Raises:
        InputError: there is no validator of that name.
    """
    refuse_unknown([name])
    with traced_validation(name) as span:
        try:
            finding = await _CHECKS[name](specimen, sandbox)
        except SandboxRefused as refusal:
            finding = Finding("unverified", f"not run: {refusal}")
        _record(span, finding.outcome)
    return Validation(
        validator=name, outcome=finding.outcome, detail=finding.detail, report=finding.report
    )


def told_again(verdict: Validation) -> Validation:
    """A verdict that was given before, under a span like that of the first time."""
    with traced_validation(verdict.validator) as span:
        _record(span, verdict.outcome)
    return verdict


def _record(span: Span, outcome: str) -> None:
    if span.is_recording():
        span.set_attributes(
            {spans.VALIDATION_PASSED: outcome == "passed", spans.VALIDATION_OUTCOME: outcome}
        )


def known() -> tuple[str, ...]:
    """The names of all validators."""
    return tuple(_CHECKS)


def refuse_unknown(names: Iterable[str]) -> None:
    """Let only names through that a validator has.

    Raises:
        InputError: the sentence says which one has none.
    """
    for name in names:
        if name not in _CHECKS:
            near = get_close_matches(name, _CHECKS, n=1)
            advice = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known())}."
            raise InputError(f"There is no validator {name!r}; {advice}")


async def _python_syntax(specimen: Specimen, _: Sandbox) -> Finding:
    return python_syntax(specimen.output)


async def _length(specimen: Specimen, _: Sandbox) -> Finding:
    return length(specimen.output)


async def _json_schema(specimen: Specimen, _: Sandbox) -> Finding:
    return await json_schema(specimen)


async def _ruff(specimen: Specimen, _: Sandbox) -> Finding:
    return await ruff(specimen)


_CHECKS: Final[Mapping[str, _Check]] = MappingProxyType(
    {
        "python_syntax": _python_syntax,
        "json_schema": _json_schema,
        "ruff": _ruff,
        "pytest": pytest,
        "length": _length,
    }
)
