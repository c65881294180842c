"""Makes waterfall.svg, the console's view of a run: ``python docs/waterfall.py``.

The run and its trace are real. Its models are the embedded ones, with prices and latencies given
here; one of them is limited and then refused, as models are on a bad day.
"""

import asyncio
import io
import os
import re
from contextlib import redirect_stderr
from pathlib import Path

from rich.console import Console
from rich.text import Text

from orchestrator import Catalogue, ModelEntry, Orchestrator, TracingConfig
from orchestrator.clock import SystemClock
from orchestrator.errors import ProviderError
from orchestrator.models import ProjectState, Reply, Request
from orchestrator.ports import Provider, Sandbox
from orchestrator.providers.offline import OfflineProvider

PICTURE = Path(__file__).with_name("waterfall.svg")
MODELS = Catalogue.model_validate(
    {
        "models": [
            {
                "id": name,
                "provider": provider,
                "api": "offline",
                "quality": quality,
                "latency_ms": latency_ms,
                "price": {"input": sent, "output": received},
            }
            for name, provider, quality, latency_ms, sent, received in [
                ("atlas-large", "atlas", 0.9, 400, 5, 25),
                ("atlas-small", "atlas", 0.6, 120, 0.5, 2),
                ("borealis", "borealis", 0.8, 250, 2, 8),
            ]
        ]
    }
)
LIMITED = ProviderError(
    "atlas limits the requests.", code="rate_limit_exceeded", retryable=True, retry_after_s=0.6
)
REFUSED = ProviderError("atlas has no credit left.", code="insufficient_quota", retryable=False)


class BadDay:
    """A model that is limited twice while it revises, and out of credit at the last task."""

    def __init__(self, entry: ModelEntry) -> None:
        self._model = OfflineProvider(entry, SystemClock())
        self._limits = 2

    async def complete(self, request: Request) -> Reply:
        if request.call_type == "revise" and self._limits:
            self._limits -= 1
            raise LIMITED
        if request.call_type == "generate" and "eview the" in request.prompt.text:
            await asyncio.sleep(0.3)
            raise REFUSED
        return await self._model.complete(request)

    async def close(self) -> None:
        await self._model.close()


async def run(sandbox: Sandbox | None = None) -> ProjectState:
    connected: dict[str, Provider] = {
        entry.id: OfflineProvider(entry, SystemClock()) for entry in MODELS.models
    }
    connected["atlas-large"] = BadDay(MODELS["atlas-large"])
    tracing = TracingConfig(enabled=True)
    async with Orchestrator(
        catalogue=MODELS, connected=connected, tracing_cfg=tracing, sandbox=sandbox
    ) as house:
        return await house.run_project(
            "Build a rate limiter library", "token bucket, thread safe, tested", project_id="demo"
        )


if __name__ == "__main__":
    os.environ |= {"COLUMNS": "104", "FORCE_COLOR": "1"}
    with redirect_stderr(io.StringIO()) as drawn:
        asyncio.run(run())
    paper = Console(record=True, width=104, file=io.StringIO())
    paper.print(Text.from_ansi(drawn.getvalue().strip()), soft_wrap=True)
    picture = paper.export_svg(title="orchestrator --tracing", unique_id="waterfall")
    # Whoever looks at it shall not ask a third party for a font.
    PICTURE.write_text(re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL), "utf-8")
