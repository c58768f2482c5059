"""``python -m dev.bench.policies [--rounds N] [--json]``: what the policy packs add to a preview.

The same program is previewed with the complete pack, with the three packs that it is made of, and
without any, in turn, in one run: with the engine as it is, and with one that writes no checkpoints.
As it is, the engine composes the whole state anew after every resource (Pulumi 3.274.1, by its
``--profiling``): 30 of the 37 s of 1,000 resources, behind which the packs' work hides in part.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from rich.console import Console
from rich.table import Table

from dev.bench.projects import Project
from dev.bench.quiet import tell_if_busy
from dev.bench.ratios import one_round
from dev.toolchain import places
from dev.toolchain.steps import say
from policies.examples.sound import ON_NGINX
from policies.rule import Pack

AIMS: Final = {100: 1.0, 1000: 5.0}
"""Resources → seconds that all rules together may add, the start of their process included."""

ENGINES: Final = {
    "as it is": {},
    "no checkpoints": {"PULUMI_EXPERIMENTAL": "true", "PULUMI_SKIP_CHECKPOINTS": "true"},
}
"""Ways to run the engine → what they set. The aims are for the first, which is what users run."""

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
    engine: str
    complete: tuple[float, ...]
    """With the rules of the three packs in one process."""
    three: tuple[float, ...]
    """With the three packs, a process each."""
    without: tuple[float, ...]

    @property
    def complete_adds(self) -> list[float]:
        """What one process with all rules adds, its start included, round by round."""
        return [a - b for a, b in zip(self.complete, self.without, strict=True)]

    @property
    def three_add(self) -> list[float]:
        """What three processes add, round by round."""
        return [a - b for a, b in zip(self.three, self.without, strict=True)]

    @property
    def by_complete(self) -> float:
        """The median of what one process adds."""
        return median(self.complete_adds)

    @property
    def by_three(self) -> float:
        """The median of what three processes add."""
        return median(self.three_add)

    @property
    def aim(self) -> float | None:
        """Seconds that the rules may add; None: no aim."""
        return AIMS[self.resources] if self.engine == next(iter(ENGINES)) else None

    @property
    def holds(self) -> bool:
        """True when the aim is met, or there is none."""
        return self.aim is None or self.by_complete < self.aim


def measure(resources: int, engine: str, rounds: int) -> Added:
    """Preview once for warming up, and then in turn."""
    packs = {
        "complete": ["--policy-pack", _path("complete")],
        "three": [word for pack in Pack for word in ("--policy-pack", _path(pack))],
        "without": [],
    }
    seconds: dict[str, list[float]] = {name: [] for name in packs}
    with tempfile.TemporaryDirectory(prefix="kato-bench-") as scratch:
        project = _project(Path(scratch) / "project", resources, ENGINES[engine])
        previews = {
            name: partial(project.timed, "preview", *words) for name, words in packs.items()
        }
        previews["complete"]()
        for turn in range(1, rounds + 1):
            for name, took in one_round(turn, previews).items():
                seconds[name].append(took)
            told = " / ".join(f"{times[-1]:.2f} s" for times in seconds.values())
            say(f"{resources} resources, engine {engine}: round {turn} of {rounds}: {told}")
    return Added(resources, engine, **{name: tuple(times) for name, times in seconds.items()})


def _path(pack: str) -> str:
    return str(places.ROOT / "policies" / pack)


def _project(folder: Path, resources: int, environment: Mapping[str, str]) -> Project:
    folder.mkdir(parents=True)
    (folder / "state").mkdir()
    (folder / "venv").symlink_to(places.VENV)
    (folder / "Pulumi.yaml").write_text(
        "name: policies\nruntime: {name: python, options: {virtualenv: venv}}\n"
    )
    (folder / "__main__.py").write_text(_PROGRAM.replace("COUNT", str(resources)))
    (folder / "stack.yaml").write_text(ON_NGINX)
    project = Project(folder, {}, environment)
    project.init()
    return project


def main() -> int:
    """Measure and print; 0 when every aim is met, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m dev.bench.policies", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds (default 5)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    tell_if_busy()
    found = [
        measure(resources, engine, arguments.rounds) for resources in AIMS for engine in ENGINES
    ]
    if arguments.json:
        print(json.dumps([_as_dict(one) for one in found]))
    else:
        _print(found)
    return 0 if all(one.holds for one in found) else 1


def _as_dict(one: Added) -> dict[str, object]:
    return {
        "resources": one.resources, "engine": one.engine, "added_by_complete": one.by_complete,
        "aim": one.aim, "holds": one.holds, "added_by_three": one.by_three,
        "complete": one.complete, "three": one.three, "without": one.without,
    }  # fmt: skip


def _print(found: list[Added]) -> None:
    table = Table(title="Previews; seconds are medians, differences are taken round by round")
    for column in ("resources", "no pack", "complete", "three packs", "complete adds", "three add"):
        table.add_column(column)
    for one in found:
        verdict = (
            "no aim"
            if one.aim is None
            else f"aim < {one.aim:g} s {'holds' if one.holds else 'missed'}"
        )
        table.add_row(
            f"{one.resources}\n{one.engine}",
            *(f"{median(times):.2f} s" for times in (one.without, one.complete, one.three)),
            f"{one.by_complete:.2f} s ({min(one.complete_adds):.2f} to "
            f"{max(one.complete_adds):.2f})\n{verdict}",
            f"{one.by_three:.2f} s",
        )
    table.caption = (
        "The engine starts an interpreter for each pack, one after another, before any rule is "
        "asked: three packs add three starts."
    )
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
