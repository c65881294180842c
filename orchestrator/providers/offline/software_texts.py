"""Texts about a project's code: its design, its documentation, its review."""

import re
from collections.abc import Iterable
from typing import Final

from orchestrator.providers.offline.assignment import Assignment
from orchestrator.providers.offline.deliverable import Deliverable, Part, in_sections
from orchestrator.providers.offline.judging import is_beyond_text
from orchestrator.providers.offline.software import Program, program_of
from orchestrator.providers.offline.source_reading import Name, Source, blocks, read_source
from orchestrator.providers.offline.vocabulary import VOCABULARY
from orchestrator.providers.offline.words import mentions, plain, says, sentence_case

_MOST_EVIDENCE: Final = 3
_NEEDS_WORLD: Final = "No text can show this: it has to be tried where it is used, and noted then."


def design(work: Assignment) -> Deliverable:
    """What the module will offer and refuse, before it is written."""
    own = program_of(work)
    source = read_source([own.source])
    return Deliverable(
        opening=f"How the {work.subject.whole} is built, before a line of it is written.",
        parts=(
            _basic("Purpose", f"{own.kernel.purpose} One module, `{own.module}.py`."),
            _basic("Public names", _table(source.names)),
            _basic("How it is used", _calls(source, own.main)),
            Part(point="What is refused", text=_refusals(source)),
            *(
                Part(point=phrase, text=_decision(own, source, phrase))
                for phrase in work.own_criteria
            ),
        ),
        joined=in_sections,
    )


def documentation(work: Assignment) -> Deliverable:
    """How the module is used, told from its source."""
    own = program_of(work)
    source = _source_for(work, own)
    return Deliverable(
        opening=f"How to use the {work.subject.whole}.",
        parts=(
            _basic(
                "Install",
                f"Put `{own.module}.py` where your program can import it. It needs Python 3.11 or "
                "later, and nothing else.",
            ),
            _basic("First use", _example(source, own)),
            _basic("Public names", _table(source.names)),
            _basic("Errors and what to do", _refusals(source)),
            *(
                Part(point=phrase, text=_promise(own, source, phrase))
                for phrase in work.own_criteria
            ),
        ),
        joined=in_sections,
    )


def review(work: Assignment) -> Deliverable:
    """What is found in the code and in its tests, name by name and criterion by criterion."""
    own = program_of(work)
    source = _source_for(work, own)
    return Deliverable(
        opening=f"What was found in the code of the {work.subject.whole}, by reading it.",
        parts=(
            _basic("What was read", _counts(source)),
            _basic("Public names and their tests", _coverage(source)),
            _basic("Findings", _findings(source)),
            *(
                Part(point=phrase, text=_evidence(own, source, phrase))
                for phrase in work.own_criteria
            ),
        ),
        joined=in_sections,
    )


def _source_for(work: Assignment, own: Program) -> Source:
    """The code among the inputs; where there is none, the code that the design promises."""
    modules = [block for text in work.inputs.values() for block in blocks(text)]
    return read_source(modules or [own.source, own.tests])


def _basic(point: str, text: str) -> Part:
    return Part(point=point, text=text, is_basic=True)


def _table(names: Iterable[Name]) -> str:
    rows = [f"| `{plain(name.signature)}` | {plain(name.promise)} |" for name in names]
    return "\n".join(["| name | what it promises |", "|---|---|", *rows])


def _calls(source: Source, main: str) -> str:
    """The main class's methods, in the order in which a caller meets them."""
    methods = [method for name in source.names if name.name == main for method in name.methods]
    steps = [f"`{method.signature}`: {method.promise}" for method in methods]
    lines = [f"Make one `{main}` where the program starts, and pass it to who needs it.", *steps]
    return "\n".join(f"{number}. {line}" for number, line in enumerate(lines, start=1))


def _refusals(source: Source) -> str:
    rows = [f"- `{error}`: {plain(said)}" for error, said in source.refusals]
    return "\n".join(rows) or "Nothing is refused."


def _answer(own: Program, source: Source, phrase: str) -> str:
    """The name that answers a criterion and what it promises, or what is true of all the code."""
    cell = own.cell_for(phrase)
    name = source.name_for(own.named(cell.source)) if cell else None
    if name:
        return f"`{name.name}`. {name.promise}"
    return sentence_case(f"{fact}.") if (fact := own.fact_for(phrase)) else ""


def _decision(own: Program, source: Source, phrase: str) -> str:
    if is_beyond_text(phrase):
        return _NEEDS_WORLD
    answer = _answer(own, source, phrase)
    if answer:
        return f"- Decided: {answer}\n- Seen by: {_test_of(own, phrase)}"
    return (
        f"- Decided: it gets a function of its own beside `{own.main}`, so that it can be judged "
        "alone.\n"
        "- Left to settle with whoever asked for it: an example that meets it, and one that just "
        "fails."
    )


def _test_of(own: Program, phrase: str) -> str:
    cell = own.checks.cell_for(phrase) or own.checks.core
    named = own.cell_for(phrase)
    cells = [c for c in own.checks.additions if named and c.title == named.title]
    tests = read_source([own.named((cells or [cell])[0].source)]).tests
    return f"`{tests[0]}` in `test_{own.module}.py`."


def _promise(own: Program, source: Source, phrase: str) -> str:
    if is_beyond_text(phrase):
        return _NEEDS_WORLD
    answer = _answer(own, source, phrase)
    return answer or f"Not there yet; `{own.main}` is where it will be found."


def _example(source: Source, own: Program) -> str:
    example = source.examples[0] if source.examples else f"{own.main}()"
    called = re.findall(r"(?<![\w.])\w+(?=\()", example)
    names = [name.name for name in source.names if name.name in called] or [own.main]
    return f"```python\nfrom {own.module} import {', '.join(names)}\n\n{example}\n```"


def _counts(source: Source) -> str:
    lines = len(source.text.splitlines())
    return (
        f"{lines} lines with {len(source.names)} public names and {len(source.tests)} tests. "
        "Nothing was run."
    )


def _coverage(source: Source) -> str:
    rows = [
        f"| `{name.name}` | {'yes' if name.promise else 'no'} | {len(source.tests_of(name.name))} |"
        for name in source.names
    ]
    return "\n".join(["| name | docstring | tests that use it |", "|---|---|---|", *rows])


def _findings(source: Source) -> str:
    silent = [name.name for name in source.names if not name.promise]
    untested = [name.name for name in source.names if not source.tests_of(name.name)]
    found = [f"- `{name}` has no docstring." for name in silent]
    found += [f"- `{name}` is used by no test." for name in untested]
    found += ["- A part is left open: it raises NotImplementedError."] * (
        "NotImplementedError" in source.text
    )
    return "\n".join(found) or "- Every public name has a docstring and is used by a test."


def _evidence(own: Program, source: Source, phrase: str) -> str:
    if is_beyond_text(phrase):
        return _NEEDS_WORLD
    cell = own.cell_for(phrase)
    name = source.name_for(own.named(cell.source)) if cell else None
    if name:
        tests = [f"- `{test}`" for test in source.tests_of(name.name)]
        return "\n".join([f"`{name.name}`. {name.promise}", "", *(tests or ["No test uses it."])])
    if mentions(phrase, VOCABULARY.of_tests):
        return f"There are {len(source.tests)} tests; what each public name has of them is above."
    lines = [line.strip(" #\"'") for line in source.text.splitlines() if says(line, phrase)]
    shown = [f"- {plain(line, 120)}" for line in dict.fromkeys(lines)]
    return "\n".join(shown[:_MOST_EVIDENCE]) or "No line of the code speaks of it."
