"""The replicas of a stack on Docker, marked and replaced through Pulumi: its state stays true."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from kato_balancing.operations import drain, replace
from kato_balancing.operations.in_flight import InFlight, at_container
from kato_balancing.operations.report import OperationError, ReplicaReport
from kato_balancing.operations.stack import Resource, Stack, StackError, Tell

_SETTING: Final = "draining"
_CONTAINER: Final = "docker:index/container:Container"
_REPLICA: Final = re.compile(r"::kato:index:KatoBackend\$[^:]+:[^:]+:[^:]+::")
_BALANCER: Final = re.compile(r"::kato:index:(?:Nginx|Haproxy)Balancer\$[^:]+:[^:]+:[^:]+::")
_CONFIGURATION: Final = "-configuration"


class DockerReplicas:
    """What the stack runs, by its state. Changes that its settings have for other resources wait
    for the next ``pulumi up``."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def names(self) -> list[str]:
        """The replicas that run; a canary's are not among them: a rollout owns those."""
        served = self._stack.outputs().get("servers", [])
        running = self._replicas()
        return [server["name"] for server in served if server["name"] in running]

    def draining(self) -> list[str]:
        """What the setting ``draining`` says."""
        return list(self._stack.setting(_SETTING) or ())

    def mark(self, names: Sequence[str], tell: Tell) -> None:
        """Change the setting and reload the balancer. Raises StackError."""
        before = self.draining()
        self._stack.configure({_SETTING: list(names)})
        try:
            self._stack.up("--target", self._balancer(configuration=True).urn, tell=tell)
        except (StackError, KeyboardInterrupt):
            self._stack.configure({_SETTING: list(before)})
            raise

    def in_flight(self, name: str) -> InFlight:
        """The balancer's connections at the replica, and its processes before the last reload."""
        return at_container(self._replicas()[name].id, self._balancer(configuration=False).id)

    def replace(self, name: str, tell: Tell) -> None:
        """Replace the container, with the image and variables that the settings say now.

        Raises StackError when the new one is not healthy.
        """
        self._stack.up("--target-replace", self._replicas()[name].urn, tell=tell)

    def _replicas(self) -> dict[str, Resource]:
        return {one.name: one for one in self._containers(_REPLICA)}

    def _balancer(self, *, configuration: bool) -> Resource:
        for one in self._containers(_BALANCER):
            if one.name.endswith(_CONFIGURATION) is configuration:
                return one
        raise OperationError(f"the stack {self._stack.name} has no balancer; deploy it first")

    def _containers(self, of: re.Pattern[str]) -> Iterator[Resource]:
        return (
            one
            for one in self._stack.resources()
            if one.type == _CONTAINER and of.search(one.urn) is not None
        )


class DockerPlatform:
    """Drain and replacement on Docker."""

    def __init__(self, stack: Stack) -> None:
        self._replicas = DockerReplicas(stack)

    def drain(self, name: str, limit: float, tell: Tell) -> ReplicaReport:
        """Drain the replica; it goes on running, without work."""
        return drain.drain(self._replicas, name, limit=limit, tell=tell)

    def undo(self, name: str, tell: Tell) -> None:
        """Give a drained replica its work back."""
        drain.undo(self._replicas, name, tell)

    def replace(
        self, names: Sequence[str] | None, limit: float, tell: Tell
    ) -> Iterator[ReplicaReport]:
        """Replace these; None is all."""
        chosen = self._replicas.names() if names is None else names
        if not chosen:
            raise OperationError("the stack runs no replica; deploy it first with 'pulumi up'")
        return replace.replace(self._replicas, chosen, limit=limit, tell=tell)
