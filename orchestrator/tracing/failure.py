"""What an exception may say on a span: its code, our own sentence, where it was raised.

The message of an exception that is not ours can echo a prompt or a key, so it is not kept; nor
are its causes.
"""

import asyncio
import traceback
from time import time_ns
from types import TracebackType
from typing import Final

from orchestrator import spans
from orchestrator.errors import OrchestratorError
from orchestrator.redaction import redact

CANCELLED: Final = "cancelled"
_INTERRUPTIONS: Final = (asyncio.CancelledError, KeyboardInterrupt, GeneratorExit)
_MARK: Final = "_orchestrator_recorded"
_MOST_FRAMES: Final = 50


def qualified_name(kind: type[BaseException]) -> str:
    """The type's name with its module, which builtins do without."""
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def code_of(error: BaseException) -> str:
    """The ``error.type`` of an exception; a group answers for the first one in it."""
    if isinstance(error, BaseExceptionGroup):
        return code_of(error.exceptions[0])
    if isinstance(error, OrchestratorError):
        return error.code
    return CANCELLED if isinstance(error, _INTERRUPTIONS) else qualified_name(type(error))


def sentence_of(error: BaseException) -> str:
    """The description of a status: our own sentence, or that there is none to show."""
    if isinstance(error, BaseExceptionGroup):
        return sentence_of(error.exceptions[0])
    if isinstance(error, OrchestratorError):
        return redact(str(error))
    if isinstance(error, _INTERRUPTIONS):
        return "It was cancelled before it was done."
    return f"{qualified_name(type(error))}, whose message may hold content, is not quoted."


def event_of(error: BaseException) -> dict[str, str]:
    """The attributes of the ``exception`` event."""
    event = {spans.EXCEPTION_TYPE: qualified_name(type(error))}
    last = event[spans.EXCEPTION_TYPE]
    if isinstance(error, OrchestratorError):
        event[spans.EXCEPTION_MESSAGE] = redact(str(error))
        last += f": {event[spans.EXCEPTION_MESSAGE]}"
    event[spans.EXCEPTION_STACKTRACE] = "\n".join([*_frames(error.__traceback__), last])
    return event


def _frames(trace: TracebackType | None) -> list[str]:
    """Where it was raised, innermost last; a line of source can hold a prompt, so none is shown."""
    places = [
        f'  File "{frame.f_code.co_filename}", line {line}, in {frame.f_code.co_name}'
        for frame, line in traceback.walk_tb(trace)
    ]
    return places[-_MOST_FRAMES:]


def first_seen(error: BaseException, since_ns: int | None) -> bool:
    """Whether no span has recorded this exception since `since_ns`; from now on, one has.

    Whatever it has passed through on its way here began before it was recorded within; so one that
    was recorded earlier has been raised anew. A group is seen when everything in it is.
    """
    if isinstance(error, BaseExceptionGroup):
        seen = [
            first_seen(inner, since_ns) for inner in error.exceptions
        ]  # every one of them, so no `any(…)`
        return any(seen)
    recorded_ns: int | None = getattr(error, _MARK, None)
    if recorded_ns is not None and (since_ns is None or since_ns <= recorded_ns):
        return False
    try:
        setattr(error, _MARK, time_ns())
    except AttributeError:
        return True  # a class with slots: better recorded twice than never
    return True
