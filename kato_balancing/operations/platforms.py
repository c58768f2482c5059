"""Where a stack runs decides how its replicas are drained and replaced, and when an update of it is
carried out.

The cluster's client is large: what needs it is imported late.
"""

import importlib
from collections.abc import Iterator, Sequence
from typing import Protocol, cast

from kato_balancing.operations.docker_replicas import DockerPlatform
from kato_balancing.operations.report import ReplicaReport
from kato_balancing.operations.stack import Stack, Tell


class Platform(Protocol):
    """Drain and replacement of one stack's replicas; every method raises OperationError or
    StackError."""

    def drain(self, name: str, limit: float, tell: Tell) -> ReplicaReport:
        """Take the replica's work away; returns when nothing is in flight."""

    def undo(self, name: str, tell: Tell) -> None:
        """Give a drained replica its work back."""

    def replace(
        self, names: Sequence[str] | None, limit: float, tell: Tell
    ) -> Iterator[ReplicaReport]:
        """Replace these replicas, or all; each may take ``limit`` seconds to get idle."""


def platform_of(stack: Stack) -> Platform:
    """The platform that the stack's settings name."""
    if not _on_kubernetes(stack):
        return DockerPlatform(stack)
    kubernetes = importlib.import_module("kato_balancing.operations.kubernetes_replicas")
    return cast(Platform, kubernetes.KubernetesPlatform.of(stack))


def settling(stack: Stack) -> Stack:
    """The stack, whose update ends when what runs is what was deployed."""
    if not _on_kubernetes(stack):
        return stack
    kubernetes = importlib.import_module("kato_balancing.operations.kubernetes_stack")
    return cast(Stack, kubernetes.KubernetesStack(stack.folder, stack.name))


def _on_kubernetes(stack: Stack) -> bool:
    return bool(stack.setting("platform") == "kubernetes")
