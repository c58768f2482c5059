"""``kato-lb replace``: replicas are replaced one after another, without a lost request."""

import argparse
import json
import sys
from dataclasses import asdict
from typing import Final

from rich.console import Console

from kato_balancing.operations import stack_arguments
from kato_balancing.operations.drain import DRAIN_LIMIT
from kato_balancing.operations.platforms import platform_of
from kato_balancing.operations.report import OperationError, ReplicaReport, print_reports
from kato_balancing.operations.stack import StackError

DONE: Final = 0
NOT_DONE: Final = 1

_EPILOG: Final = """\
exit codes:
  0  every replica that was asked for is new and healthy
  1  one was not replaced, and the ones after it were not begun; the message says how to go on
  2  wrong arguments

On Docker a replica gets the image and variables that the settings say at that time, and serves
again afterwards. On Kubernetes --all is a rolling restart by the workload's own rules; a named
pod is evicted, as its disruption budget allows.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``kato-lb replace`` to ``parser``."""
    parser.description = (
        "Replace replicas one after another: no new work, nothing in flight, replaced, healthy, "
        "then the next."
    )
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("servers", metavar="SERVER", nargs="*", help="replicas, e.g. kato-1")
    parser.add_argument("--all", action="store_true", help="every replica of the stack")
    stack_arguments.add_limit(parser, DRAIN_LIMIT)
    stack_arguments.add_stack(parser)


def run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Replace, print and return the exit code; ends through ``parser.error`` on wrong use."""
    if bool(arguments.servers) is arguments.all:
        parser.error("give either replicas, such as kato-1, or --all")
    names = None if arguments.all else arguments.servers
    reports: list[ReplicaReport] = []
    problem: str | None = None
    try:
        with stack_arguments.progress() as tell:
            platform = platform_of(stack_arguments.stack_of(arguments))
            for report in platform.replace(names, arguments.limit, tell):
                reports.append(report)
    except (StackError, OperationError) as error:
        problem = str(error)
    # What was done counts also when the next one failed.
    if arguments.json:
        found = {"replicas": [asdict(report) for report in reports], "problem": problem}
        json.dump(found, sys.stdout, indent=2)
        sys.stdout.write("\n")
    elif reports:
        print_reports("replaced", reports, Console(file=sys.stdout))
    if problem is not None:
        sys.stderr.write(f"kato-lb replace: {problem}\n")
        return NOT_DONE
    return DONE
