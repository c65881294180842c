"""`orchestrator doctor`: which models and checks are ready, and what the others lack."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from orchestrator import legible
from orchestrator.catalogue import load_catalogue, shipped_catalogue
from orchestrator.cli import results, streams
from orchestrator.cli.arguments import PROGRAM, Parser
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.providers.diagnosis import Diagnosis, diagnose
from orchestrator.providers.visits import Visit, visit
from orchestrator.sandbox import Bubblewrap
from orchestrator.validators.readiness import hindrances

_EPILOG: Final = (
    "Exit codes: 0 at least one remote model is ready, and all that are let us in; 1 only offline "
    "models are ready, or a model that was set up cannot be used or reached; 2 bad input."
)


def answer(argv: Sequence[str], environ: Mapping[str, str]) -> ExitCode:
    """Say of each model of the catalogue whether it is ready, and ask the servers of those.

    Raises:
        InputError: the catalogue cannot be used.
    """
    given = _parser().parse_args(argv)
    catalogue = shipped_catalogue() if given.models is None else load_catalogue(Path(given.models))
    found = diagnose(catalogue, environ)
    ready = [each.model for each in found if each.state == "ready"]
    visits = asyncio.run(visit(ready, environ, is_call=given.call))
    hindered = asyncio.run(hindrances(Bubblewrap()))
    if given.json:
        entries = [_entry(each, visits.get(each.model.id)) for each in found]
        text = results.dumps({"version": 1, "models": entries, "validators": hindered})
    else:
        lines = [_line(each, visits.get(each.model.id)) for each in found]
        lines += [f"validator {name}: {_verified(why)}" for name, why in hindered.items()]
        text = "".join(f"{line}\n" for line in lines)
    streams.show(text)
    return _code(found, visits)


def _parser() -> Parser:
    parser = Parser(
        prog=f"{PROGRAM} doctor",
        description="Say which models are ready, what the others lack, and who can be reached: "
        "the server of each is asked for its list of models, which costs nothing. Say also which "
        "validators would be unverified, and why.",
        epilog=_EPILOG,
    )
    parser.add_argument("--models", metavar="FILE", help="your catalogue of models (YAML)")
    parser.add_argument(
        "--call", action="store_true", help="have each ready model answer instead; this is paid"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document")
    return parser


def _code(found: Sequence[Diagnosis], visits: Mapping[str, Visit]) -> ExitCode:
    if not visits or any(each.stops_runs for each in found):
        return ExitCode.FAILURE
    is_well = all(each.problem is None for each in visits.values())
    return ExitCode.SUCCESS if is_well else ExitCode.FAILURE


def _line(found: Diagnosis, seen: Visit | None) -> str:
    return f"{found.model.id} ({found.model.provider}): {_said(found, seen)}"


def _verified(hindrance: str | None) -> str:
    return "ready" if hindrance is None else f"would be unverified: {hindrance}"


def _said(found: Diagnosis, seen: Visit | None) -> str:
    if found.state == "not_ready":
        return f"not ready: {'; '.join(_lacks(found))}"
    if found.state == "resting":
        return "not used: another model is ready"
    if seen is None:
        return "ready"
    if seen.problem is not None:
        return f"ready, but: {seen.problem}"
    host = f"{seen.server[0]}:{seen.server[1]}"
    if seen.latency_s is None or seen.cost_usd is None:
        unlisted = ", but does not list the model" if seen.is_listed is False else ""
        return f"ready, {host} lets us in{unlisted}"
    took, cost = legible.duration(seen.latency_s), legible.usd(seen.cost_usd)
    return f"ready, {host} answered in {took} for {cost}"


def _lacks(found: Diagnosis) -> Iterator[str]:
    if found.missing_key is not None:
        yield f"set {found.missing_key}"
    if found.install is not None:
        yield f"install its SDK with `{found.install}`"
    if found.problem is not None:
        yield found.problem


def _entry(found: Diagnosis, seen: Visit | None) -> dict[str, Any]:
    """What the JSON document says of one model."""
    entry: dict[str, Any] = {
        "id": found.model.id,
        "provider": found.model.provider,
        "api": found.model.api,
        "state": found.state,
        "missing_key": found.missing_key,
        "install": found.install,
        "problem": found.problem,
        "server": None,
        "reached": None,
        "listed": None,
        "answered_in_s": None,
        "cost_usd": None,
    }
    if seen is not None:
        entry |= {
            "server": f"{seen.server[0]}:{seen.server[1]}",
            "reached": seen.problem is None,
            "listed": seen.is_listed,
            "problem": seen.problem,
            "answered_in_s": seen.latency_s,
            "cost_usd": None if seen.cost_usd is None else float(seen.cost_usd),
        }
    return entry
