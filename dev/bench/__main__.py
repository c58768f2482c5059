"""``python -m dev.bench [--rounds N] [--json]``: exit 0 when every ratio is within its aim."""

import argparse
import json
import sys
from statistics import median

from rich.console import Console
from rich.table import Table

from dev.bench import deployment
from dev.bench.ratios import Comparison


def main() -> int:
    """Measure and print; 0 when every aim is met, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m dev.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="counted rounds (default 3)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    found = [deployment.previews(arguments.rounds), deployment.deployments(arguments.rounds)]
    plain = deployment.plain(arguments.rounds)
    if arguments.json:
        print(json.dumps({"comparisons": [_as_dict(c) for c in found], "plain_docker": plain}))
    else:
        _print(found, plain)
    return 0 if all(c.holds for c in found) else 1


def _as_dict(c: Comparison) -> dict[str, object]:
    return {
        "title": c.title, "ratio": c.ratio, "aim": c.aim, "holds": c.holds,
        "ours": c.ours, "theirs": c.theirs,
    }  # fmt: skip


def _print(found: list[Comparison], plain: float) -> None:
    table = Table(title="Seconds are medians; a ratio is the median of the pairs")
    for column in ("what", "ours", "theirs", "ratio", "aim", "holds?"):
        table.add_column(column)
    for c in found:
        table.add_row(
            c.title, f"{median(c.ours):.2f} s", f"{median(c.theirs):.2f} s",
            f"{c.ratio:.2f}", f"≤ {c.aim:.1f}", "yes" if c.holds else "NO",
        )  # fmt: skip
    flat = median(found[-1].theirs)
    table.add_row("plain docker script", f"{plain:.2f} s", "", "", "", "")
    table.caption = (
        f"Even the flat program takes {flat / plain:.1f} times as long as the docker script: the "
        "Docker provider waits about 2 s for a network and polls a container about every 3 s, and "
        "both programs start the replicas one after another, which the script does not."
    )
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
