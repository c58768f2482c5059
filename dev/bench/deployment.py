"""How long the product's stack takes against programs that do less for their user."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from dev.bench import plain_docker, projects
from dev.bench.ratios import Aim, Comparison, compare
from dev.free_ports import free_port


@dataclass(frozen=True)
class Stacks:
    """The projects that are measured against each other."""

    product: projects.Project
    flat: projects.Project
    empty: projects.Project


def previews(rounds: int) -> Comparison:
    """A no-change preview of the dev stack against an empty program's."""
    with _stacks() as stacks:
        for project in (stacks.product, stacks.empty):
            project.timed("up", "--yes", "--skip-preview")
        try:
            return compare(
                "no-change preview / an empty program's",
                lambda: stacks.product.timed("preview"),
                lambda: stacks.empty.timed("preview"),
                rounds=rounds,
                aim=Aim(2.0),
            )
        finally:
            stacks.product.timed("destroy", "--yes", "--skip-preview")


def deployments(rounds: int) -> Comparison:
    """`pulumi up` of the dev stack against a flat program of the same containers."""
    with _stacks() as stacks:

        def up(project: projects.Project) -> float:
            seconds = project.timed("up", "--yes", "--skip-preview")
            project.timed("destroy", "--yes", "--skip-preview")
            return seconds

        return compare(
            "pulumi up / a flat program's",
            lambda: up(stacks.product),
            lambda: up(stacks.flat),
            rounds=rounds,
            aim=Aim(1.2),
        )


def plain(rounds: int) -> float:
    """Median seconds of a plain docker script for the same containers."""
    seconds = []
    for _ in range(rounds):
        try:
            seconds.append(plain_docker.up("kato-bench", free_port()))
        finally:
            plain_docker.down("kato-bench")
    return median(seconds)


@contextmanager
def _stacks() -> Iterator[Stacks]:
    with tempfile.TemporaryDirectory(prefix="kato-bench-") as scratch:
        folder = Path(scratch)
        stacks = Stacks(
            projects.product(folder / "product", free_port()),
            projects.flat(folder / "flat", free_port()),
            projects.empty(folder / "empty"),
        )
        for project in (stacks.product, stacks.flat, stacks.empty):
            project.init()
        yield stacks
