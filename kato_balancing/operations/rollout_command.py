"""``kato-lb rollout``: a canary's share rises step by step, or falls back to none by itself."""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kato_balancing.operations import stack_arguments
from kato_balancing.operations.platforms import settling
from kato_balancing.operations.rollout import (
    Limits,
    Plan,
    Rollout,
    RolloutError,
    Step,
    canary_of,
    described,
    promote,
    take_back,
)
from kato_balancing.operations.rollout_document import document
from kato_balancing.operations.rollout_figures import PrometheusFigures
from kato_balancing.operations.stack import Stack, StackError
from kato_balancing.problems import from_validation
from kato_balancing.urls import PageUrl

GOOD: Final = 0
NOT_GOOD: Final = 1
NOT_BEGUN: Final = 2

_DEFAULTS: Final = Plan()

_EPILOG: Final = """\
exit codes:
  0  every step was good; with --back, the canary has 0 %
  1  the canary is worse and was taken back, no verdict was possible, or the stack can't
     be asked or deployed; the message says what serves and how to go on
  2  wrong arguments, or the rollout can't begin; nothing was changed

Each step is a deployment of the stack's setting canary.share; then Prometheus is asked what both
pools answered. A canary that nobody can watch for a minute is taken back, too. Run again after
an interruption: it goes on where the stack is.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``kato-lb rollout`` to ``parser``."""
    parser.description = (
        "Raise the share of the stack's canary step by step, and take it back when it is worse."
    )
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--promote", action="store_true",
        help="after the last step: make the image the stable version's and remove the canary",
    )  # fmt: skip
    what.add_argument("--back", action="store_true", help="only take the canary back to 0 %%")
    what.add_argument("--dry-run", action="store_true", help="only show the plan")
    parser.add_argument("--image", help="the canary's (default: the setting canary.image)")
    parser.add_argument(
        "--steps", metavar="PERCENTS", type=_shares, default=_DEFAULTS.shares,
        help="of the sessions, rising "
        f"(default: {','.join(f'{share:g}' for share in _DEFAULTS.shares)})",
    )  # fmt: skip
    parser.add_argument(
        "--hold", metavar="SECONDS", type=stack_arguments.positive_seconds, default=_DEFAULTS.hold,
        help="that a share is watched (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--max-errors", metavar="POINTS", type=float, default=_DEFAULTS.limits.error_points,
        help="percentage points of errors above the stable version's (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--max-latency", metavar="TIMES", type=float, default=_DEFAULTS.limits.latency_ratio,
        help="the stable version's p95 (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--min-requests", metavar="N", type=int, default=_DEFAULTS.limits.requests,
        help="requests to the canary that a verdict needs (default: %(default)d)",
    )  # fmt: skip
    parser.add_argument(
        "--prometheus", metavar="URL", type=_url, help="default: the stack's output prometheusUrl"
    )
    stack_arguments.add_stack(parser)


def run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Roll out, print and return the exit code."""
    if arguments.back and arguments.image:
        parser.error("--image is for a rollout, not for --back")
    limits = (arguments.max_errors, arguments.max_latency, arguments.min_requests)
    try:
        plan = Plan(arguments.steps, arguments.hold, Limits(*limits))
        stack = settling(stack_arguments.stack_of(arguments))
        if arguments.dry_run:
            canary = canary_of(stack, arguments.image)
            sys.stdout.write("\n".join(described(plan, canary)) + "\n")
            return GOOD
        if arguments.back:
            canary_of(stack)
            take_back(stack, stack_arguments.line)
            return GOOD
        return _roll_out(stack, plan, arguments)
    except RolloutError as error:
        stack_arguments.line(f"kato-lb rollout: {error}")
        return NOT_BEGUN
    except StackError as error:
        stack_arguments.line(f"kato-lb rollout: {error}")
        return NOT_GOOD


def _roll_out(stack: Stack, plan: Plan, arguments: argparse.Namespace) -> int:
    """Raises RolloutError before anything was changed, StackError when nothing was seen yet."""
    outputs = stack.outputs()
    prometheus = arguments.prometheus or outputs.get("prometheusUrl")
    if not prometheus:
        raise RolloutError(
            "a rollout needs figures: set monitoring.enabled and deploy, or give --prometheus URL"
        )
    rollout = Rollout(stack, PrometheusFigures(str(prometheus)), plan, stack_arguments.line)
    began = datetime.now(UTC)
    failed: str | None = None
    try:
        rollout.run(arguments.image)
        if rollout.good and arguments.promote:
            promote(stack, stack_arguments.line)
    except StackError as error:
        if not rollout.steps:
            raise
        failed = str(error)
        stack_arguments.line(f"kato-lb rollout: {failed}")
    if arguments.json:
        found = document(str(outputs.get("url", "")), began, rollout.steps, failed)
        sys.stdout.write(json.dumps(found.to_dict()) + "\n")
    else:
        _show(rollout.steps, Console(file=sys.stdout))
    return GOOD if rollout.good and failed is None else NOT_GOOD


def _shares(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        rule = f"takes percents with commas, such as 5,25,50,100 (got {text!r})"
        raise argparse.ArgumentTypeError(rule) from None


def _url(text: str) -> str:
    try:
        return TypeAdapter(PageUrl).validate_python(text)
    except ValidationError as error:
        [problem] = from_validation(error)
        raise argparse.ArgumentTypeError(f"{problem} (got {text!r})") from None


def _show(steps: Sequence[Step], console: Console) -> None:
    table = Table(title="Rollout")
    for column in (
        "share", "seconds", "requests", "errors", "p95 ms", "stable errors", "stable p95 ms", "",
    ):  # fmt: skip
        table.add_column(column)
    for step in steps:
        table.add_row(
            f"{step.share:g} %",
            f"{step.seconds:.0f}",
            f"{step.canary.requests:.0f}",
            f"{step.canary.error_percent:.1f} %",
            _milliseconds(step.canary.p95),
            f"{step.stable.error_percent:.1f} %",
            _milliseconds(step.stable.p95),
            Text(f"{step.verdict}: {step.why}"),
        )
    console.print(table)


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:.0f}"
