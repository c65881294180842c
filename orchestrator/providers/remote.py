"""A model behind a network, as far as the vendors are alike: opened late, watched, and closed."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

from orchestrator.catalogue import ModelEntry
from orchestrator.errors import InputError, ProviderError
from orchestrator.models import Reply, Request
from orchestrator.providers import access, refusals
from orchestrator.providers.refusals import Refusal
from orchestrator.providers.sdk import Sdk

if TYPE_CHECKING:
    import ssl

    import httpx2

Client = TypeVar("Client")
Answer = TypeVar("Answer")
Sent = TypeVar("Sent")

THINKS: Final = "reasoning"
"""The tag of a model that thinks before it answers: it is sent no temperature, which such models
refuse or ignore, and is asked to think briefly, because thoughts are billed as output."""

_MALFORMED: Final = (AttributeError, LookupError, TypeError, ValueError)
"""What escapes an SDK, or whoever reads what it built, when a body is not what it should be."""

_DEPARTED: Final[ContextVar[Callable[[], None]]] = ContextVar("departed", default=lambda: None)
"""Whom the request of this task tells of its departure: the SDKs hand nothing through to HTTP."""


class RemoteProvider(ABC, Generic[Client, Answer]):
    """One model behind one server; the SDK is imported, in a thread, with the first request.

    Args:
        entry: the model.
        environ: where its key and base URL are looked up.

    Raises:
        InputError: the SDK is not installed, or the key or the base URL cannot be used.
    """

    sdk: ClassVar[Sdk]

    def __init__(self, entry: ModelEntry, environ: Mapping[str, str]) -> None:
        if lack := self.sdk.lack:
            raise InputError(
                f"Model {entry.id!r} is reached with the SDK of {self.sdk.vendor}, {lack}. "
                f"Install it with `{self.sdk.how_to_install}`{_or_do_without(entry)}."
            )
        self._entry = entry
        self._key = access.key(entry, environ)
        self.base_url = access.base_url(entry, environ, self.sdk.url)
        """Where requests go; its path and query, where keys have been seen, are never shown."""
        self._opening = asyncio.Lock()
        self._client: Client | None = None
        self._http: httpx2.AsyncClient | None = None
        self.server = access.server(self.base_url)
        """Host and port: where a span says the answer comes from."""
        self.takes_temperature = THINKS not in entry.tags
        """Whether a prompt's temperature is sent."""

    async def open(self) -> None:
        """Import the SDK, if that is still to be done: no latency of the model's."""
        await self._opened()

    async def complete(
        self, request: Request, *, departed: Callable[[], None] = lambda: None
    ) -> Reply:
        """Answer one request; `departed` is called just before anything of it leaves.

        Raises:
            ProviderError: it was refused or broke off; says whether to try again.
        """
        token = _DEPARTED.set(departed)
        try:
            answer = await self._sent(lambda client: self._ask(client, request), request.timeout_s)
        finally:
            _DEPARTED.reset(token)
        return self._read(answer)

    async def reach(self, *, timeout_s: float) -> bool | None:
        """Make sure that the server is there and takes the key; nothing is paid for that.

        Returns:
            Whether the server lists the model, under its name or one that begins so, such as a
            dated one; None: it lists none.

        Raises:
            ProviderError: it is not there, or does not take the key.
        """
        try:
            listed = await self._sent(lambda client: self._list(client, timeout_s), timeout_s)
        except ProviderError as error:
            # Not every server can list its models, and one that says so is there.
            if error.code != "model_not_found":
                raise
            return None
        name = self._entry.wire_name
        begins = (f"{name}-", f"{name}:")
        return any(each == name or each.startswith(begins) for each in listed) if listed else None

    async def close(self) -> None:
        """Give back connections; closing twice is allowed."""
        http, client = self._http, self._client
        self._http = self._client = None
        if client is not None:
            self._let_go(client)
        if http is not None:
            await http.aclose()

    @abstractmethod
    def _open(self, http: "httpx2.AsyncClient") -> Client:
        """Import the SDK, which takes seconds, with the parts that it imports late by itself."""

    @abstractmethod
    async def _ask(self, client: Client, request: Request) -> Answer:
        """Have the SDK send the request, once, and time out a second after the caller does.

        The caller's timeout comes first: it covers the whole request, the SDK's each read.
        """

    @abstractmethod
    async def _list(self, client: Client, timeout_s: float) -> tuple[str, ...]:
        """Have the SDK ask, once, for the names of the models that the key may use."""

    @abstractmethod
    def _reply(self, answer: Answer) -> Reply:
        """What the SDK read, in our words; it builds objects without checking that all is there."""

    @abstractmethod
    def _sdk_errors(self) -> tuple[type[Exception], ...]:
        """What the SDK raises on purpose."""

    @abstractmethod
    def _refusal(self, error: Exception) -> Refusal | None:
        """What the vendor answered, if the error stands for an answer."""

    def _let_go(self, client: Client) -> None:
        """Close what the SDK opened beside the connections it was given."""

    async def _opened(self) -> Client:
        async with self._opening:
            if self._client is None:
                self._client = await asyncio.to_thread(self._set_up)
            return self._client

    def _set_up(self) -> Client:
        import httpx2

        from orchestrator.providers.bounds import bound

        # Every request passes its own timeout. A redirection is not followed: vendors make none,
        # and not every header that carries a key would stay behind.
        self._http = httpx2.AsyncClient(
            event_hooks={"request": [_watch], "response": [bound]}, timeout=None, verify=trust()
        )
        return self._open(self._http)

    async def _sent(self, send: Callable[[Client], Awaitable[Sent]], timeout_s: float) -> Sent:
        """What came of a request; of one that failed, only what we say of it ourselves."""
        client = await self._opened()
        try:
            return await send(client)
        except self._failures() as error:
            failure = self._told(error, timeout_s)
        # Not raised within the `except`: the SDK's exception holds the vendor's text, and must
        # not hang on ours as its context.
        raise failure

    def _failures(self) -> tuple[type[Exception], ...]:
        import httpx2

        return (*self._sdk_errors(), httpx2.HTTPError, *_MALFORMED)

    def _told(self, error: Exception, timeout_s: float) -> ProviderError:
        """The error in our words."""
        import httpx2

        from orchestrator.providers.bounds import TooMuch

        entry, host = self._entry, access.named(self.server)
        if (refusal := self._refusal(error)) is not None:
            return refusals.refused(entry, refusal)
        match error if isinstance(error, httpx2.HTTPError) else error.__cause__:
            case httpx2.ConnectError() | httpx2.ConnectTimeout() | httpx2.ProxyError():
                return refusals.unreachable(entry, host)
            case httpx2.TimeoutException():
                return refusals.timed_out(entry, timeout_s)
            case TooMuch():
                return refusals.endless(entry, host)
        if isinstance(error, _MALFORMED):
            return refusals.unreadable(entry, host)
        return refusals.broken_off(entry, host)

    def _read(self, answer: Answer) -> Reply:
        try:
            return self._reply(answer)
        except _MALFORMED:
            pass
        raise refusals.unreadable(self._entry, access.named(self.server))


@cache  # reading the system's certificates is dear, and the same for every connection
def trust() -> "ssl.SSLContext":
    """Whom encrypted connections believe."""
    import httpx2

    return httpx2.create_ssl_context()


MOST_MODELS: Final = 1000
"""What a server may be asked to list at once, and more than any lists."""


def count(tokens: int | None) -> int:
    """A number of tokens; servers have been seen to send null and less than nothing."""
    return max(0, int(tokens or 0))


async def _watch(request: "httpx2.Request") -> None:
    """Have the HTTP library tell when it begins to write this request."""
    departed = _DEPARTED.get()

    async def trace(event: str, info: dict[str, Any]) -> None:
        is_written = event.endswith(".send_request_headers.started")
        # What a proxy is asked for first, a way to the server, carries nothing of the request.
        if is_written and info["request"].method != b"CONNECT":
            departed()

    request.extensions["trace"] = trace


def _or_do_without(entry: ModelEntry) -> str:
    return f", or unset {entry.key_env} to do without" if entry.key_env else ""
