"""Texts about a project's code: its design, its documentation, its review."""

import re
from collections.abc import Iterable
from typing import Final

from orchestrator.providers.offline.assignment import Assignment
from orchestrator.providers.offline.deliverable import Deliverable, Part, in_sections
from orchestrator.providers.offline.frames import fact_for
from orchestrator.providers.offline.judging import is_beyond_text
from orchestrator.providers.offline.measures import measured
from orchestrator.providers.offline.passages import LEFT_OPEN
from orchestrator.providers.offline.software import Program, program_of
from orchestrator.providers.offline.source_reading import Name, Source, blocks, read_source
from orchestrator.providers.offline.words import plain, sentence_case

_NEEDS_WORLD: Final = "No text can show this: it has to be tried where it is used, and noted then."


def design(work: Assignment) -> Deliverable:
    """What the module will offer and refuse, before it is written."""
    own = program_of(work)
    source = read_source([own.source])
    return Deliverable(
        opening=f"How the {work.subject.whole} is built, before a line of it is written.",
        parts=(
            _basic("Purpose", _purpose(own)),
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


def _purpose(own: Program) -> str:
    stand_in = "" if own.is_known else "It stands in for a program that the author does not know. "
    return f"{own.kernel.purpose} {stand_in}One module, `{own.module}.py`."


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


def _named_answer(own: Program, source: Source, phrase: str) -> Name | None:
    """The name in the source that answers a criterion."""
    wanted = own.name_for(phrase)
    return source.name_of(wanted) if wanted else None


def _answer(own: Program, source: Source, phrase: str) -> str:
    """What answers a criterion and what it promises, or what is true of all the code."""
    name = _named_answer(own, source, phrase)
    if name:
        return f"`{name.name}`. {name.promise}"
    return sentence_case(f"{fact}.") if (fact := own.fact_for(phrase)) else ""


def _decision(own: Program, source: Source, phrase: str) -> str:
    if is_beyond_text(phrase):
        return _NEEDS_WORLD
    answer = _answer(own, source, phrase)
    if not answer:
        return (
            f"{LEFT_OPEN} nothing that the offline author knows meets it. It gets a function of "
            f"its own beside `{own.main}`, to be written by somebody who can say which example "
            "meets it, and which one just fails."
        )
    name = own.name_for(phrase)
    tests = read_source([own.source, own.tests]).tests_of(name) if name else ()
    seen = [f"- Seen by: `{tests[0]}` in `test_{own.module}.py`."] if tests else []
    return "\n".join([f"- Decided: {answer}", *seen])


def _promise(own: Program, source: Source, phrase: str) -> str:
    if is_beyond_text(phrase):
        return _NEEDS_WORLD
    answer = _answer(own, source, phrase)
    return answer or f"{LEFT_OPEN} it is not there yet; do not rely on it."


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
    """What in the code and its tests shows a criterion; an open one is said to be open."""
    if is_beyond_text(phrase):
        return _NEEDS_WORLD
    name = _named_answer(own, source, phrase)
    if name:
        tests = [f"- `{test}`" for test in source.tests_of(name.name)]
        return "\n".join([f"`{name.name}`. {name.promise}", "", *(tests or ["No test uses it."])])
    fact = fact_for(phrase, own.about)
    shown = measured(fact.shown_by, source) if fact else None
    return shown or f"{LEFT_OPEN} nothing in the code or its tests shows it."
