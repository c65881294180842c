"""Whatever comes in, no traceback reaches a user and no invariant is broken.

Answers, journals, catalogues, policies and run files of every kind, by hypothesis. A run under
whatever models answer keeps its promises: a status, a budget that holds, a span for each call,
and a journal from which the same can be told and gone on with.
"""

import asyncio
import json
import os
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from orchestrator.audit import FILE_NAME
from orchestrator.budget import Budget
from orchestrator.catalogue import load_catalogue
from orchestrator.cli.run_file import describe
from orchestrator.errors import InputError, ProviderError
from orchestrator.events import CallCompleted
from orchestrator.journal import Shelf
from orchestrator.models import ProjectState, Reply, Request, Settings, Usage
from orchestrator.policies import Mode, Policy, Rules, load_policies
from pytest_otel_spans import SpanCapture
from tests.fakes import Recorder, ScriptedProvider, Step, reply
from tests.span_contract import keeps_its_promises
from tests.stories import Script, cast, critique, plan, score, stage

T = TypeVar("T")
LONGEST_REFUSAL: Final = 1_000
TIMES: Final = int(os.environ.get("ORCHESTRATOR_FUZZ", "1"))
"""How many times more examples than in the suite; docs/reliability.md has the last long run."""
BRIEFLY: Final = settings(
    deadline=None,
    max_examples=25 * TIMES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
MANY: Final = settings(BRIEFLY, max_examples=100 * TIMES)

texts = st.text(st.characters(codec=None), max_size=80)  # halves of pairs among them
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
failures = st.builds(
    lambda code, again: ProviderError("It failed.", code=code, retryable=again),
    st.sampled_from(["rate_limit_exceeded", "server_error", "authentication", "timeout", "odd"]),
    st.booleans(),
)


def billed(text: str, share: float, finish: str) -> Step:
    """An answer that bills some share of what it may bill at most."""

    def answer(request: Request) -> Reply:
        prompt = request.prompt
        usage = Usage(
            input_tokens=int(share * len(f"{prompt.system}{prompt.text}")),
            output_tokens=int(share * prompt.max_tokens),
        )
        return reply(text, usage=usage, finish_reason=finish)

    return answer


def answers(*likely: str) -> st.SearchStrategy[Step]:
    """What a model may say to one question: what is wanted, often; else anything at all."""
    words = st.one_of(
        st.sampled_from(likely),
        st.sampled_from(likely),
        texts,
        json_values.map(json.dumps),
        st.sampled_from(likely).map(lambda text: text[: len(text) // 2]),
    )
    replies = st.builds(
        billed,
        words,
        st.floats(0, 1),
        st.sampled_from(["stop", "stop", "length", "content_filter", "odd"]),
    )
    return st.one_of(words, replies, failures)


scripts = st.fixed_dictionaries(
    {
        "decompose": st.lists(
            answers(plan(("a", []), ("b", ["a"])), plan(("a", []), ("b", []), ("c", ["a"]))),
            min_size=1,
            max_size=2,
        ),
        "generate": st.lists(answers("A draft."), min_size=1, max_size=3),
        "critique": st.lists(answers(critique("More."), critique()), min_size=1, max_size=3),
        "revise": st.lists(answers("A better draft."), min_size=1, max_size=3),
        "evaluate": st.lists(answers(score(0.9), score(0.4)), min_size=1, max_size=3),
    }
)


def models(said: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, ScriptedProvider]:
    return cast(**{name: Script(**script) for name, script in zip("ab", said, strict=True)})


FORBIDDEN: Final[dict[str, tuple[dict[str, Any], set[str]]]] = {
    "one model": ({"blocked_models": ("a",)}, {"a"}),
    "one provider": ({"blocked_providers": ("b_inc",)}, {"b"}),
    "all but one": ({"allowed_models": ("b",)}, {"a"}),
    "dear tasks": ({"max_cost_per_task_usd": 0.02}, set()),
    "dearer tasks": ({"max_cost_per_task_usd": 0.05}, set()),
    "a rate": ({"max_requests_per_minute": 3}, set()),
    "slowness": ({"max_latency_ms": 1}, set()),
}
"""Rules, and whom they forbid whatever has happened."""
rules = st.lists(
    st.tuples(
        st.sampled_from(["hard", "soft", "monitor"]), st.sampled_from(list(FORBIDDEN))
    ).filter(
        lambda demand: demand[0] == "hard" or demand[1] != "a rate"  # which is kept by waiting
    ),
    max_size=3,
)


@BRIEFLY
@given(
    said=st.tuples(scripts, scripts),
    max_usd=st.sampled_from([None, "0.02", "0.05", "5"]),
    demands=rules,
)
async def test_whatever_models_answer_a_run_keeps_its_promises(
    traced: SpanCapture, said: Any, max_usd: str | None, demands: list[tuple[Mode, str]]
) -> None:
    traced.clear()
    providers, recorder = models(said), Recorder()
    policies = [
        Policy(name=name, mode=mode, rules=Rules(**FORBIDDEN[name][0])) for mode, name in demands
    ]
    forbidden = {model for mode, name in demands if mode == "hard" for model in FORBIDDEN[name][1]}
    if len(forbidden) == len(providers):
        with pytest.raises(InputError):
            stage(providers, policies=policies)
        return
    with tempfile.TemporaryDirectory() as folder:
        facts: Any = {"policies": policies, "hooks": [recorder], "state_dir": Path(folder)}
        budget = Budget(max_usd=Decimal(max_usd) if max_usd else None)
        sparing = Settings(max_iterations=2)
        async with stage(providers, budget=budget, settings=sparing, **facts) as orchestrator:
            state = await orchestrator.run_project("Make it", project_id="p1")
        kept = Shelf(Path(folder)).read("p1").state()
        decided = audited(Path(folder))
        async with stage(models(said), **facts) as orchestrator:
            told = await orchestrator.replay_project("p1")
        assert audited(Path(folder)) == decided

    calls = recorder.of(CallCompleted)
    assert kept == state
    assert sum((each.cost_usd for each in calls), Decimal(0)) == state.total_cost_usd
    assert max_usd is None or state.total_cost_usd <= Decimal(max_usd)
    assert not any(providers[model].requests for model in forbidden)
    assert all(result.output for result in state.results if result.status == "completed")
    assert gist(told) == gist(state)
    assert len([n for n in traced.forest.nodes if n.name.startswith("llm_call:")]) == len(calls)
    assert keeps_its_promises(traced)


def audited(folder: Path) -> str:
    path = folder / FILE_NAME
    return path.read_text() if path.exists() else ""


def gist(state: ProjectState) -> list[tuple[Any, ...]]:
    return [(each.task.id, each.status, each.output, each.score) for each in state.results]


def told_or_refused(read: Callable[[], T]) -> T | None:
    """What was read; None: it was refused, in one line that quotes little."""
    try:
        return read()
    except InputError as error:
        if "\n" in str(error) or len(str(error)) > LONGEST_REFUSAL:
            raise AssertionError(f"a refusal that is no sentence: {error}") from error
        return None


class Kept:
    """A whole journal, and what it says; no dataclass, whose fields hypothesis would print."""

    def __init__(self, whole: bytes, state: ProjectState) -> None:
        self.whole = whole
        self.state = state


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    folder = tmp_path_factory.mktemp("fuzz")
    orchestrator = stage(cast(ann=Script(), bob=Script()), state_dir=folder)
    state = asyncio.run(orchestrator.run_project("Make it", project_id="p1"))
    return Kept((folder / "journals" / "p1.journal").read_bytes(), state)


shares = st.floats(0, 1, exclude_max=True)


@MANY
@given(
    changes=st.lists(st.tuples(shares, st.integers(0, 255)), max_size=4),
    cut=st.none() | shares,
)
@example(changes=[(0.2421875, 128)], cut=None)  # no UTF-8, in SQLite's own complaint
@example(changes=[(0.24609375, 39)], cut=None)  # a quote, after which it quotes several lines
def test_a_journal_that_was_damaged_is_refused_or_says_what_it_always_said(
    journal: Kept, changes: list[tuple[float, int]], cut: float | None
) -> None:
    damaged = bytearray(journal.whole)
    for place, byte in changes:
        damaged[int(place * len(damaged))] = byte
    if cut is not None:
        del damaged[int(cut * len(damaged)) :]

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "journals", "p1.journal")
        path.parent.mkdir()
        path.write_bytes(damaged)
        told = told_or_refused(lambda: Shelf(Path(folder)).read("p1").state())
        assert told is None or told == journal.state


READERS: Final[dict[str, Callable[[Path], object]]] = {
    "a catalogue": load_catalogue,
    "policies": load_policies,
    "a run file": lambda path: describe({}, path),
}
KEYS: Final = st.sampled_from(
    [
        *("models", "id", "provider", "api", "price", "input", "output", "base_url", "tags"),
        *("org", "team", "job", "name", "mode", "rules", "blocked_models", "max_latency_ms"),
        *("project", "criteria", "budget", "time", "concurrency", "threshold", "routing"),
        *("validators", "weights", "policies", "output_dir", "project_id"),
    ]
)
documents: st.SearchStrategy[Any] = st.recursive(
    json_values | st.sampled_from(["offline", "openai", "hard", "writing", "pareto", 0.5, 3]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)


@MANY
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@given(document=st.one_of(documents.map(json.dumps), texts))
def test_a_file_is_read_or_refused_in_one_sentence(
    read: Callable[[Path], object], document: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file.yaml")
        path.write_text(document, encoding="utf-8", errors="replace")
        told_or_refused(lambda: read(path))
