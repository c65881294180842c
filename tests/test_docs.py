"""The page on span testing does what it says: its examples run, its tables hold."""

import inspect
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

import pytest_otel_spans
from pytest_otel_spans import (
    Selection,
    SpanCapture,
    SpanNode,
    SpanPattern,
    SpanTreeMismatch,
    assert_span_tree,
    span,
)
from pytest_otel_spans.receiving.otlp import OtlpCapture

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\w+\.(?:py|yaml))\n")
IMPORTS = "# imports\n"
SNAPSHOT = "# spans v1\n"
HABITS = "Coming from `get_finished_spans()`"
HABITS_FILE = "test_old_habits.py"
UNASKED = {one.name for one in entry_points(group="pytest11")} - {"otel_spans"}
UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
SECTION = re.compile(r"^-+ [^-\n]+ -+\n", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block of the page."""

    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that it is, by its first line."""
        named = FILE.match(self.text)
        return named[1] if named else None

    @property
    def tests(self) -> list[str]:
        return re.findall(r"def (test_\w+)", self.text) if self.language == "python" else []


class Example(NamedTuple):
    """A file with tests, and what the page says that the last of them prints, "" for nothing.

    A file that the page shows again replaces the first one, in a round of its own.
    """

    file: str
    code: str
    printed: str
    round: int


class Verdict(NamedTuple):
    """How a test went: the message of its failure, None if it passed; and all that was printed."""

    failure: str | None
    texts: tuple[str, ...]


class Run(NamedTuple):
    """The page, run in a folder: a verdict for each round, file and test."""

    folder: Path
    verdicts: dict[tuple[int, str, str], Verdict]

    def of(self, file: str, number: int = 0) -> list[Verdict]:
        return [one for key, one in self.verdicts.items() if key[:2] == (number, file)]


# Reading the page


def read_examples() -> Iterator[Example]:
    seen: list[str] = []
    for block, after in pairwise([*BLOCKS, Block("", "")]):
        if block.tests:
            file = block.file or f"{block.tests[-1]}.py"
            code = block.text if block.file else f"{PREAMBLE}\n\n{block.text}"
            prints = after.language == "text" and not after.text.startswith(SNAPSHOT)
            yield Example(file, code, after.text if prints else "", seen.count(file))
            seen.append(file)


BLOCKS = [Block(found[1], found[2]) for found in FENCE.finditer(TEXT)]
[PREAMBLE] = [block.text for block in BLOCKS if block.text.startswith(IMPORTS)]
EXAMPLES = list(read_examples())


def rows(heading: str) -> list[list[str]]:
    """What stands in the cells of the tables under a heading."""
    section = re.split(rf"^#+ {re.escape(heading)}\n", TEXT, flags=re.MULTILINE)[1]
    section = re.split(r"^#+ ", section, flags=re.MULTILINE)[0]
    table = [line for line in section.splitlines() if re.match(r"\| (?!\|)", line)]
    return [
        [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in table
    ]


def codes(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def old_habits() -> str:
    """A file in which the new line of every old habit is a test."""
    _, *habits = rows(HABITS)
    tests = [
        f'def test_{number}(spans):\n    order("tea", "cup")\n    {codes(new)[0]}\n'
        for number, (_, new) in enumerate(habits)
    ]
    return "\n\n".join([PREAMBLE, *tests])


# Running the page


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run the whole page: what it shows first, and then what it shows again."""
    run = Run(tmp_path_factory.mktemp("page"), {})
    files = {block.file: block.text for block in BLOCKS if block.file and not block.tests}
    for file, code in {**files, HABITS_FILE: old_habits()}.items():
        (run.folder / str(file)).write_text(code, encoding="utf-8")
    for number in sorted({example.round for example in EXAMPLES}):
        shown = {one.file: one.code for one in EXAMPLES if one.round == number}
        for file, code in shown.items():
            (run.folder / file).write_text(code, encoding="utf-8")
        more = () if number else (HABITS_FILE, "--snapshot-update")
        run.verdicts.update(run_pytest(run.folder, number, *shown, *more))
    return run


def run_pytest(folder: Path, number: int, *arguments: str) -> dict[tuple[int, str, str], Verdict]:
    report = folder / f"report-{number}.xml"
    options = (
        *("--color=no", "-W", "error", "-p", "otel_spans", "-p", "syrupy", "-p", "asyncio"),
        *("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"),
        *("-o", "junit_logging=system-out", f"--junitxml={report}", f"--rootdir={folder}"),
    )
    said = output(folder, *options, *arguments, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert report.exists(), said
    return {
        (number, f"{case.get('classname', '').split('.')[0]}.py", case.get("name", "")): read(case)
        for case in ET.parse(report).iter("testcase")
    }


def output(folder: Path, *arguments: str, **environ: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=os.environ | environ,
        timeout=100,
    )
    return done.stdout + done.stderr


def read(case: ET.Element) -> Verdict:
    problem = next((one for one in case if one.tag in {"failure", "error"}), None)
    message = None if problem is None else problem.get("message", "")
    reports = (case.findtext("system-out"), None if problem is None else problem.text)
    texts = [text for report in reports for text in SECTION.split(report or "")[1:]]
    return Verdict(message, tuple(map(settled, [message or "", *texts])))


def settled(text: str) -> str:
    """The text without what each run has another of."""
    return UUID.sub("<uuid>", text).strip()


# The examples


def test_every_block_runs_or_is_what_one_printed() -> None:
    assert {block.language for block in BLOCKS} == {"python", "text", "bash", "yaml"}
    assert [
        block.text
        for block in BLOCKS
        if block.language == "python" and not (block.tests or block.file or block.text == PREAMBLE)
    ] == []
    assert [
        before.text
        for before, block in pairwise(BLOCKS)
        if block.language == "text" and not (before.tests or block.text.startswith(SNAPSHOT))
    ] == []
    assert len({(one.file, one.round) for one in EXAMPLES}) == len(EXAMPLES) > 30


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: f"{one.file}-{one.round}")
def test_an_example_does_what_the_page_says(example: Example, page: Run) -> None:
    *others, last = page.of(example.file, example.round)

    assert [one.failure for one in others] == [None] * len(others)
    if example.printed:
        assert settled(example.printed) in last.texts
    else:
        assert last.failure is None


def test_the_snapshot_is_the_one_that_is_written(page: Run) -> None:
    [shown] = [block.text for block in BLOCKS if block.text.startswith(SNAPSHOT)]

    written = page.folder / "__snapshots__" / "test_snapshots" / "test_order.spans"
    assert written.read_text(encoding="utf-8") == shown


def test_a_line_in_place_of_each_old_habit_holds(page: Run) -> None:
    verdicts = page.of(HABITS_FILE)

    assert len(verdicts) == len(rows(HABITS)) - 1
    assert [one.failure for one in verdicts if one.failure is not None] == []


def test_the_commands_are_those_of_this_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    install, update = [block.text.strip() for block in BLOCKS if block.language == "bash"]

    assert install == f"pip install '{project['name']}[testing]'"
    assert "testing" in project["optional-dependencies"]
    assert update == "pytest --snapshot-update"  # as the page itself is run first


def test_the_plugin_is_off_where_the_page_says_so(page: Run) -> None:
    assert "`-p no:otel_spans`" in TEXT

    strangers = [word for name in UNASKED for word in ("-p", f"no:{name}")]
    said = output(page.folder, "test_shop.py", "-p", "no:otel_spans", *strangers)

    assert "fixture 'spans' not found" in said


@pytest.mark.parametrize("anchor", re.findall(r"\]\(#([^)]+)\)", TEXT))
def test_every_link_leads_to_a_heading(anchor: str) -> None:
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", TEXT), flags=re.MULTILINE)

    assert anchor in {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in titles}


def test_the_readme_leads_to_the_page() -> None:
    assert "(docs/testing.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


# The table of values


NAMES = {name: getattr(pytest_otel_spans, name) for name in pytest_otel_spans.__all__}
NAMES |= {"pytest": pytest, "re": re}


def value_cases() -> Iterator[tuple[str, str, str]]:
    for expected, taken, refused in rows("Values")[1:]:
        yield from ((codes(expected)[-1], value, "taken") for value in codes(taken))
        yield from ((codes(expected)[-1], value, "refused") for value in codes(refused))


@pytest.mark.parametrize(("expected", "value", "verdict"), list(value_cases()))
def test_a_value_is_taken_or_refused_as_the_table_says(
    expected: str, value: str, verdict: str
) -> None:
    given = eval(value, NAMES)
    attributes = {} if given is pytest_otel_spans.absent else {"key": given}
    told = TracerProvider().get_tracer("app").start_span("a", attributes=attributes)
    told.end()
    assert isinstance(told, ReadableSpan)

    assert judged([told], span("a", {"key": eval(expected, NAMES)})) == verdict


def judged(spans: Sequence[ReadableSpan], pattern: SpanPattern) -> str:
    try:
        assert_span_tree(spans, pattern)
    except SpanTreeMismatch:
        return "refused"
    return "taken"


# The reference


def entries(heading: str) -> set[str]:
    """The names in the first column: of `.sum(key)` it is `sum`."""
    return {re.findall(r"\w+", codes(first)[0])[0] for first, *_ in rows(heading)}


def public(*classes: type) -> set[str]:
    return {name for one in classes for name in dir(one) if not name.startswith("_")}


def test_every_name_to_import_is_in_the_reference() -> None:
    assert entries("Names to import") == set(pytest_otel_spans.__all__)


def test_every_verb_is_in_the_reference() -> None:
    inner = {"inner", "own", "pieces", "says"}
    methods = {name for name, _ in inspect.getmembers(SpanPattern, inspect.isfunction)}

    assert entries("Verbs of a pattern") == (methods & public(SpanPattern)) - inner


def test_every_question_is_in_the_reference() -> None:
    inner = {"fixture", "sightings"}

    asked = entries("`spans` and `otlp_spans`") - {"len", "endpoint"}
    assert asked == public(SpanCapture, OtlpCapture) - inner


def test_everything_of_a_selection_is_in_the_reference() -> None:
    inner = {"forest", "selector", "why_empty"}

    assert entries("A selection") == public(Selection) - inner


def test_everything_of_a_span_is_in_the_reference() -> None:
    inner = {"end_sequence", "lineage", "order", "sequence", "step"}

    assert entries("A span") - {"node"} == public(SpanNode) - inner


def test_every_fixture_is_in_the_reference(page: Run) -> None:
    alone = ("-p", "otel_spans", "--fixtures", "test_shop.py")
    said = output(page.folder, *alone, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")

    ours = re.findall(r"^(\w+) -- \S*pytest_otel_spans/plugin\.py", said, re.MULTILINE)
    assert entries("Fixtures") == set(ours)
