"""Real Prometheus, exporters and balancers; what is missing fails, it is never skipped."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from prometheus_api import Prometheus
from pulumi_stack import PulumiStack, must

from dev.free_ports import free_ports
from dev.images import catalogue

_SETTINGS = {key: image.name for key, image in catalogue.SUBSTITUTES.items()}
_MONITORING = {
    key.removeprefix("monitoring."): image.name for key, image in catalogue.MONITORING.items()
}


@pytest.fixture(scope="session")
def tools() -> None:
    """The CLI, the engine and the images; 'make test' brings them."""
    assert shutil.which("pulumi"), "pulumi is not on PATH: run 'make test', or '. .state/env' first"
    must(["docker", "version"], limit=20)
    names = [*_SETTINGS.values(), *_MONITORING.values()]
    must([sys.executable, "-m", "dev.images", "build", *names], limit=900)


@pytest.fixture(scope="module")
def watched_stack(
    tools: None,  # noqa: ARG001 - asked for what it makes sure of
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., tuple[PulumiStack, Prometheus]]]:
    """Deploys stacks of three replicas with their Prometheus; each is destroyed at the end."""
    with ExitStack() as made:

        def make(name: str, **settings: object) -> tuple[PulumiStack, Prometheus]:
            port, prometheus_port = free_ports(2)
            stack = PulumiStack(
                tmp_path_factory.mktemp(name),
                name,
                {
                    **_SETTINGS,
                    "port": port,
                    "monitoring": {"enabled": True, "port": prometheus_port, **_MONITORING},
                    **settings,
                },
            )
            made.callback(stack.destroy)
            stack.up()
            return stack, Prometheus(str(stack.outputs()["prometheusUrl"]))

        yield make
