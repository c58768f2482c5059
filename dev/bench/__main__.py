"""``python -m dev.bench [--only PART] [--rounds N] [--json]``: exit 0 when every aim is met."""

import argparse
import json
import sys
from statistics import median

from rich.console import Console
from rich.table import Table

from dev.bench import deployment, plot, throughput
from dev.bench.quiet import tell_if_busy
from dev.bench.ratios import Comparison
from dev.bench.throughput import Throughput
from dev.toolchain import steps

_WIDE = 140


def main() -> int:
    """Measure and print; 0 when every aim is met, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m dev.bench", description=__doc__)
    parser.add_argument("--only", choices=("deployment", "throughput"), help="measure this part")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds (default 5)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    tell_if_busy()
    found: list[Comparison] = []
    results: dict[str, object] = {}
    try:
        if arguments.only != "throughput":
            stacks, plain = _deployment(arguments.rounds)
            found += stacks
            results |= {"comparisons": [_as_dict(c) for c in stacks], "plain_docker": plain}
            if not arguments.json:
                _print(stacks, plain)
        if arguments.only != "deployment":
            loads = throughput.measure(arguments.rounds)
            found += [load.rate for load in loads]
            results["throughput"] = [_load_as_dict(load) for load in loads]
            steps.say(f"the plot is in {plot.write(loads)}")
            if not arguments.json:
                _print_throughput(loads)
    except steps.SetupError as error:
        return steps.fail(error)
    if arguments.json:
        print(json.dumps(results))
    return 0 if all(c.holds for c in found) else 1


def _deployment(rounds: int) -> tuple[list[Comparison], float]:
    stacks = [deployment.previews(rounds), deployment.deployments(rounds)]
    return stacks, deployment.plain(rounds)


def _as_dict(c: Comparison) -> dict[str, object]:
    return {
        "title": c.title, "ratio": c.ratio, "aim": str(c.aim) if c.aim else None,
        "holds": c.holds, "unit": c.unit, "ours": c.ours, "theirs": c.theirs,
    }  # fmt: skip


def _load_as_dict(load: Throughput) -> dict[str, object]:
    latency = {
        name: {"p50": side.p50, "p99": side.p99}
        for name, side in (("ours", load.ours), ("guide", load.guide))
    }
    return {**_as_dict(load.rate), "latency_milliseconds": latency}


def _print(found: list[Comparison], plain: float) -> None:
    table = _table("Seconds are medians; a ratio is the median of the pairs", "ours", "theirs")
    for c in found:
        table.add_row(c.title, f"{median(c.ours):.2f} s", f"{median(c.theirs):.2f} s", *_verdict(c))
    flat = median(found[-1].theirs)
    table.add_row("plain docker script", f"{plain:.2f} s", "", "", "", "")
    table.caption = (
        f"Even the flat program takes {flat / plain:.1f} times as long as the docker script: the "
        "Docker provider waits about 2 s for a network and polls a container about every 3 s, and "
        "both programs start the replicas one after another, which the script does not."
    )
    Console().print(table)


def _print_throughput(loads: list[Throughput]) -> None:
    table = _table(
        "Requests per second, medians; a ratio is the median of the pairs",
        "ours", "the guide's", "p50 / p99, ms", "the guide's p50 / p99",
    )  # fmt: skip
    for load in loads:
        table.add_row(
            load.case.title,
            f"{load.ours.requests_per_second:,.0f}", f"{load.guide.requests_per_second:,.0f}",
            f"{load.ours.p50:.1f} / {load.ours.p99:.1f}",
            f"{load.guide.p50:.1f} / {load.guide.p99:.1f}",
            *_verdict(load.rate),
        )  # fmt: skip
    table.caption = (
        "The balancer, its servers and the load generator share this machine's processors. From "
        "1.29.7 on nginx keeps connections to its servers by itself, and the guide's HAProxy file "
        "does too: no aim there. That file writes no log, either; ours is shown with and without."
    )
    # Without a terminal its 80 columns would break every line.
    Console(width=None if sys.stdout.isatty() else _WIDE).print(table)


def _table(title: str, *measured: str) -> Table:
    table = Table(title=title)
    for column in ("what", *measured, "ratio", "aim", "holds?"):
        table.add_column(column)
    return table


def _verdict(c: Comparison) -> tuple[str, str, str]:
    if c.aim is None:
        return f"{c.ratio:.2f}", "", ""
    return f"{c.ratio:.2f}", str(c.aim), "yes" if c.holds else "NO"


if __name__ == "__main__":
    sys.exit(main())
