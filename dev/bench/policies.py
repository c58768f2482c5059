"""``python -m dev.bench.policies [--rounds N] [--json]``: what the policy packs add to a preview.

The same program is previewed with the complete pack, with the three packs that it is made of, and
without any, in turn, in one run.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from rich.console import Console
from rich.table import Table

from dev.bench.projects import Project
from dev.toolchain import places
from dev.toolchain.steps import say
from policies.examples.sound import ON_NGINX
from policies.rule import Pack

AIMS: Final = {100: 1.0, 1000: 5.0}
"""Resources → seconds that all rules together may add, the start of their process included."""

_PROGRAM: Final = """\
import copy

import pulumi
import pulumi_kubernetes as k8s
import yaml

CLUSTER = {
    "apiVersion": "v1", "kind": "Config", "current-context": "c",
    "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "c", "user": {}}],
    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
}
provider = k8s.Provider("cluster", kubeconfig=yaml.safe_dump(CLUSTER))
documents = [one for one in yaml.safe_load_all(open("stack.yaml")) if one]
plain = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "plain"}, "data": {}}
for number in range(COUNT):
    turn, place = divmod(number, len(documents))
    whole = (turn + 1) * len(documents) <= COUNT
    one = copy.deepcopy(documents[place] if whole else plain)
    one["metadata"]["namespace"] = f"kato-{turn}"
    version = "core/v1" if one["apiVersion"] == "v1" else one["apiVersion"]
    pulumi.CustomResource(
        f"kubernetes:{version}:{one['kind']}",
        f"{one['metadata']['name']}-{one['kind'].lower()}-{number}",
        one,
        pulumi.ResourceOptions(provider=provider),
    )
"""


@dataclass(frozen=True)
class Added:
    """Seconds of previews of one size, round by round."""

    resources: int
    complete: tuple[float, ...]
    """With the rules of the three packs in one process."""
    three: tuple[float, ...]
    """With the three packs, a process each."""
    without: tuple[float, ...]

    @property
    def by_complete(self) -> float:
        """What one process with all rules adds, its start included."""
        return median(a - b for a, b in zip(self.complete, self.without, strict=True))

    @property
    def by_three(self) -> float:
        """What three processes add."""
        return median(a - b for a, b in zip(self.three, self.without, strict=True))

    @property
    def holds(self) -> bool:
        """True when the aim for this size is met."""
        return self.by_complete < AIMS[self.resources]


def measure(resources: int, rounds: int) -> Added:
    """Preview in turn, once for warming up and then ``rounds`` times."""
    found: list[tuple[float, float, float]] = []
    with tempfile.TemporaryDirectory(prefix="kato-bench-") as scratch:
        project = _project(Path(scratch) / "project", resources)
        complete = ["--policy-pack", _path("complete")]
        three = [word for pack in Pack for word in ("--policy-pack", _path(pack))]
        for turn in range(rounds + 1):
            times = (
                project.timed("preview", *complete),
                project.timed("preview", *three),
                project.timed("preview"),
            )
            say(f"{resources} resources: round {turn}: " + " / ".join(f"{t:.2f} s" for t in times))
            if turn:
                found.append(times)
    columns = zip(*found, strict=True)
    return Added(resources, *columns)


def _path(pack: str) -> str:
    return str(places.ROOT / "policies" / pack)


def _project(folder: Path, resources: int) -> Project:
    folder.mkdir(parents=True)
    (folder / "state").mkdir()
    (folder / "venv").symlink_to(places.VENV)
    (folder / "Pulumi.yaml").write_text(
        "name: policies\nruntime: {name: python, options: {virtualenv: venv}}\n"
    )
    (folder / "__main__.py").write_text(_PROGRAM.replace("COUNT", str(resources)))
    (folder / "stack.yaml").write_text(ON_NGINX)
    project = Project(folder, {})
    project.init()
    return project


def main() -> int:
    """Measure and print; 0 when every aim is met, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m dev.bench.policies", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="counted rounds (default 3)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    found = [measure(resources, arguments.rounds) for resources in AIMS]
    if arguments.json:
        print(json.dumps([_as_dict(one) for one in found]))
    else:
        _print(found)
    return 0 if all(one.holds for one in found) else 1


def _as_dict(one: Added) -> dict[str, object]:
    return {
        "resources": one.resources, "added_by_complete": one.by_complete,
        "aim": AIMS[one.resources], "holds": one.holds, "added_by_three": one.by_three,
        "complete": one.complete, "three": one.three, "without": one.without,
    }  # fmt: skip


def _print(found: list[Added]) -> None:
    table = Table(title="Previews; seconds are medians, differences are taken round by round")
    for column in (
        "resources", "no pack", "complete", "three packs", "added by complete", "aim", "",
        "added by three",
    ):  # fmt: skip
        table.add_column(column)
    for one in found:
        table.add_row(
            str(one.resources),
            *(f"{median(times):.2f} s" for times in (one.without, one.complete, one.three)),
            f"{one.by_complete:.2f} s",
            f"< {AIMS[one.resources]:g} s",
            "holds" if one.holds else "missed",
            f"{one.by_three:.2f} s",
        )
    table.caption = (
        "The engine starts an interpreter for each pack, one after another, before any rule is "
        "asked: three packs add three starts."
    )
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
