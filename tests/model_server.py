"""A model server that speaks OpenAI's protocol over loopback, deterministic and counting.

Its answers depend on the question alone, so whoever asks the same gets the same; who kills the
process that asks can do it at any request.
"""

import asyncio
import json
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from hashlib import sha256
from typing import Any, Final, Self

from tests.stories import critique, plan, score

TASKS: Final[tuple[tuple[str, list[str]], ...]] = (
    ("a", []),
    ("b", ["a"]),
    ("c", []),
    ("d", ["b", "c"]),
)


def answer_to(body: dict[str, Any]) -> str:
    """Whoever has read no second try yet makes a first one, which is not good enough."""
    text = body["messages"][-1]["content"]
    shape = body.get("response_format", {}).get("json_schema", {}).get("name")
    which = "second" if "first try" in text or "second try" in text else "first"
    match shape:
        case "PlanAnswer":
            return plan(*TASKS)
        case "CritiqueAnswer":
            return critique(f"It lacks {len(text)}.")
        case "ScoreAnswer":
            return score(0.9 if "second try" in text else 0.5)
        case _:
            return f"A {which} try: {sha256(text.encode()).hexdigest()}."


class ModelServer:
    """Listens from entering to leaving, on a thread of its own.

    Args:
        latency_s: how long each answer takes; a function is told the number of the request.
        answer: what is answered to the body of a request.
    """

    def __init__(
        self,
        latency_s: float | Callable[[int], float] = 0.0,
        answer: Callable[[dict[str, Any]], str] = answer_to,
    ) -> None:
        self.requests: list[str] = []
        """A digest of the body of each, in the order they came in."""
        self.on_request: Callable[[int], Any] = lambda _: None
        """Told the number of each request, from 1, when it has come in whole."""
        self._latency_s = latency_s
        self._answer = answer
        self._loop = asyncio.new_event_loop()
        self._port: Future[int] = Future()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._end = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        self._port.result(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)
        self._loop.close()

    @property
    def base_url(self) -> str:
        """Where an OpenAI client finds it."""
        return f"http://127.0.0.1:{self._port.result()}/v1"

    async def _serve(self) -> None:
        attending = set[asyncio.Task[None]]()

        def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            attending.add(asyncio.create_task(self._attend(reader, writer)))

        server = await asyncio.start_server(attend, "127.0.0.1", 0)
        self._port.set_result(server.sockets[0].getsockname()[1])
        await self._end.wait()
        server.close()
        for task in attending:
            task.cancel()
        await asyncio.gather(*attending, return_exceptions=True)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):  # who asked is gone
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.partition("content-length:")[2].partition("\r\n")[0])
                said = await reader.readexactly(length)
                self.requests.append(sha256(said).hexdigest())
                number = len(self.requests)
                self.on_request(number)
                latency_s = self._latency_s
                await asyncio.sleep(latency_s(number) if callable(latency_s) else latency_s)
                sent = json.dumps(_completion(json.loads(said), self._answer)).encode()
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                    b"Content-Length: %d\r\n\r\n%s" % (len(sent), sent)
                )
                await writer.drain()
        writer.close()


def _completion(body: dict[str, Any], answer: Callable[[dict[str, Any]], str]) -> dict[str, Any]:
    return {
        "id": "r1",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": answer(body)},
            }
        ],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
    }
