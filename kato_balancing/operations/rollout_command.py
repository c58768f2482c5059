"""``kato-lb rollout``: a canary's share rises step by step, or falls back to none by itself."""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from kato_balancing.operations.rollout import (
    Limits,
    Plan,
    Rollout,
    RolloutError,
    Step,
    Verdict,
    canary_of,
    described,
)
from kato_balancing.operations.rollout_document import document
from kato_balancing.operations.rollout_figures import PrometheusFigures
from kato_balancing.operations.stack import Stack, StackError

HOLDS, DOES_NOT_HOLD, WRONG_USE = 0, 1, 2

_DEFAULTS: Final = Plan()


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments and help to ``parser``."""
    parser.description = (
        "Raise the share of the stack's canary step by step. Each step is a deployment; both "
        "pools' errors and latency decide. A worse canary is taken back. Run again after an "
        "interruption: it goes on where the stack is."
    )
    parser.add_argument("--cwd", type=Path, default=Path(), help="the project's folder (default .)")
    parser.add_argument("--stack", help="name of the stack (default: the selected one)")
    parser.add_argument("--image", help="the canary's image (default: the setting canary.image)")
    parser.add_argument(
        "--steps", default=",".join(f"{share:g}" for share in _DEFAULTS.shares),
        help="percent of the sessions, rising (default %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--hold", type=float, default=_DEFAULTS.hold,
        help="seconds that a share is watched (default %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--max-errors", type=float, default=_DEFAULTS.limits.error_points,
        help="percentage points of errors above the stable version's (default %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--max-latency", type=float, default=_DEFAULTS.limits.latency_ratio,
        help="times the stable version's p95 (default %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--min-requests", type=int, default=_DEFAULTS.limits.requests,
        help="requests to the canary that a verdict needs (default %(default)d)",
    )  # fmt: skip
    parser.add_argument(
        "--prometheus", metavar="URL", help="default: the stack's output prometheusUrl"
    )
    parser.add_argument(
        "--promote", action="store_true",
        help="after the last step: make the image the stable version's and remove the canary",
    )  # fmt: skip
    parser.add_argument("--back", action="store_true", help="only take the canary back to 0 %%")
    parser.add_argument("--dry-run", action="store_true", help="only show the plan")
    parser.add_argument(
        "--json", action="store_true", help="print the run as JSON, for kato-lb report"
    )


def run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Do it; 0 when the last step was good, 1 when it was not, 2 on wrong use."""
    console = Console(stderr=True, highlight=False)
    try:
        plan = _plan(arguments)
    except (RolloutError, ValueError) as error:
        parser.error(str(error))
    try:
        stack = Stack.select(arguments.cwd, arguments.stack)
        if arguments.image and not arguments.dry_run:
            stack.configure({"canary.image": arguments.image})
        canary = dict(canary_of(stack)) if not arguments.image else {"image": arguments.image}
        if arguments.dry_run:
            canary = {**(stack.setting("canary") or {}), **canary}
            sys.stdout.write("\n".join(described(plan, canary)) + "\n")
            return HOLDS
        rollout = Rollout(stack, _figures(arguments, stack), plan, console.print)
        if arguments.back:
            rollout.back()
            return HOLDS
        began = datetime.now(UTC)
        steps = rollout.run()
        good = all(step.verdict is Verdict.GOOD for step in steps)
        if good and arguments.promote:
            rollout.promote()
    except RolloutError as error:
        console.print(f"kato-lb rollout: {error}")
        return WRONG_USE
    except StackError as error:
        console.print(f"kato-lb rollout: {error}\nThe last share stays; run it again to go on.")
        return DOES_NOT_HOLD
    if arguments.json:
        run = document(str(stack.outputs().get("url", "")), began, steps)
        sys.stdout.write(json.dumps(run.to_dict()) + "\n")
    else:
        _show(steps, Console(highlight=False))
    return HOLDS if good else DOES_NOT_HOLD


def _plan(arguments: argparse.Namespace) -> Plan:
    try:
        shares = tuple(float(word) for word in arguments.steps.split(","))
    except ValueError:
        raise RolloutError(
            f"--steps takes percents with commas, such as 5,25,50,100 (got {arguments.steps!r})"
        ) from None
    limits = Limits(arguments.max_errors, arguments.max_latency, arguments.min_requests)
    return Plan(shares, arguments.hold, limits)


def _figures(arguments: argparse.Namespace, stack: Stack) -> PrometheusFigures:
    url = arguments.prometheus or stack.outputs().get("prometheusUrl")
    if not url:
        raise RolloutError(
            "a rollout needs figures: set monitoring.enabled and deploy, or give --prometheus URL"
        )
    return PrometheusFigures(str(url))


def _show(steps: list[Step], console: Console) -> None:
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
            f"{step.verdict}: {step.why}",
        )
    console.print(table)


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:.0f}"
