"""What a refused or broken request means, in our own words whoever the vendor is.

A vendor's own text can echo the prompt or a key: of an answer, only its status, its code and its
``Retry-After`` come through here.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from orchestrator.catalogue import ModelEntry
from orchestrator.errors import ProviderError

_BY_VENDOR_CODE: Final = {
    "context_length_exceeded": "context_length_exceeded",
    "string_above_max_length": "context_length_exceeded",
    "insufficient_quota": "insufficient_quota",
    "billing_hard_limit_reached": "insufficient_quota",
}
_BY_STATUS: Final = {
    401: "authentication",
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
    "server_error": "{who} failed on model {model!r} (HTTP status {status}).",
    "timeout": "{who} ran out of time over model {model!r}.",
}
_NO_KEY: Final = (
    "{who} asks for a key. Name the environment variable that holds it as key_env of model "
    "{model!r} in the catalogue."
)
_SERVER_ERROR: Final = 500


def refused(
    entry: ModelEntry, status: int, vendor_code: str | None, headers: Mapping[str, str]
) -> ProviderError:
    """The failure that an HTTP status, and the vendor's code beside it, stand for."""
    otherwise = "server_error" if status >= _SERVER_ERROR else "bad_request"
    code = _BY_VENDOR_CODE.get(vendor_code or "") or _BY_STATUS.get(status, otherwise)
    keyless = code == "authentication" and entry.key_env is None
    sentence = _NO_KEY if keyless else _SENTENCES[code]
    return ProviderError(
        sentence.format(
            who=entry.provider, model=entry.wire_name, key=entry.key_env, status=status
        ),
        code=code,
        retryable=code in _PASSING,
        retry_after_s=_retry_after_s(headers),
        status_code=status,
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


def unreadable(entry: ModelEntry, server: str) -> ProviderError:
    """An answer arrived that does not follow the protocol."""
    return ProviderError(
        f"What {server} answered for model {entry.id!r} is no reply of the {entry.api} API.",
        code="malformed_reply",
        retryable=True,
        billed=True,
    )


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
