"""Real PowerDNS and real regions; what is missing fails, it is never skipped."""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pulumi_stack import PulumiStack, must

IMAGES = (
    "kato-lb/nginx:1.30",
    "kato-lb/haproxy:3.2",
    "kato-lb/redis:8.0",
    "kato-lb/kato-stand-in:6.3.0",
    "kato-lb/powerdns:4.7",
    "kato-lb/powerdns:5.0",
)


@pytest.fixture(scope="session")
def region_tools() -> None:
    """The CLI, dig, the engine and the images; 'make test' brings them."""
    for tool in ("pulumi", "dig"):
        assert shutil.which(tool), f"{tool} is not on PATH: run 'make test' or '. .state/env'"
    must(["docker", "version"], limit=20)
    must([sys.executable, "-m", "dev.images", "build", *IMAGES], limit=900)


@pytest.fixture(scope="module")
def new_region_stack(
    region_tools: None,  # noqa: ARG001 - asked for what it makes sure of
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], PulumiStack]]:
    """Makes stacks; each is destroyed at the end."""
    made: list[PulumiStack] = []

    def make(name: str) -> PulumiStack:
        folder: Path = tmp_path_factory.mktemp(name)
        stack = PulumiStack(folder, name)
        made.append(stack)
        return stack

    yield make
    for stack in made:
        stack.destroy()
