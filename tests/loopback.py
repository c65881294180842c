"""A server on loopback that says exactly what it is told to, and keeps what was said to it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

HEAD_ENDS: Final = b"\r\n\r\n"
TLS_BEGINS: Final = b"\x16\x03"
"""A handshake begins with its kind and its version."""


@dataclass(slots=True)
class Heard:
    """One request: its first line, its headers in small letters, and its body."""

    line: str
    headers: dict[str, str]
    body: Any


@dataclass(slots=True)
class Loopback:
    """A running server."""

    origin: str
    heard: list[Heard] = field(default_factory=list)


def answer_of(
    body: object, *, status: int = 200, kind: str = "application/json", **headers: str
) -> bytes:
    """A whole HTTP answer; a body that is no bytes is sent as JSON."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Said", f"Content-Type: {kind}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + HEAD_ENDS + sent


@asynccontextmanager
async def loopback(
    answer: bytes = b"", *, after: bytes = HEAD_ENDS, then_drip: bytes = b""
) -> AsyncIterator[Loopback]:
    """Answer everybody who has said `after`, and then with a drop of more until they hang up."""
    answering: set[asyncio.Task[None]] = set()

    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):  # who connects may think better of it
            server.heard += await _heard(await reader.readuntil(after), reader)
        writer.write(answer)
        while then_drip and not writer.is_closing():
            writer.write(then_drip)
            await asyncio.sleep(0.01)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    listening = await asyncio.start_server(
        lambda *streams: answering.add(asyncio.create_task(attend(*streams))), "127.0.0.1", 0
    )
    server = Loopback(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    try:
        async with listening:
            yield server
    finally:
        await asyncio.gather(*answering)


async def _heard(said: bytes, reader: asyncio.StreamReader) -> list[Heard]:
    """The request that begins so; none, where it is no HTTP."""
    if not said.endswith(HEAD_ENDS):
        return []
    line, *rest = said.decode().strip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in rest)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return [Heard(line, headers, json.loads(body) if body else None)]
