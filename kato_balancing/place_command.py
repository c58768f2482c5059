"""``kato-lb place``: who owns which session, how even that is, and what a change moves."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from kato_balancing import balancer_file, render_command
from kato_balancing.balancer_file import Refused, Target, Unreadable
from kato_balancing.fields import Host
from kato_balancing.model import Balancer
from kato_balancing.placement import NotPredictable, Ring, balance, moved, ring_of
from kato_balancing.placement.chart import bar_chart
from kato_balancing.placement.figures import Balance, Move
from kato_balancing.placement.sample import session_ids
from kato_balancing.placement.table import print_placement
from kato_balancing.problems import Problem

DONE: Final = 0
REFUSED: Final = 1

_EPILOG: Final = """\
exit codes:
  0  computed
  1  the settings are refused, or owners don't follow from them
  2  wrong arguments, or a file that can't be read or written

Owners are those of the hash while every server is up; a learned table keeps
the sessions that it knows where they are. The sample's ids have KATO's form
and are the same at every call; they scatter around the share that is expected
of new sessions by the ring alone.
"""


_Hosts: TypeAlias = dict[str, str]
"""A server's name → its host."""


@dataclass(frozen=True)
class Placement:
    """What the command found out. ``after`` and ``move`` are None without a second file."""

    target: Target
    owners: dict[str, str | None]
    before: Balance
    owners_after: dict[str, str | None] | None = None
    after: Balance | None = None
    move: Move | None = None

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data."""
        found: dict[str, Any] = {
            "for": f"{self.target.program}:{'.'.join(map(str, self.target.version))}",
            "owners": self.owners,
            "balance": _balance_data(self.before),
        }
        if self.after is not None and self.move is not None:
            found["against"] = {
                "owners": self.owners_after,
                "balance": _balance_data(self.after),
                "moved": {
                    "sessions": self.move.sessions,
                    "total": self.move.total,
                    "share": round(self.move.share, 6),
                    "to_new": self.move.to_new,
                    "from_gone": self.move.from_gone,
                    "old_to_old": self.move.old_to_old,
                    "flows": [
                        {"from": old, "to": new, "sessions": count}
                        for (old, new), count in self.move.flows.items()
                    ],
                },
            }
        return found


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``kato-lb place`` to ``parser``."""
    parser.description = (
        "Compute which server owns a session, exactly as nginx or HAProxy does, and what moves "
        "when the pool changes."
    )
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("file", metavar="FILE", help="settings in YAML or JSON; - for stdin")
    render_command.add_target(parser)
    parser.add_argument(
        "--session", dest="asked", metavar="ID", action="append", default=[],
        help="a session to name the owner of; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--sessions", metavar="N", type=_count, default=20_000,
        help="sessions in the sample (default: 20000)",
    )  # fmt: skip
    parser.add_argument("--against", metavar="FILE", help="settings after a change: what moves?")
    parser.add_argument(
        "--found", metavar="HOST", action="append", default=[], type=_host,
        help="a host that pool.discovery finds, for nginx; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--against-found", metavar="HOST", action="append", default=[], type=_host,
        help="the same after a change, with the settings of --against or the same ones "
        "(default: those of --found)",
    )  # fmt: skip
    parser.add_argument(
        "--canary-found", metavar="HOST", action="append", default=[], type=_host,
        help="a host that canary.pool.discovery finds, for nginx, before and after a change; may "
        "be repeated",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--chart", metavar="FILE.svg", help="write a bar chart as SVG")


def run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Compute and print; ends through ``parser.error`` on files that can't be used."""
    target, file = arguments.target, arguments.file
    try:
        found = _hosts(file, "--found", arguments.found)
        later = _hosts(file, "--against-found", arguments.against_found)
        canarys = _hosts(file, "--canary-found", arguments.canary_found)
        settings = changed = _rendered(file, target)
        changed_file = arguments.against or file
        if arguments.against:
            changed = _rendered(changed_file, target)
        if canarys and settings.canary is None and changed.canary is None:
            rule = "is not set: --canary-found is for what canary.pool.discovery finds"
            raise Refused(changed_file, [Problem("canary", rule)])
        before = _ring(file, settings, target, found, canarys)
        after = None
        if arguments.against or later:
            later = later or (found if changed.pool.discovery else {})
            after = _ring(changed_file, changed, target, later, canarys)
    except Unreadable as error:
        parser.error(str(error))
    except Refused as error:
        sys.stderr.write(f"{error}\n")
        return REFUSED
    placement = _placement(arguments, before, after)
    if arguments.chart is not None:
        try:
            Path(arguments.chart).write_text(_chart(placement), encoding="utf-8")
        except OSError as error:
            parser.error(f"--chart: can't be written ({error})")
    if arguments.json:
        json.dump(placement.to_dict(), sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        _print(placement, Console(file=sys.stdout))
    return DONE


def _rendered(file: str, target: Target) -> Balancer:
    balancer = balancer_file.read(file)
    # What can't be rendered has no owners to predict.
    balancer_file.render(file, balancer, target)
    return balancer


def _hosts(file: str, option: str, given: Sequence[str]) -> _Hosts:
    hosts = {host.partition(".")[0]: host for host in given}
    if len(hosts) < len(given):
        raise Refused(file, [Problem(option, "each host needs a first label of its own")])
    return hosts


def _ring(file: str, balancer: Balancer, target: Target, found: _Hosts, canarys: _Hosts) -> Ring:
    canary = balancer.canary.pool if balancer.canary else None
    for path, pool, option, hosts in (
        ("pool", balancer.pool, "--found", found),
        ("canary.pool", canary, "--canary-found", canarys),
    ):
        if hosts and pool is not None and pool.discovery is None:
            rule = f"lists its servers: {option} is for what {path}.discovery finds"
            raise Refused(file, [Problem(path, rule)])
    try:
        return ring_of(balancer, target.program, found, canarys)
    except NotPredictable as error:
        raise Refused(file, [Problem(error.path, error.message)]) from None


def _placement(arguments: argparse.Namespace, before: Ring, after: Ring | None) -> Placement:
    sample: Sequence[str] = list(session_ids(arguments.sessions))
    owners = {session: before.owner(session) for session in arguments.asked}
    spread = balance(before, sample)
    if after is None:
        return Placement(arguments.target, owners, spread)
    return Placement(
        target=arguments.target,
        owners=owners,
        before=spread,
        owners_after={session: after.owner(session) for session in arguments.asked},
        after=balance(after, sample),
        move=moved(before, after, sample),
    )


def _balance_data(found: Balance) -> dict[str, Any]:
    return {
        "sessions": found.sessions,
        "max_to_mean": round(found.max_to_mean, 6),
        "min_to_mean": round(found.min_to_mean, 6),
        "per_server": dict(found.per_server),
        "expected": {
            "max_to_mean": round(found.expected_max_to_mean, 6),
            "min_to_mean": round(found.expected_min_to_mean, 6),
            "per_server": {name: round(share, 6) for name, share in found.expected.items()},
        },
    }


def _chart(found: Placement) -> str:
    title = f"{found.before.sessions:,} sessions on {found.target}"
    series = {"before" if found.after else "sessions": found.before.per_server}
    if found.after is not None:
        series["after"] = found.after.per_server
    return bar_chart(title, series)


def _print(found: Placement, console: Console) -> None:
    print_placement(
        console,
        f"{found.before.sessions:,} sessions on {found.target}",
        found.before,
        found.after,
        found.move,
    )
    for session, owner in found.owners.items():
        after = (found.owners_after or {}).get(session, owner)
        moves = f" -> {after or 'any server'}" if after != owner else ""
        console.print(f"{session}: {owner or 'any server'}{moves}", markup=False, highlight=False)


def _host(text: str) -> str:
    try:
        return str(TypeAdapter(Host).validate_python(text))
    except ValidationError:
        raise argparse.ArgumentTypeError(f"{text!r} is no host") from None


def _count(text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        count = 0
    if not 1 <= count <= 10_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 10000000")
    return count
