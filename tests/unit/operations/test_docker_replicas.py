"""Marks and replacements on Docker, as Pulumi is asked for them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kato_balancing.operations.docker_replicas import DockerPlatform, DockerReplicas
from kato_balancing.operations.report import OperationError
from kato_balancing.operations.stack import Resource, Stack, StackError, Tell

CONTAINER = "docker:index/container:Container"


def urn(component: str, name: str) -> str:
    return f"urn:pulumi:dev::kato::kato:index:{component}${CONTAINER}::{name}"


class FakeStack(Stack):
    """A stack whose state is a list, and whose updates are only noted."""

    def __init__(self, *containers: tuple[str, str]) -> None:
        super().__init__(Path(), "dev")
        self.containers = containers
        self.settings: dict[str, Any] = {"draining": ["kato-2"]}
        self.updates: list[tuple[str, ...]] = []
        self.fails = False

    def setting(self, name: str) -> Any:
        return self.settings.get(name)

    def configure(self, settings: Mapping[str, Any]) -> None:
        self.settings.update(settings)

    def up(self, *more: str, tell: Tell, limit: float = 0) -> None:
        del tell, limit
        self.updates.append(more)
        if self.fails:
            raise StackError("refused")

    def outputs(self) -> Mapping[str, Any]:
        return {"servers": [{"name": f"kato-{number}"} for number in range(5)]}

    def resources(self) -> list[Resource]:
        return [
            Resource(urn(component, name), CONTAINER, name, f"id of {name}", {})
            for component, name in self.containers
        ]


@pytest.fixture(params=["NginxBalancer", "HaproxyBalancer"])
def stack(request: pytest.FixtureRequest) -> FakeStack:
    return FakeStack(
        (request.param, "balancer-configuration"),
        (request.param, "balancer"),
        ("KatoDataStores", "stores-redis"),
        ("KatoBackend", "kato-1"),
        ("KatoBackend", "kato-0"),
        ("KatoBackend", "kato-canary-0"),
    )


def test_what_runs_and_is_served_is_a_replica(stack):
    assert DockerReplicas(stack).names() == ["kato-0", "kato-1"]


def test_a_mark_is_a_setting_and_a_reload_of_the_balancer_alone(stack):
    replicas = DockerReplicas(stack)
    assert replicas.draining() == ["kato-2"]
    replicas.mark(["kato-1"], print)
    assert stack.settings == {"draining": ["kato-1"]}
    [(option, target)] = stack.updates
    assert option == "--target"
    assert target.endswith(f"Balancer${CONTAINER}::balancer-configuration")


def test_a_refused_mark_leaves_the_setting_as_it_was(stack):
    stack.fails = True
    with pytest.raises(StackError, match="refused"):
        DockerReplicas(stack).mark(["kato-1"], print)
    assert stack.settings == {"draining": ["kato-2"]}


def test_one_container_is_replaced(stack):
    DockerReplicas(stack).replace("kato-1", print)
    assert stack.updates == [("--target-replace", urn("KatoBackend", "kato-1"))]


def test_a_stack_that_is_not_deployed_is_told_to_be():
    with pytest.raises(OperationError, match="has no balancer; deploy it"):
        DockerReplicas(FakeStack(("KatoBackend", "kato-0"))).mark(["kato-0"], print)
    with pytest.raises(OperationError, match="'pulumi up'"):
        DockerPlatform(FakeStack()).replace(None, 60, print)
