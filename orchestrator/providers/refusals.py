"""What a refused or broken request means, in our own words whoever the vendor is.

A vendor's own text can echo the prompt or a key: it is read for what it means and never kept. Of
an answer, only its status, its code and how long to wait come through here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from orchestrator.catalogue import ModelEntry
from orchestrator.errors import ProviderError


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An answer that says no, as the vendor sent it."""

    status: int
    code: str | None = None
    """The vendor's own code, where it has one."""
    text: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    wait_s: float | None = None
    """How long to wait, where the body says so and not the headers."""


_BY_VENDOR_CODE: Final = {
    "API_KEY_INVALID": "authentication",
    "billing_error": "insufficient_quota",
    "billing_hard_limit_reached": "insufficient_quota",
    "context_length_exceeded": "context_length_exceeded",
    "exceeded_current_quota_error": "insufficient_quota",
    "insufficient_quota": "insufficient_quota",
    "string_above_max_length": "context_length_exceeded",
}
_BY_TEXT: Final = {
    re.compile(pattern, re.IGNORECASE): code
    for pattern, code in (
        (r"(prompt|input) is too long", "context_length_exceeded"),
        (r"(maximum )?context (length|size|window)", "context_length_exceeded"),
        (r"token count.*exceeds|exceeded model token limit", "context_length_exceeded"),
        (r"credit balance is too low|insufficient balance", "insufficient_quota"),
        (r"api key not valid|api key expired", "authentication"),
    )
}
"""What vendors say only in prose, and only with a status that says little."""
_TELLS_LITTLE: Final = frozenset({400, 413, 422})
_BY_STATUS: Final = {
    401: "authentication",
    402: "insufficient_quota",
    403: "permission_denied",
    404: "model_not_found",
    408: "timeout",
    409: "conflict",
    413: "context_length_exceeded",
    429: "rate_limit_exceeded",
}
_PASSING: Final = frozenset({"timeout", "conflict", "rate_limit_exceeded", "server_error"})
"""What another attempt may mend."""

_SENTENCES: Final = {
    "authentication": "{who} refused the key in {key}. Set {key} to a valid key.",
    "bad_request": "{who} refused the request to model {model!r} (HTTP status {status}).",
    "conflict": "{who} was busy with something that excludes this request to model {model!r}.",
    "context_length_exceeded": "The prompt is too long for model {model!r} of {who}.",
    "insufficient_quota": "The account behind {key} at {who} has no credit left. Top it up.",
    "model_not_found": "{who} knows no model {model!r}. Correct its name or base_url.",
    "permission_denied": "The key in {key} may not use model {model!r} of {who}.",
    "rate_limit_exceeded": "{who} limits the requests to model {model!r}.",
    "redirected": (
        "The server of model {model!r} sends requests elsewhere (HTTP status {status}), where a "
        "key must not follow. Give the final address as its base_url."
    ),
    "server_error": "{who} failed on model {model!r} (HTTP status {status}).",
    "timeout": "{who} ran out of time over model {model!r}.",
}
_ASKS_FOR_A_KEY: Final = (
    "{who} asks for a key. Name the environment variable that holds it as key_env of model "
    "{model!r} in the catalogue."
)
_KEYLESS_SENTENCES: Final = _SENTENCES | {
    "authentication": _ASKS_FOR_A_KEY,
    "insufficient_quota": "The account at {who} has no credit left. Top it up.",
    "permission_denied": _ASKS_FOR_A_KEY,
}
_REDIRECTION, _CLIENT_ERROR, _SERVER_ERROR = 300, 400, 500


def refused(entry: ModelEntry, refusal: Refusal) -> ProviderError:
    """The failure that a refusal stands for."""
    code = _code(refusal)
    sentences = _KEYLESS_SENTENCES if entry.key_env is None else _SENTENCES
    wait_s = _retry_after_s(refusal.headers)
    return ProviderError(
        sentences[code].format(
            who=entry.provider, model=entry.wire_name, key=entry.key_env, status=refusal.status
        ),
        code=code,
        retryable=code in _PASSING,
        retry_after_s=refusal.wait_s if wait_s is None else wait_s,
        status_code=refusal.status,
    )


def timed_out(entry: ModelEntry, seconds: float) -> ProviderError:
    """No whole answer came in time; it may have been made, and billed, all the same."""
    return ProviderError(
        f"Model {entry.id!r} gave no answer within {seconds:.3g} s.",
        code="timeout",
        retryable=True,
        billed=True,
    )


def unreachable(entry: ModelEntry, server: str) -> ProviderError:
    """The request never reached anybody."""
    return ProviderError(
        f"Cannot connect to {server}, which serves model {entry.id!r}. "
        "Check the network and the base URL.",
        code="connection_error",
        retryable=True,
    )


def broken_off(entry: ModelEntry, server: str) -> ProviderError:
    """The connection was lost before the answer was whole."""
    return ProviderError(
        f"The connection to {server} broke off before model {entry.id!r} had answered.",
        code="connection_error",
        retryable=True,
        billed=True,
    )


def endless(entry: ModelEntry, server: str) -> ProviderError:
    """An answer was longer than any can be, and was not read to its end."""
    return ProviderError(
        f"What {server} answered for model {entry.id!r} is longer than any answer can be. "
        "Look at its server, or choose another model.",
        code="malformed_reply",
        retryable=False,
        billed=True,
    )


def unreadable(entry: ModelEntry, server: str) -> ProviderError:
    """An answer arrived that does not follow the protocol."""
    return ProviderError(
        f"What {server} answered for model {entry.id!r} is no reply of the {entry.api} API.",
        code="malformed_reply",
        retryable=True,
        billed=True,
    )


def _code(refusal: Refusal) -> str:
    if code := _BY_VENDOR_CODE.get(refusal.code or ""):
        return code
    if refusal.status in _TELLS_LITTLE:
        for pattern, meant in _BY_TEXT.items():
            if pattern.search(refusal.text):
                return meant
    if code := _BY_STATUS.get(refusal.status):
        return code
    if _REDIRECTION <= refusal.status < _CLIENT_ERROR:
        return "redirected"
    return "server_error" if refusal.status >= _SERVER_ERROR else "bad_request"


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds, from either form of the header; None when it is absent or says nothing."""
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if seconds < float("inf") else None
