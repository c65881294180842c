"""An answer of a given shape is read, asked for once more, or refused with a sentence."""

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from orchestrator import structured
from orchestrator.answers import CritiqueAnswer, PlanAnswer, ScoreAnswer
from orchestrator.errors import InvalidOutput, ProviderError
from orchestrator.models import Answer, Prompt, Usage
from orchestrator.sections import Heading, sections

PROMPT = Prompt(system="You judge.", text="How good is it?", schema=ScoreAnswer)


class Answers:
    """Gives these texts, one a call, and keeps what it was asked."""

    def __init__(self, *texts: str) -> None:
        self._texts = list(texts)
        self.prompts: list[Prompt] = []

    async def __call__(self, prompt: Prompt) -> Answer:
        self.prompts.append(prompt)
        return Answer(
            text=self._texts.pop(0),
            model="m",
            provider="p",
            usage=Usage(),
            cost_usd=Decimal(0),
            latency_ms=1.0,
            attempts=1,
        )

    @property
    def problem(self) -> str:
        """What the second question said was wrong with the first answer."""
        found = [s for s in sections(self.prompts[1].text) if s.heading is Heading.PROBLEM]
        return found[0].text


async def score(call: Callable[[Prompt], Awaitable[Answer]]) -> float:
    return await structured.ask(call, PROMPT, ScoreAnswer, lambda answer: answer.score)


@pytest.mark.parametrize(
    "text",
    [
        '{"reason": "good", "score": 0.8}',
        '```json\n{"reason": "good", "score": 0.8}\n```',
        'I would say so.\n{"reason": "good", "score": 0.8}\nThat is all.',
        "{'reason': 'good', 'score': 0.8,}",
        'First I thought {"score": 3}, but: [1, 2] {"reason": "good", "score": 0.8}',
        '{"score": 0.8, "confidence": "high"}',
    ],
)
async def test_a_score_is_read_from(text: str) -> None:
    answers = Answers(text)
    assert await score(answers) == 0.8
    assert len(answers.prompts) == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("It is good.", "there is no JSON object in it."),
        ("", "there is no JSON object in it."),
        ("0.8", "there is no JSON object in it."),
        ('{"reason": "good"}', "score: Field required."),
        ('{"score": 1.5}', "score: Input should be less than or equal to 1."),
        ('{"score": -0.1}', "score: Input should be greater than or equal to 0."),
        ('{"score": NaN}', "score: Input should be less than or equal to 1."),
        ('{"score": "8/10"}', "score: Input should be a valid number."),
        ('{"score": true}', "score: Input should be a valid number."),
        ('{"a":' * 3000, "its JSON is beyond repair."),
        ('{"score": ' + "9" * 5000 + "}", "score: Input should be a valid number."),
        ("x" * 200_001, "it is longer than 200000 characters."),
    ],
    ids=lambda text: text[:30],
)
async def test_the_second_question_names_the_problem_of(text: str, problem: str) -> None:
    answers = Answers(text, '{"score": 0.5}')
    assert await score(answers) == 0.5
    assert answers.problem == problem


async def test_two_unusable_answers_are_an_invalid_output_with_the_last_problem() -> None:
    answers = Answers("prose", '{"score": 2}')
    with pytest.raises(InvalidOutput) as failure:
        await score(answers)
    assert str(failure.value) == (
        "Model 'm' was asked twice and gave no usable answer: "
        "score: Input should be less than or equal to 1."
    )
    assert len(answers.prompts) == 2


async def test_a_problem_never_quotes_the_answer_at_length() -> None:
    def refuse(answer: CritiqueAnswer) -> None:
        raise ValueError(f"no: {answer.points[0]}")

    answers = Answers(
        '{"points": ["' + "word " * 9000 + '"]}', '{"points": ["' + "w" * 9000 + '"]}'
    )
    with pytest.raises(InvalidOutput) as failure:
        await structured.ask(answers, PROMPT, CritiqueAnswer, refuse)
    assert len(answers.problem) <= structured.LONGEST_PROBLEM
    assert len(str(failure.value)) <= structured.LONGEST_PROBLEM + 100


async def test_a_failed_call_is_not_asked_again() -> None:
    calls: list[Prompt] = []

    async def fail(prompt: Prompt) -> Answer:
        calls.append(prompt)
        raise ProviderError("It is down.", code="unavailable", retryable=True)

    with pytest.raises(ProviderError, match="It is down"):
        await score(fail)
    assert len(calls) == 1


async def test_an_empty_critique_is_a_critique() -> None:
    points = await structured.ask(
        Answers('{"points": []}'), PROMPT, CritiqueAnswer, lambda answer: answer.points
    )
    assert points == ()


async def test_a_blank_point_is_a_problem() -> None:
    answers = Answers('{"points": ["fix it", "  "]}', '{"points": [" fix it "]}')
    points = await structured.ask(answers, PROMPT, CritiqueAnswer, lambda answer: answer.points)
    assert points == ("fix it",)
    assert answers.problem == "points.1: it must not be blank."


@given(st.text() | st.text(alphabet="{}[]\":,'\\ntasks01.5", max_size=80))
@example("[" * 100_000)
@example('{"score": ' + "9" * 5000 + "}")
@example('{"score": 1e999}')
@example('{"points": ["\\ud800"]}')
def test_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    shapes: tuple[type[BaseModel], ...] = (PlanAnswer, CritiqueAnswer, ScoreAnswer)
    for shape in shapes:
        try:
            found = structured._usable(text, shape, lambda answer: answer.model_dump_json())
        except ValueError as problem:
            found = structured._sentence(problem)
        assert found.endswith((".", "}"))
