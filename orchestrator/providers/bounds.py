"""How much a server may answer: a body that does not end must not fill the memory."""

from collections.abc import AsyncIterator
from typing import Final

import httpx2

MOST_BYTES: Final = 32 << 20
"""Of one body as it comes in; the longest answer that is taken, escaped throughout, is shorter."""


class TooMuch(httpx2.HTTPError):
    """A server has sent more than that, and may not have been at its end."""


async def bound(response: httpx2.Response) -> None:
    """Have the reading of a body end, once it has become too long."""
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Bounded(response.stream)


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MOST_BYTES
        async for part in self._stream:
            left -= len(part)
            if left < 0:
                raise TooMuch("a body without end")
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()
