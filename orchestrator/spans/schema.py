"""The span schema: what every span, attribute, event and link of a run means, in one table.

The instrumentation fills in what this table fixes, the tests hold every exported span against it,
and docs/spans.md is printed from it.
"""

from dataclasses import replace
from typing import Final

from orchestrator import spans as names
from orchestrator.spans.spec import EventSpec, Key, LinkSpec, Scalar, SpanSpec, ValueType


def _fixed(name: str, value: str) -> Key:
    return Key(name=name, type="str", brief=f"`{value}`", at="start", value=value)


def _start(name: str, kind: ValueType, brief: str, when: str = "") -> Key:
    return Key(name=name, type=kind, brief=brief, at="start", condition=when)


def _end(
    name: str, kind: ValueType, brief: str, when: str = "", default: Scalar | None = None
) -> Key:
    return Key(name=name, type=kind, brief=brief, condition=when, default=default)


def _content(name: str, brief: str) -> Key:
    return Key(name=name, type="str", brief=brief, opt_in=True)


def _founding(key: Key) -> Key:
    return replace(key, founding=True)


_ERROR_TYPE = _end(names.ERROR_TYPE, "str", "the code of the failure", "it failed")
EXCEPTION: Final = EventSpec(
    name=names.EVENT_EXCEPTION,
    brief="an exception left the span; it stands on the innermost one alone",
    keys=(
        _end(names.EXCEPTION_TYPE, "str", "its qualified name"),
        _end(names.EXCEPTION_MESSAGE, "str", "our own sentence, redacted", "it is one of our own"),
        _end(names.EXCEPTION_STACKTRACE, "str", "where it was raised: frames, without texts"),
    ),
)
_CONTENT = (
    _content(names.GEN_AI_SYSTEM_INSTRUCTIONS, "the system prompt, as JSON"),
    _content(names.GEN_AI_INPUT_MESSAGES, "what was said to the model, as JSON"),
    _content(names.GEN_AI_OUTPUT_MESSAGES, "what it answered, as JSON"),
)
_REPLY = "a reply arrived"
_CACHED = "served by our own cache or journal"

_RUN_PROJECT = SpanSpec(
    name=names.SPAN_RUN_PROJECT,
    brief="One run, from the sentence to the results.",
    parents=(),
    keys=(
        _fixed(names.GEN_AI_OPERATION_NAME, "invoke_workflow"),
        _fixed(names.OPENINFERENCE_SPAN_KIND, "CHAIN"),
        _start(names.SESSION_ID, "str", "the project id: a resumed run joins its earlier traces"),
        _founding(_start(names.PROJECT_ID, "str", "the project id")),
        _ERROR_TYPE,
        _end(names.TASKS_TOTAL, "int", "tasks in the plan", default=0),
        _end(names.TASKS_FAILED, "int", "tasks that failed", default=0),
        _end(names.LLM_CALLS, "int", "logical model calls with a request", default=0),
        _end(names.USAGE_INPUT_TOKENS, "int", "tokens sent, all calls", default=0),
        _end(names.USAGE_OUTPUT_TOKENS, "int", "tokens received, all calls", default=0),
        _end(names.BUDGET_USD, "float", "the limit on spending", "there is one"),
        _end(names.RESUMED, "bool", "an earlier run of this project was taken up", default=False),
        _end(
            names.COST_CUMULATIVE_USD, "float", "dollars over all traces of the project", "resumed"
        ),
        _founding(_end(names.STATUS, "str", "how the run ended", default="FAILED")),
        _founding(_end(names.TOTAL_COST_USD, "float", "the exact sum of `cost_usd`", default=0.0)),
    ),
    events=(
        EventSpec(
            name=names.EVENT_BUDGET,
            brief="spending passed a share of the budget",
            keys=(
                _end(names.EVENT_BUDGET_THRESHOLD, "float", "the share: 0.5, 0.8 or 1.0"),
                _end(names.EVENT_BUDGET_SPENT_USD, "float", "dollars spent by then"),
            ),
        ),
    ),
    links=(LinkSpec(kind=names.LINK_RESUMED_FROM, brief="the root of the run that it takes up"),),
)

_DECOMPOSE = SpanSpec(
    name=names.SPAN_DECOMPOSE,
    brief="Planning: the sentence becomes a checked graph of tasks.",
    parents=(names.SPAN_RUN_PROJECT,),
    keys=(
        _fixed(names.GEN_AI_OPERATION_NAME, "plan"),
        _ERROR_TYPE,
        _end(names.TASKS_TOTAL, "int", "tasks in the plan", default=0),
    ),
)

_TASK = SpanSpec(
    name=names.SPAN_TASK,
    suffix="task_id",
    brief="One task's life; a skipped task has no children.",
    parents=(names.SPAN_RUN_PROJECT,),
    keys=(
        _fixed(names.GEN_AI_OPERATION_NAME, "invoke_agent"),
        _start(names.GEN_AI_AGENT_NAME, "str", "the task type"),
        _start(names.TASK_ID, "str", "the engine's task id"),
        _start(names.TASK_DEPENDS_ON, "str[]", "ids of the tasks whose results it reads"),
        _founding(_start(names.TASK_TYPE, "str", "the task type")),
        _ERROR_TYPE,
        _end(names.TASK_STATUS, "str", "how the task ended"),
        _end(
            names.TASK_SCORE, "float", "the best attempt's score, 0 to 1", "an attempt was scored"
        ),
        _end(
            names.TASK_REVIEW_CROSSES,
            "bool",
            "another provider than the author's reviewed the best attempt",
            "an attempt was scored",
        ),
        _end(names.TASK_SKIPPED_BECAUSE, "str", "the dependency that failed", "skipped"),
        _founding(_end(names.MODEL_SELECTED, "str", "the author last selected", "routed")),
        _founding(_end(names.ITERATION, "int", "iterations done", default=0)),
    ),
    events=(
        EventSpec(
            name=names.EVENT_FALLBACK,
            brief="another model takes over",
            keys=(
                _end(names.EVENT_FALLBACK_FROM_MODEL, "str", "the model given up"),
                _end(names.EVENT_FALLBACK_TO_MODEL, "str", "the model asked instead"),
                _end(names.EVENT_FALLBACK_REASON, "str", "the code of the failure"),
            ),
        ),
        EventSpec(
            name=names.EVENT_EVALUATION,
            brief="an iteration was judged",
            keys=(
                _end(names.EVENT_EVALUATION_NAME, "str", "what was judged"),
                _end(names.EVENT_EVALUATION_SCORE, "float", "0 to 1"),
            ),
        ),
    ),
    links=(LinkSpec(kind=names.LINK_DEPENDS_ON, brief="each task whose results it reads"),),
)

_LLM_CALL = SpanSpec(
    name=names.SPAN_LLM_CALL,
    suffix="call_type",
    brief="One logical model call, all its attempts included; what backends sum stands here alone.",
    kinds=("CLIENT", "INTERNAL"),
    parents=(names.SPAN_DECOMPOSE, names.SPAN_TASK, names.SPAN_REMEDIATION),
    keys=(
        _fixed(names.GEN_AI_OPERATION_NAME, "chat"),
        _start(names.GEN_AI_PROVIDER_NAME, "str", "who answers"),
        _start(names.GEN_AI_REQUEST_MODEL, "str", "the vendor's name of the model, as sent"),
        _start(names.GEN_AI_REQUEST_MAX_TOKENS, "int", "the most it may answer"),
        _start(names.GEN_AI_REQUEST_TEMPERATURE, "float", "as sent", "the model takes one"),
        _start(names.GEN_AI_OUTPUT_TYPE, "str", "`json` or `text`"),
        _start(
            names.SERVER_ADDRESS, "str", "the host alone", "the model is reached over a network"
        ),
        _start(names.SERVER_PORT, "int", "its port", f"`{names.SERVER_ADDRESS}` is there"),
        _start(names.GEN_AI_AGENT_NAME, "str", "the task type", "called for a task"),
        _start(names.CALL_TYPE, "str", "what the model is asked for"),
        _start(names.CALL_ITERATION, "int", "the task's iteration, from 1", "called for a task"),
        _founding(_start(names.MODEL, "str", "the catalogue's id of the model")),
        _ERROR_TYPE,
        *_CONTENT,
        _end(names.GEN_AI_RESPONSE_MODEL, "str", "the model that served", _REPLY),
        _end(names.GEN_AI_RESPONSE_ID, "str", "the vendor's id of the reply", "it gave one"),
        _end(names.GEN_AI_RESPONSE_FINISH_REASONS, "str[]", "why it stopped", _REPLY),
        _end(names.GEN_AI_USAGE_INPUT_TOKENS, "int", "cached tokens included", "reported"),
        _end(names.GEN_AI_USAGE_OUTPUT_TOKENS, "int", "reasoning tokens included", "reported"),
        _end(names.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, "int", "of them read cached", "reported"),
        _end(names.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS, "int", "of them cached", "reported"),
        _end(names.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS, "int", "of them reasoning", "reported"),
        _end(names.GEN_AI_USAGE_COST, "float", "`cost_usd`, where Langfuse reads it", "billed"),
        _end(names.OPERATION_COST, "float", "`cost_usd`, where Logfire reads it", "billed"),
        _end(
            names.COST_ESTIMATED,
            "bool",
            "`cost_usd` holds the most that it may have cost",
            "a reply was lost",
        ),
        _end(names.LLM_ATTEMPTS, "int", "requests made", default=0),
        _end(names.QUEUE_MS, "float", "the wait for a slot before the first request", default=0.0),
        _end(names.CACHE_HIT, "bool", _CACHED, default=False),
        _end(names.CACHE_SAVED_INPUT_TOKENS, "int", "tokens not sent again", _CACHED),
        _end(names.CACHE_SAVED_OUTPUT_TOKENS, "int", "tokens not received again", _CACHED),
        _end(names.CACHE_SAVED_USD, "float", "dollars not paid again", _CACHED),
        _end(names.FALLBACK_FROM, "str", "the model that failed before it", "a fallback"),
        _founding(_end(names.TOKENS_IN, "int", "billed, all attempts", default=0)),
        _founding(_end(names.TOKENS_OUT, "int", "billed, all attempts", default=0)),
        _founding(_end(names.COST_USD, "float", "dollars, all attempts", default=0.0)),
        _founding(_end(names.LATENCY_MS, "float", "first request to last reply", default=0.0)),
    ),
    events=(
        EventSpec(
            name=names.EVENT_RETRY,
            brief="an attempt failed and is made again",
            keys=(
                _end(names.EVENT_RETRY_ATTEMPT, "int", "the attempt that failed, from 1"),
                _end(names.ERROR_TYPE, "str", "the code of its failure"),
                _end(names.HTTP_RESPONSE_STATUS_CODE, "int", "as answered", "there was an answer"),
                _end(names.EVENT_RETRY_BACKOFF_MS, "float", "the wait before the next one"),
            ),
        ),
        EventSpec(
            name=names.EVENT_CONTENT,
            brief="what was said, where content is captured in events",
            keys=_CONTENT,
        ),
        EventSpec(
            name=names.EVENT_CACHE_LOOKUP,
            brief="our own cache or journal was asked",
            keys=(_end(names.EVENT_CACHE_LOOKUP_HIT, "bool", "it knew the answer"),),
        ),
        EventSpec(
            name=names.EVENT_CIRCUIT_BREAKER,
            brief="the breaker of this model changed",
            keys=(
                _end(names.EVENT_CIRCUIT_BREAKER_PROVIDER, "str", "who serves the model"),
                _end(
                    names.EVENT_CIRCUIT_BREAKER_FROM_STATE, "str", "`closed`, `open`, `half_open`"
                ),
                _end(names.EVENT_CIRCUIT_BREAKER_TO_STATE, "str", "`closed`, `open`, `half_open`"),
            ),
        ),
    ),
)

_POLICY_CHECK = SpanSpec(
    name=names.SPAN_POLICY_CHECK,
    brief="One verdict: `check` judges a selection, `enforce` guards one model.",
    parents=(names.SPAN_DECOMPOSE, names.SPAN_TASK, names.SPAN_REMEDIATION),
    keys=(
        _fixed(names.OPENINFERENCE_SPAN_KIND, "GUARDRAIL"),
        _start(names.POLICY_OPERATION, "str", "`check` or `enforce`"),
        _founding(_start(names.POLICIES_COUNT, "int", "policies evaluated")),
        _ERROR_TYPE,
        _end(names.POLICY_MODE, "str", "the strictest of the policies", "there is a policy"),
        _end(names.POLICY_VIOLATED, "str[]", "names of the violated rules", "any was violated"),
        _founding(_end(names.PASSED, "bool", "a model may be used", default=False)),
        _founding(_end(names.VIOLATIONS_COUNT, "int", "over all candidates", default=0)),
    ),
    events=(
        EventSpec(
            name=names.EVENT_POLICY_VIOLATION,
            brief="a rule was violated",
            keys=(
                _end(names.EVENT_POLICY_VIOLATION_POLICY, "str", "the policy"),
                _end(names.EVENT_POLICY_VIOLATION_RULE, "str", "its rule"),
            ),
        ),
    ),
)

_VALIDATION = SpanSpec(
    name=names.SPAN_VALIDATION,
    brief="One hard validator's check of an output.",
    parents=(names.SPAN_TASK, names.SPAN_REMEDIATION),
    keys=(
        _start(names.VALIDATOR, "str", "its name"),
        _ERROR_TYPE,
        _end(names.VALIDATION_PASSED, "bool", "the outcome is `passed`", default=False),
        _end(
            names.VALIDATION_OUTCOME,
            "str",
            "`passed`, `failed` or `unverified`",
            default="unverified",
        ),
    ),
)

_REMEDIATION = SpanSpec(
    name=names.SPAN_REMEDIATION,
    brief="One attempt to recover; what it tries hangs under it, its own recoveries among it.",
    parents=(names.SPAN_TASK, names.SPAN_REMEDIATION),
    keys=(
        _fixed(names.OPENINFERENCE_SPAN_KIND, "CHAIN"),
        _start(names.REMEDIATION_ATTEMPT, "int", "which attempt for this trigger, from 1"),
        _founding(_start(names.STRATEGY, "str", "what is tried")),
        _founding(_start(names.TRIGGER_REASON, "str", "the code of the failure, never a sentence")),
        _ERROR_TYPE,
        _founding(_end(names.SUCCESS, "bool", "the attempt gave something usable", default=False)),
    ),
)

SCHEMA: Final[tuple[SpanSpec, ...]] = (
    _RUN_PROJECT,
    _DECOMPOSE,
    _TASK,
    _LLM_CALL,
    _POLICY_CHECK,
    _VALIDATION,
    _REMEDIATION,
)


def spec_of(name: str) -> SpanSpec | None:
    """What a span of this name is held against, or None when no run exports one."""
    for spec in SCHEMA:
        if spec.name == name or (spec.suffix and name.startswith(spec.name)):
            return spec
    return None
