"""Which text a task calls for, its first draft and its revisions."""

from orchestrator.providers.offline.assignment import Assignment
from orchestrator.providers.offline.deliverable import Deliverable
from orchestrator.providers.offline.judging import Judgement, coverage, judged
from orchestrator.providers.offline.prose import text
from orchestrator.providers.offline.software import (
    WITH_TESTS,
    implementation,
    module_with_tests,
    test_suite,
)
from orchestrator.providers.offline.software_texts import design, documentation, review
from orchestrator.providers.offline.subject import Kind
from orchestrator.providers.offline.vocabulary import VOCABULARY
from orchestrator.providers.offline.words import mentions, says


def deliverable(work: Assignment) -> Deliverable:
    """What a finished result of this task has."""
    is_software = work.subject.kind is Kind.SOFTWARE
    match work.task_type:
        case "code_generation":
            return _code(work)
        case "code_review":
            return review(work)
        case "reasoning" if is_software:
            return design(work)
        case "writing" if is_software:
            return documentation(work)
        case _:
            return text(work)


def _code(work: Assignment) -> Deliverable:
    if WITH_TESTS in work.title:
        return module_with_tests(work)
    # A test runner is no test: the thing's own name does not count.
    asked = work.title.replace(work.subject.whole, "")
    return test_suite(work) if mentions(asked, VOCABULARY.of_tests) else implementation(work)


def drafted(work: Assignment) -> str:
    """A first draft; after an attempt and its critique, that attempt with what was missing."""
    return revised(work) if work.draft else deliverable(work).first_draft()


def revised(work: Assignment) -> str:
    """The draft with what its critique names, and nothing else."""
    whole = deliverable(work)
    there = coverage(work.draft, whole.points, work.subject.words)
    lines = work.critique.splitlines()
    wanted = [p for p in whole.points if there[p] or any(says(line, p) for line in lines)]
    return whole.with_points(work.draft, wanted)


def judgement(work: Assignment) -> Judgement:
    """The draft, measured against what the task calls for."""
    return judged(work.draft, deliverable(work).points, work.demands, work.subject.words)
