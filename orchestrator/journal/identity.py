"""When two calls are the same call: what is asked of whom, how, and for what."""

import json
from functools import lru_cache
from hashlib import blake2b

from pydantic import BaseModel

from orchestrator.catalogue import ModelEntry
from orchestrator.models import CallType, Prompt


def identity(
    entry: ModelEntry, prompt: Prompt, call_type: CallType, task_id: str | None, iteration: int
) -> str:
    """A digest of everything an answer depends on, and of the place in the run it is for.

    The place is in it, so no iteration is given another one's answer. What is asked twice at one
    place is told apart by its order: a journal hands each answer out once.
    """
    facts = [
        *(entry.id, entry.provider, entry.wire_name, call_type, task_id, iteration),
        *(prompt.system, prompt.text, prompt.max_tokens, prompt.temperature),
        _shape(prompt.schema),
    ]
    # ASCII: a text may hold half of a surrogate pair, which no encoding of Unicode takes.
    return blake2b(json.dumps(facts).encode("ascii"), digest_size=16).hexdigest()


@lru_cache(maxsize=64)
def _shape(schema: type[BaseModel] | None) -> str | None:
    return None if schema is None else json.dumps(schema.model_json_schema(), sort_keys=True)
