"""Real Docker and the real Pulumi engine; what is missing fails, it is never skipped."""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pulumi_stack import PulumiStack, must

from dev.free_ports import free_port

OLD_NGINX = "kato-lb/nginx:1.22"

IMAGES = {
    "katoImage": "kato-lb/kato-stand-in:6.3.0",
    "redisImage": "kato-lb/redis:8.0",
    "nginxImage": "kato-lb/nginx:1.30",
    "haproxyImage": "kato-lb/haproxy:3.2",
}


@pytest.fixture(scope="session")
def tools() -> None:
    """The CLI, the engine and the images; 'make test' brings them."""
    assert shutil.which("pulumi"), "pulumi is not on PATH: run 'make test', or '. .state/env' first"
    must(["docker", "version"], limit=20)
    must([sys.executable, "-m", "dev.images", "build", *IMAGES.values(), OLD_NGINX], limit=900)


@pytest.fixture(scope="module")
def new_stack(
    tools: None,  # noqa: ARG001 - asked for what it makes sure of
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., PulumiStack]]:
    """Makes stacks of three replicas; each is destroyed at the end."""
    made: list[PulumiStack] = []

    def make(name: str, **settings: object) -> PulumiStack:
        folder: Path = tmp_path_factory.mktemp(name)
        base = {**IMAGES, "port": free_port(), "balancer": {"revealServers": True}}
        stack = PulumiStack(folder, name, {**base, **settings})
        made.append(stack)
        return stack

    yield make
    for stack in made:
        stack.destroy()
