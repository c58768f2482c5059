"""A real cluster and the real Pulumi engine; what is missing fails, nothing is skipped."""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from k8s_facts import Facts, collection, wait_for
from pulumi_stack import PulumiStack, must

from dev.cluster import lifecycle
from dev.cluster.resource_definitions import definitions
from dev.images import catalogue

KATO, NEXT_KATO = "kato-lb/kato-stand-in:6.3.0", "kato-lb/kato-stand-in:6.3.1"
IMAGES = {
    "katoImage": KATO,
    "redisImage": "kato-lb/redis:8.0",
    "nginxImage": "kato-lb/nginx:1.30",
    "haproxyImage": "kato-lb/haproxy:3.2",
}

SHORTEST_PAUSE = 11
"""Seconds, the least that HAProxy allows; nginx's is 10."""

SMALL: dict[str, Any] = {
    **IMAGES,
    "platform": "kubernetes",
    "resources": {"cpu": 0.05, "memoryMegabytes": 128},
    "balancerPods": {"resources": {"cpu": 0.02, "memoryMegabytes": 64}},
    "redis": {"memoryMegabytes": 64, "storageGigabytes": 1},
    "balancer": {"revealServers": True},
    "process": {"connectionLimit": 1000},
    "pauseSeconds": SHORTEST_PAUSE,
}
"""A stack that fits several times on one small node; every replica stops as soon as it may."""


@pytest.fixture(scope="session")
def kubeconfig() -> Path:
    """A running cluster with the local images."""
    assert shutil.which("pulumi"), "pulumi is not on PATH: run 'make test', or '. .state/env' first"
    must([sys.executable, "-m", "dev.images", "build", *IMAGES.values()], limit=900)
    # The same program under another name is a new version to the cluster.
    must(["docker", "tag", KATO, NEXT_KATO])
    return lifecycle.ensure([*IMAGES.values(), NEXT_KATO])


@pytest.fixture(scope="session")
def facts(kubeconfig: Path) -> Facts:
    """What the cluster says."""
    return Facts.of(kubeconfig)


@pytest.fixture(scope="module")
def monitoring_images(
    kubeconfig: Path,  # noqa: ARG001 - the cluster that gets them
) -> None:
    names = [image.name for image in catalogue.MONITORING.values()]
    must([sys.executable, "-m", "dev.images", "build", *names], limit=900)
    lifecycle.ensure(names)


@pytest.fixture(scope="module")
def monitoring_namespace(facts: Facts) -> Iterator[str]:
    """The namespace that the stacks' policies let read figures."""
    with facts.namespace("monitoring") as name:
        yield name


@pytest.fixture(scope="session")
def others_kinds(facts: Facts) -> Iterator[None]:
    """The kinds that other projects' operators read. The cluster keeps those that it has; the
    others go at the end."""
    made = []
    for definition in definitions().values():
        path = collection(definition, "")
        answer = facts.send("POST", path, definition)
        if answer.status_code == 409:
            continue
        assert answer.status_code == 201, answer.text
        made.append(f"{path}/{definition['metadata']['name']}")
        spec = definition["spec"]
        served = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
        wait_for(lambda at=served: facts.send("GET", at).is_success, 30, f"the kind at {served}")
    yield
    for path in made:
        facts.send("DELETE", path)


@pytest.fixture(scope="module")
def new_stack(
    kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., PulumiStack]]:
    """Makes stacks; each is destroyed at the end."""
    made: list[PulumiStack] = []

    def make(name: str, **settings: object) -> PulumiStack:
        folder: Path = tmp_path_factory.mktemp(name)
        environment = {"KUBECONFIG": str(kubeconfig)}
        stack = PulumiStack(folder, name, {**SMALL, **settings}, environment)
        made.append(stack)
        return stack

    yield make
    for stack in made:
        stack.destroy()
