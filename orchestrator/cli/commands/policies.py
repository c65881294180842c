"""`orchestrator policies lint FILE`: what is wrong with policies before anybody obeys them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator import legible
from orchestrator.catalogue import load_catalogue, shipped_catalogue
from orchestrator.cli import streams
from orchestrator.cli.arguments import PROGRAM, Parser
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.policies import load_policies, refuse_unknown
from orchestrator.policy_lint import lint


def answer(argv: Sequence[str], environ: Mapping[str, str]) -> ExitCode:  # noqa: ARG001 - every command has this door
    """Print a line for each finding; 1 when one of them is a contradiction.

    Raises:
        InputError: the policies or the catalogue cannot be read, or a policy names a stranger.
    """
    parser = Parser(
        prog=f"{PROGRAM} policies",
        usage=f"{PROGRAM} policies lint FILE [--models FILE]",
        description="Find contradictions in a policy file, and rules without effect.",
    )
    parser.add_argument("action", choices=("lint",), metavar="lint", help="find what is wrong")
    parser.add_argument("file", metavar="FILE", help="a policy file (YAML or JSON)")
    parser.add_argument("--models", metavar="FILE", help="your catalogue of models (YAML)")
    given = parser.parse_args(argv)
    catalogue = shipped_catalogue() if given.models is None else load_catalogue(Path(given.models))
    policies = load_policies(Path(given.file))
    refuse_unknown(policies, catalogue)
    findings = lint(policies, tuple(catalogue.entries()))
    counts = Counter(finding.severity for finding in findings)
    streams.show(
        "".join(f"{finding.severity}: {finding.sentence}\n" for finding in findings)
        + f"{legible.count(len(policies), 'policy', 'policies')} in {given.file}: "
        f"{legible.count(counts['error'], 'error')}, "
        f"{legible.count(counts['warning'], 'warning')}\n"
    )
    return ExitCode.FAILURE if counts["error"] else ExitCode.SUCCESS
