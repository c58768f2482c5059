"""The real nginx and HAProxy, oldest and newest; what is missing fails, it is never skipped."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from balancer_containers import (
    Container,
    balancer,
    docker,
    named_servers_text,
    wait_for_port,
)

from dev.free_ports import free_ports
from kato_balancing import haproxy, nginx
from kato_balancing.model import Balancer
from kato_balancing.targets import parse_version

IMAGES = {
    "nginx:1.22": "kato-lb/nginx:1.22",
    "nginx:1.30": "kato-lb/nginx:1.30",
    "haproxy:2.6": "kato-lb/haproxy:2.6",
    "haproxy:3.2": "kato-lb/haproxy:3.2",
}


@pytest.fixture(scope="session")
def images() -> dict[str, str]:
    """Target → image; built where they are not there yet."""
    docker("version", limit=20)
    subprocess.run(
        [sys.executable, "-m", "dev.images", "build", *IMAGES.values()], check=True, timeout=900
    )
    return IMAGES


@pytest.fixture(scope="session")
def servers(
    images: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, int]]:
    """Twelve servers on 127.0.0.1, each answering with its own name: name → port."""
    ports = dict(zip([f"kato-{i}" for i in range(12)], free_ports(12), strict=True))
    folder = tmp_path_factory.mktemp("servers")
    with balancer(
        images["nginx:1.30"], named_servers_text(ports), folder, ports["kato-0"]
    ) as running:
        wait_for_port(ports["kato-11"], running)
        yield ports


@pytest.fixture
def run(images: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Container]]:
    """Runs a model's balancer on a target such as ``haproxy:3.2`` until the test ends; ``files``
    are beside its configuration, in /c."""
    with ExitStack() as running:

        def start(target: str, model: Balancer, files: Path | None = None) -> Container:
            folder = tmp_path / f"balancer-{len(list(tmp_path.iterdir()))}"
            if files is not None:
                shutil.copytree(files, folder)
            text = render(target, model)
            port = model.listener.port
            return running.enter_context(balancer(images[target], text, folder, port))

        yield start


def render(target: str, model: Balancer) -> str:
    """The configuration of a model for a target."""
    program, _, version = target.partition(":")
    writer = {"nginx": nginx, "haproxy": haproxy}[program]
    return writer.render(model, parse_version(version))
