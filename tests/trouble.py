"""A run amid trouble, to test and to look at: `make trouble`.

Some models are forbidden, one vendor is busy, one fails half its calls.
"""

import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import yaml

from orchestrator.audit import FILE_NAME
from orchestrator.cli import main
from tests.aimock import KEY, Aimock, AimockMissing, Fixture
from tests.stories import critique, plan, score

USAGE: Final = {"input_tokens": 120, "output_tokens": 30}
POLICIES: Final = """
org:
  - name: not-by-google
    rules: {blocked_providers: [gcp.gemini]}
  - name: in-europe
    rules: {allowed_regions: [eu]}
"""


def says(asked: str, content: str, **match: Any) -> dict[str, Any]:
    return {
        "match": {"userMessage": asked} | match,
        "response": {"content": content, "usage": USAGE},
    }


def fails(asked: str, status: int, index: int) -> dict[str, Any]:
    """One request of those that ask so is refused, and may be made again at once."""
    error = {"error": {"message": "quotes the prompt", "type": "x"}, "status": status}
    return {
        "match": {"userMessage": asked, "sequenceIndex": index},
        "response": error | {"retryAfter": 0},
    }


BUSY: Final = (  # every first request of a kind is one too many
    fails('{"tasks"', 429, 0),
    says('{"tasks"', plan(("a", []), ("b", ["a"]))),
    fails("Carry out the task", 429, 0),
    says("Carry out the task", "A first draft."),
    fails("Revise the draft", 429, 0),
    says("Revise the draft", "A title, and a better draft."),
)
SHAKY: Final = tuple(  # every first request of two fails
    fixture
    for asked, content in (('{"points"', critique("It lacks a title.")), ('{"reason"', score(0.9)))
    for index in (0, 2)
    for fixture in (fails(asked, 500, index), says(asked, content, sequenceIndex=index + 1))
)
MODELS: Final = {
    # model: server, provider, api, version of the base URL, region, price
    "writer": ("busy", "openai", "openai", "/v1", "eu", (2, 10)),
    "critic": ("shaky", "anthropic", "anthropic", "", "eu", (4, 20)),
    "gemini": ("forbidden", "gcp.gemini", "google", "/v1beta", "eu", (1, 1)),
    "kimi": ("forbidden", "moonshot_ai", "openai", "/v1", "cn", (1, 1)),
}


FIXTURES: Final[Mapping[str, tuple[Fixture, ...]]] = {
    "busy": BUSY,
    "shaky": SHAKY,
    "forbidden": ({"match": {}, "response": {"content": "I was asked"}},),
}
"""What each server plays."""


def written(folder: Path, servers: Mapping[str, Aimock]) -> list[str]:
    """The flags that name the catalogue, the policies and the state directory of the run."""
    entries = [
        {
            "id": model,
            "provider": provider,
            "api": api,
            "region": region,
            "key_env": "AIMOCK_KEY",
            "base_url": servers[server].origin + version,
            "price": {"input": price[0], "output": price[1]},
            # Those that are forbidden would be the best.
            "quality": 0.99 if server == "forbidden" else 0.8,
        }
        for model, (server, provider, api, version, region, price) in MODELS.items()
    ]
    (folder / "models.yaml").write_text(yaml.safe_dump({"models": entries}), encoding="utf-8")
    (folder / "policies.yaml").write_text(POLICIES, encoding="utf-8")
    return [
        *("--models", str(folder / "models.yaml"), "--policies", str(folder / "policies.yaml")),
        *("--state-dir", str(folder / "state")),
    ]


def statuses(server: Aimock) -> list[int]:
    """How the server answered, request by request."""
    return [entry["response"]["status"] for entry in server.journal()]


def show() -> None:
    """The run with its trace, why who was chosen, what the policies decided, who was asked."""
    with TemporaryDirectory() as name, ExitStack() as open_servers:
        servers = {}
        for server, fixtures in FIXTURES.items():
            folder = Path(name, server)
            folder.mkdir()
            servers[server] = Aimock(fixtures, folder)
            open_servers.callback(servers[server].stop)
        os.environ["AIMOCK_KEY"] = KEY
        flags = written(Path(name), servers)
        run = ["--project", "Make it", "--project-id", "trouble", "--tracing", *flags]
        for command in (run, ["explain", "trouble", *flags[-2:]]):
            with suppress(SystemExit):
                main(command)
        audit = Path(name, "state", FILE_NAME).read_text(encoding="utf-8")
        answers = (
            f"{server}: {', '.join(map(str, statuses(aimock))) or 'was never asked'}\n"
            for server, aimock in servers.items()
        )
        sys.stdout.write(f"\n# What the policies decided\n\n{audit}\n")
        sys.stdout.write(f"# How each server answered\n\n{''.join(answers)}")


if __name__ == "__main__":
    try:
        show()
    except AimockMissing as missing:
        sys.exit(str(missing))
