"""``kato-lb verify``: arguments in, a table or JSON and an exit code out."""

import argparse
import importlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from kato_balancing.verify.disruption.names import DisruptionName
from kato_balancing.verify.options import DEFAULT_CHECKS, CheckName, OptionError, VerifyOptions
from kato_balancing.verify.progress import Progress
from kato_balancing.verify.report import Report
from kato_balancing.verify.runner import verify
from kato_balancing.verify.table import print_report

HOLDS: Final = 0
DOES_NOT_HOLD: Final = 1
UNDECIDED: Final = 2

_ARGUMENTS: Final = {
    "url": "URL",
    "checks": "--check",
    "keep_alive_connections": "--connections",
    "keep_alive_rounds": "--rounds",
    "keep_alive_interval": "--interval",
}
"""Arguments that are not called after their field."""

_EPILOG: Final = """\
exit codes:
  0  every check holds
  1  at least one check does not hold
  2  wrong arguments, or a check could not be decided

The checks create sessions of their own (nodes kato-lb-verify-...) and delete
them afterwards; nothing else in KATO is touched.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``kato-lb verify`` to ``parser``."""
    defaults = VerifyOptions()
    parser.description = (
        "Prove against a running balancer, with KATO behind it, that every session stays on one "
        "server and that no acknowledged observation is lost."
    )
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "url",
        metavar="URL",
        nargs="?",
        help="the balancer, e.g. http://127.0.0.1:8080; with --namespace the Service's own address "
        "by default",
    )
    parser.add_argument(
        "--check",
        dest="checks",
        action="append",
        choices=[str(name) for name in CheckName],
        help=f"a check to run, may be repeated (default: {', '.join(DEFAULT_CHECKS)}; keep-alive "
        "takes half a minute)",
    )
    _whole(parser, "--sessions", defaults.sessions, "sessions to create")
    _whole(parser, "--writers", defaults.writers, "overlap: observations in flight")
    _whole(parser, "--observations", defaults.observations, "overlap: observations in all")
    parser.add_argument(
        "--server-header",
        metavar="NAME",
        default=defaults.server_header,
        help="affinity: response header that names the server (default: %(default)s)",
    )
    parser.add_argument(
        "--allow-one-server",
        action="store_true",
        help="affinity: accept a balancer with a single server, which proves little",
    )
    _whole(
        parser, "--connections", defaults.keep_alive_connections, "keep-alive: connections to hold"
    )
    _whole(
        parser, "--rounds", defaults.keep_alive_rounds, "keep-alive: observations per connection"
    )
    _seconds(parser, "--interval", defaults.keep_alive_interval, "keep-alive: seconds between two")
    _seconds(parser, "--timeout", defaults.timeout, "seconds that one request may take")
    parser.add_argument(
        "--ca-file", metavar="FILE", help="PEM file of the authority of an https balancer"
    )
    cluster = parser.add_argument_group(
        "in a Kubernetes cluster",
        "With --namespace, events happen to the stack under a load of 32 clients, one after "
        "another: planned ones must cost no request. The stack ends as it began.",
    )
    cluster.add_argument("--namespace", metavar="NAME", help="the stack's namespace")
    cluster.add_argument(
        "--name", metavar="NAME", default="kato", help="the component's name (default: %(default)s)"
    )
    cluster.add_argument("--kubeconfig", metavar="FILE", help="default: what KUBECONFIG says")
    cluster.add_argument("--context", metavar="NAME", help="default: the current one")
    cluster.add_argument(
        "--disrupt",
        action="append",
        choices=[str(name) for name in DisruptionName],
        help="an event, may be repeated (default: all)",
    )
    parser.add_argument(
        "--json", action="store_true", help="print the report as JSON instead of a table"
    )


def run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Check, print and return the exit code; ends through ``parser.error`` on bad arguments."""
    try:
        options = VerifyOptions(
            checks=tuple(CheckName(name) for name in arguments.checks or DEFAULT_CHECKS),
            sessions=arguments.sessions,
            writers=arguments.writers,
            observations=arguments.observations,
            server_header=arguments.server_header,
            allow_one_server=arguments.allow_one_server,
            keep_alive_connections=arguments.connections,
            keep_alive_rounds=arguments.rounds,
            keep_alive_interval=arguments.interval,
            timeout=arguments.timeout,
            ca_file=arguments.ca_file,
        )
        with _progress_on_stderr() as progress:
            if arguments.namespace is None:
                _require_url(arguments, parser)
                report = verify(arguments.url, options, progress)
            else:
                report = _in_cluster(arguments, options, progress)
    except OptionError as error:
        option = _ARGUMENTS.get(error.option, "--" + error.option.replace("_", "-"))
        parser.error(f"{option}: {error.rule}; {error.cure}")
    if arguments.json:
        json.dump(report.to_dict(), sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        print_report(report, Console(file=sys.stdout))
    return _exit_code(report)


def _require_url(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    if arguments.url is None:
        parser.error("give the balancer's URL, or --namespace of a stack in a cluster")
    for option in ("kubeconfig", "context", "disrupt"):
        if getattr(arguments, option):
            parser.error(f"--{option} belongs to --namespace; give it, or leave this out")


def _in_cluster(
    arguments: argparse.Namespace, options: VerifyOptions, progress: Progress
) -> Report:
    # The cluster's client is large, and needed here only.
    disruption = importlib.import_module("kato_balancing.verify.disruption.runner")
    return cast(
        Report,
        disruption.verify_in_cluster(
            disruption.Place(
                arguments.namespace, arguments.name, arguments.kubeconfig, arguments.context
            ),
            arguments.url,
            options,
            [DisruptionName(name) for name in arguments.disrupt or DisruptionName],
            progress,
        ),
    )


def _exit_code(report: Report) -> int:
    return {True: HOLDS, False: DOES_NOT_HOLD, None: UNDECIDED}[report.holds]


@contextmanager
def _progress_on_stderr() -> Iterator[Progress]:
    """A bar that vanishes when done; nothing at all where stderr is not a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bars(
        *columns,
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bars:
        bar = bars.add_task("starting", total=None)

        def show(step: str, done: int, total: int) -> None:
            bars.update(bar, description=step, completed=done, total=total)

        yield show


def _whole(parser: argparse.ArgumentParser, option: str, default: int, what: str) -> None:
    parser.add_argument(
        option,
        metavar="N",
        type=_whole_number,
        default=default,
        help=f"{what} (default: {default})",
    )


def _seconds(parser: argparse.ArgumentParser, option: str, default: float, what: str) -> None:
    parser.add_argument(
        option,
        metavar="SECONDS",
        type=_number,
        default=default,
        help=f"{what} (default: {default:g})",
    )


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        rule = f"{text!r} is not a whole number; use one such as 40"
        raise argparse.ArgumentTypeError(rule) from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        rule = f"{text!r} is not a number of seconds; use one such as 30"
        raise argparse.ArgumentTypeError(rule) from None
