"""``kato-lb drain``: one replica gets no new work, until nothing is in flight."""

import argparse
import json
import sys
from dataclasses import asdict
from typing import Final

from rich.console import Console

from kato_balancing.operations import stack_arguments
from kato_balancing.operations.drain import DRAIN_LIMIT
from kato_balancing.operations.platforms import platform_of
from kato_balancing.operations.report import OperationError, print_reports
from kato_balancing.operations.stack import StackError

DONE: Final = 0
NOT_DONE: Final = 1

_EPILOG: Final = """\
exit codes:
  0  nothing is in flight at the replica
  1  it was not drained; the message says what serves
  2  wrong arguments

On Docker the stack's setting "draining" keeps the mark, also over 'pulumi up', until --undo.
On Kubernetes a pod can't be kept without work: it is evicted, and its successor serves.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``kato-lb drain`` to ``parser``."""
    parser.description = (
        "Give a replica no new sessions and no requests, and wait until nothing is in flight."
    )
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("server", metavar="SERVER", help="the replica, e.g. kato-1")
    parser.add_argument("--undo", action="store_true", help="give it its work back")
    stack_arguments.add_limit(parser, DRAIN_LIMIT)
    stack_arguments.add_stack(parser)


def run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Drain, print and return the exit code."""
    del parser
    name = arguments.server
    try:
        with stack_arguments.progress() as tell:
            platform = platform_of(stack_arguments.stack_of(arguments))
            if arguments.undo:
                platform.undo(name, tell)
                reports = []
            else:
                reports = [platform.drain(name, arguments.limit, tell)]
    except (StackError, OperationError) as error:
        sys.stderr.write(f"kato-lb drain: {error}\n")
        return NOT_DONE
    if arguments.json:
        json.dump({"replicas": [asdict(report) for report in reports]}, sys.stdout, indent=2)
        sys.stdout.write("\n")
    elif arguments.undo:
        sys.stdout.write(f"{name} gets work again\n")
    else:
        print_reports(f"{name} is drained", reports, Console(file=sys.stdout))
    return DONE
