"""Code for a project: a program that works, and the tests that fit it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from orchestrator.providers.offline.assignment import Assignment
from orchestrator.providers.offline.deliverable import Deliverable, Part
from orchestrator.providers.offline.frames import fact_for
from orchestrator.providers.offline.judging import is_beyond_text
from orchestrator.providers.offline.kernel import (
    GENERIC,
    Cell,
    Kernel,
    checks,
    joined,
    kernel_for,
    needed,
    program,
    renamed,
)
from orchestrator.providers.offline.passages import LEFT_OPEN
from orchestrator.providers.offline.source_reading import defined
from orchestrator.providers.offline.vocabulary import VOCABULARY
from orchestrator.providers.offline.words import (
    class_name,
    function_name,
    mentions,
    plain,
    sentence_case,
)

WITH_TESTS: Final = ", with its tests"
"""How the title of a task ends that makes a module and its tests in one."""

_NOTE: Final = "- "
"""What a line of the module's docstring begins with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The program of a project: a known one, under the project's own names."""

    kernel: Kernel
    checks: Kernel
    main: str
    module: str
    about: str
    """The project's own nouns."""
    criteria: tuple[str, ...]
    is_known: bool
    """Whether it is the program that was asked for, and no stand-in."""

    @property
    def additions(self) -> tuple[Cell, ...]:
        """What comes with it, and what a criterion demands."""
        return tuple(
            cell
            for cell in self.kernel.additions
            if not cell.on_demand or cell in map(self.cell_for, self.criteria)
        )

    def cell_for(self, criterion: str) -> Cell | None:
        """The cell that answers a criterion."""
        return self.kernel.cell_for(criterion, self.about)

    def name_for(self, criterion: str) -> str | None:
        """The public name that answers a criterion."""
        cell = self.cell_for(criterion)
        names = defined(self.named(cell.source)) if cell else ()
        return self.main if self.main in names else next(iter(names), None)

    def fact_for(self, criterion: str) -> str | None:
        """What is true of it that answers a criterion."""
        fact = fact_for(criterion, self.about)
        return fact.text.format(main=self.main, module=self.module) if fact else None

    def named(self, source: str) -> str:
        """Source of the kernel or its checks with the project's names in it."""
        own = renamed(source, self.kernel.main, self.main)
        return own.replace(f"{self.kernel.package}.{self.kernel.name}", self.module)

    @property
    def source(self) -> str:
        """The whole of it."""
        cells = [self.kernel.core, *self.additions]
        return self.named(joined(cell.source for cell in cells))

    @property
    def tests(self) -> str:
        """The whole of its tests."""
        titles = {cell.title for cell in self.additions}
        cells = [c for c in self.checks.additions if c.title in titles]
        return self.named(joined(cell.source for cell in [self.checks.core, *cells]))


def program_of(work: Assignment) -> Program:
    """The program that the project asks for."""
    about = f"{work.subject.thing} {work.subject.whole}"
    name = kernel_for(about)
    kernel, tests = program(name or GENERIC), checks(name or GENERIC)
    main = class_name(work.subject.thing) or kernel.main
    if main in kernel.identifiers | tests.identifiers:
        main = kernel.main
    return Program(
        kernel=kernel,
        checks=tests,
        main=main,
        module=function_name(work.subject.thing) or kernel.name,
        about=about,
        criteria=work.criteria,
        is_known=name is not None,
    )


def implementation(work: Assignment) -> Deliverable:
    """The module, a part for each addition and for each criterion that none of them answers."""
    own = program_of(work)
    return Deliverable(
        opening=f"The module `{own.module}.py`{_stand_in(work, own)}:",
        parts=(
            Part(point=f"class {own.main}", text=own.named(own.kernel.core.source), is_basic=True),
            *_parts(work, own, own.kernel, _open_function),
        ),
        joined=partial(_module, own, own.kernel, _titled(work.subject.thing, own.kernel.purpose)),
    )


def test_suite(work: Assignment) -> Deliverable:
    """The module of tests, with the same parts."""
    own = program_of(work)
    purpose = _titled(f"Tests of {own.main}", own.checks.purpose)
    return Deliverable(
        opening=f"The tests in `test_{own.module}.py`, beside the module; `pytest` runs them:",
        parts=(
            Part(
                point=f"tests of {own.main}",
                text=f"# Core: tests of {own.main}\n{own.named(own.checks.core.source)}",
                is_basic=True,
            ),
            *_parts(work, own, own.checks, _open_test),
        ),
        joined=partial(_module, own, own.checks, purpose),
    )


def module_with_tests(work: Assignment) -> Deliverable:
    """The module, and the tests of the parts that are in it, where one task makes both."""
    module, tests = implementation(work), test_suite(work)

    def both(parts: tuple[Part, ...]) -> str:
        points = {part.point for part in parts}
        kept = tuple(part for part in tests.parts if part.is_basic or part.point in points)
        return f"{module.joined(parts)}\n{tests.opening}\n\n{tests.joined(kept)}"

    of_tests = replace(tests.parts[0], text="")
    return replace(module, parts=(*module.parts, of_tests), joined=both)


def _stand_in(work: Assignment, own: Program) -> str:
    if own.is_known:
        return ""
    return (
        f". The offline author knows no {plain(work.subject.whole)}; this keeps records for one, "
        "and says what is left open"
    )


def _titled(title: str, purpose: str) -> str:
    return f"{sentence_case(plain(title))}: {purpose[:1].lower()}{purpose[1:]}"


def _parts(
    work: Assignment, own: Program, kernel: Kernel, left_open: Callable[[str, Program], str]
) -> Iterator[Part]:
    """One for each addition, under the criterion it answers, then the other criteria."""
    answers = {phrase: own.cell_for(phrase) for phrase in work.own_criteria}
    asked = {cell.title: phrase for phrase, cell in answers.items() if cell}
    written = {cell.title: cell for cell in kernel.additions}
    for cell in own.additions:
        criterion = asked.get(cell.title)
        label = f"Criterion: {plain(criterion)}" if criterion else f"Also: {cell.title}"
        text = f"# {label}\n{own.named(written[cell.title].source)}"
        yield Part(point=criterion or cell.title, text=text)
    additions = {asked.get(cell.title) for cell in own.additions}
    for phrase, answer in answers.items():
        if phrase not in additions:
            yield _part(phrase, answer, own, left_open)


def _part(
    phrase: str, answer: Cell | None, own: Program, left_open: Callable[[str, Program], str]
) -> Part:
    """A criterion that no addition answers: the core does, a fact does, or it is left open."""
    label = plain(phrase)
    if is_beyond_text(phrase):
        text = f"{_NOTE}{label}: not shown here, because it takes more than a text."
        return Part(point=phrase, text=text)
    if answer is not None:
        return Part(
            point=phrase,
            text=f"{_NOTE}{label}: this is what `{own.main}` does by itself.",
            is_basic=True,
        )
    fact = own.fact_for(phrase)
    if fact is not None:
        is_basic = mentions(phrase, VOCABULARY.of_tests)
        return Part(point=phrase, text=f"{_NOTE}{label}: {fact}.", is_basic=is_basic)
    return Part(point=phrase, text=left_open(phrase, own))


def _name_for(phrase: str, own: Program) -> str:
    """A name that no definition of the program has."""
    name = function_name(phrase) or f"criterion_{own.criteria.index(phrase) + 1}"
    return f"{name}_wanted" if name in own.kernel.identifiers else name


def _open_function(phrase: str, own: Program) -> str:
    label = plain(phrase)
    return (
        f"# Criterion: {label}\n"
        f"def {_name_for(phrase, own)}() -> None:\n"
        f'    """{sentence_case(label)}. {LEFT_OPEN} what meets it has to be written."""\n'
        f'    raise NotImplementedError("{label}")'
    )


def _open_test(phrase: str, own: Program) -> str:
    label = plain(phrase)
    return (
        f"# Criterion: {label}\n"
        '@pytest.mark.skip(reason="left open")\n'
        f"def test_{_name_for(phrase, own)}() -> None:\n"
        f'    """{sentence_case(label)}. {LEFT_OPEN} what shows it has to be written."""\n'
        f'    raise NotImplementedError("{label}")'
    )


def _module(own: Program, kernel: Kernel, purpose: str, parts: tuple[Part, ...]) -> str:
    """The parts as one module in a fence; notes go into its docstring."""
    notes = "\n".join(part.text for part in parts if part.text.startswith(_NOTE))
    docstring = f'"""{purpose}\n\n{notes}\n"""' if notes else f'"""{purpose}"""'
    code = joined(part.text for part in parts if not part.text.startswith(_NOTE))
    imports = needed(own.named(kernel.imports), code)
    head = f"{docstring}\n\n{imports}" if imports else docstring
    return f"```python\n{joined([head, code.rstrip()])}```\n"
