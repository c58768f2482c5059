"""The ``kato-lb`` command: finds the subcommand and hands over to it."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, cast

INTERRUPTED: Final = 130
"""What shells expect from a program that Ctrl-C ended."""


class Subcommand(Protocol):
    """What the module of a subcommand offers."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the subcommand's arguments and help to ``parser``."""

    def run(self, arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
        """Do it; returns the exit code, ends through ``parser.error`` on wrong use."""


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    summary: str
    module: str

    def load(self) -> Subcommand:
        """Import the subcommand's module, with all that it needs."""
        return cast(Subcommand, importlib.import_module(self.module))


_COMMANDS: Final = (
    _Entry(
        "render",
        "write the configuration of nginx or HAProxy",
        "kato_balancing.render_command",
    ),
    _Entry(
        "lint",
        "find what is wrong with an nginx or HAProxy configuration",
        "kato_balancing.lint_command",
    ),
    _Entry(
        "place",
        "tell which server owns a session, and what a change moves",
        "kato_balancing.place_command",
    ),
    _Entry(
        "verify",
        "prove that a running balancer keeps sessions whole",
        "kato_balancing.verify.command",
    ),
    _Entry(
        "report",
        "write one HTML page from what a run printed as JSON",
        "kato_balancing.report.command",
    ),
    _Entry(
        "rollout",
        "raise a canary's share step by step, or take it back by itself",
        "kato_balancing.operations.rollout_command",
    ),
    _Entry(
        "watch",
        "watch instances of KATO: state, breaker, latency",
        "kato_balancing.watch_command",
    ),
    _Entry(
        "drain",
        "take the work of a replica away until nothing is in flight",
        "kato_balancing.operations.drain_command",
    ),
    _Entry(
        "replace",
        "replace replicas one after another, without a lost request",
        "kato_balancing.operations.replace_command",
    ),
    _Entry(
        "export",
        "serve Prometheus metrics of a balancer from its log",
        "kato_balancing.monitoring.exporter.command",
    ),
    _Entry(
        "monitoring",
        "print Prometheus rules or a Grafana dashboard",
        "kato_balancing.monitoring.command",
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``kato-lb``; returns the exit code, raises ``SystemExit(2)`` on wrong use."""
    words = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(
        prog="kato-lb", description="Balancing KATO: prove that a balancer does it right."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen: dict[str, tuple[Subcommand, argparse.ArgumentParser]] = {}
    for entry in _COMMANDS:
        own = commands.add_parser(entry.name, help=entry.summary)
        # Only the module of the command that runs is imported: the others cost time.
        if entry.name in words:
            subcommand = entry.load()
            subcommand.configure(own)
            chosen[entry.name] = (subcommand, own)
    arguments = parser.parse_args(words)
    subcommand, own = chosen[arguments.command]
    try:
        return subcommand.run(arguments, own)
    except KeyboardInterrupt:
        sys.stderr.write("\nkato-lb: stopped\n")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
