"""The embedded models: no network, no key, and the same bytes for the same prompt.

An offline model reads its prompt back, knows some working programs and some sentences about
everything else, and measures texts by the words in them. It understands nothing, and is useful
where a run has to be seen, tested or shown.
"""

from typing import Final

from orchestrator.answers import CritiqueAnswer, ScoreAnswer
from orchestrator.catalogue import ModelEntry
from orchestrator.models import Reply, Request, Usage
from orchestrator.ports import Clock
from orchestrator.providers.offline import tokens
from orchestrator.providers.offline.assignment import Assignment, read
from orchestrator.providers.offline.judging import criticised
from orchestrator.providers.offline.planning import planned
from orchestrator.providers.offline.writing import drafted, judgement, revised

TOKENS_OF_LATENCY: Final = 1024
"""An answer of so many tokens takes twice the latency of the catalogue; an empty one takes it."""


class OfflineProvider:
    """One offline model; it can take any part, author or reviewer."""

    def __init__(self, entry: ModelEntry, clock: Clock) -> None:
        self._entry = entry
        self._clock = clock

    async def complete(self, request: Request) -> Reply:
        """Answer from the prompt alone, after the latency that the catalogue sets.

        It waits even where the latency is 0: an author that never lets go of the event loop could
        not be interrupted, and no two of its tasks would overlap.
        """
        prompt = request.prompt
        whole = _answer(request, read(prompt.text))
        text = tokens.cut(whole, prompt.max_tokens)
        written = tokens.count(text)
        share = 1 + written / TOKENS_OF_LATENCY
        await self._clock.sleep(self._entry.latency_ms / 1000 * share)
        return Reply(
            text=text,
            usage=Usage(
                input_tokens=tokens.count(prompt.system) + tokens.count(prompt.text),
                output_tokens=written,
            ),
            served_model=self._entry.wire_name,
            finish_reason="stop" if text == whole else "length",
        )

    async def close(self) -> None:
        """There is nothing to give back."""


def _answer(request: Request, work: Assignment) -> str:
    match request.call_type:
        case "decompose":
            return planned(work).model_dump_json()
        case "generate":
            return drafted(work)
        case "revise":
            return revised(work)
        case "critique":
            return CritiqueAnswer(points=criticised(judgement(work))).model_dump_json()
        case "evaluate":
            judged = judgement(work)
            return ScoreAnswer(reason=judged.reason, score=judged.score).model_dump_json()
