"""What a container asks of its node."""

from typing import Annotated, NotRequired, TypedDict

import pulumi_kubernetes as k8s
from pydantic import Field

from kato_balancing.fields import Frozen


class ContainerResources(TypedDict):
    """What a container asks of its node. Requests are always set: the autoscaler measures against
    them, and a node without them overcommits."""

    cpu: NotRequired[float]
    """Cores requested, for example 0.5."""
    cpu_limit: NotRequired[float]
    """Cores at the most. Defaults to none: a limit throttles bursts and buys nothing."""
    memory_megabytes: NotRequired[int]
    """Memory requested."""
    memory_limit_megabytes: NotRequired[int]
    """Memory at which the container is killed. Defaults to twice what is requested."""


_Cores = Annotated[float, Field(ge=0.01, le=256, allow_inf_nan=False)]
_Megabytes = Annotated[int, Field(ge=16, le=4_000_000)]


class Resources(Frozen):
    """``ContainerResources`` with its defaults."""

    cpu: _Cores | None = None
    cpu_limit: _Cores | None = None
    memory_megabytes: _Megabytes | None = None
    memory_limit_megabytes: _Megabytes | None = None

    def or_else(self, cpu: float, memory_megabytes: int) -> "Resources":
        """These, with a tier's own defaults for what is not said."""
        memory = self.memory_megabytes or memory_megabytes
        return Resources(
            cpu=self.cpu or cpu,
            cpu_limit=self.cpu_limit,
            memory_megabytes=memory,
            memory_limit_megabytes=self.memory_limit_megabytes or 2 * memory,
        )

    def problems(self) -> list[tuple[str, str]]:
        """Fields that are sound alone but not together, with the rule; of filled-in ones."""
        found = []
        if self.cpu_limit is not None and self.cpu is not None and self.cpu_limit < self.cpu:
            found.append(("cpu_limit", f"must be at least cpu, {self.cpu:g}"))
        if (self.memory_limit_megabytes or 0) < (self.memory_megabytes or 0):
            rule = f"must be at least memory_megabytes, {self.memory_megabytes}"
            found.append(("memory_limit_megabytes", rule))
        return found

    def args(self) -> k8s.core.v1.ResourceRequirementsArgs:
        """As Kubernetes takes them; of filled-in ones."""
        limits = {"memory": f"{self.memory_limit_megabytes}Mi"}
        if self.cpu_limit is not None:
            limits["cpu"] = _cores(self.cpu_limit)
        requests = {"cpu": _cores(self.cpu or 0), "memory": f"{self.memory_megabytes}Mi"}
        return k8s.core.v1.ResourceRequirementsArgs(requests=requests, limits=limits)


def _cores(value: float) -> str:
    # As the API server writes it, so that a refresh finds no difference.
    milli = round(value * 1000)
    return f"{milli // 1000}" if milli % 1000 == 0 else f"{milli}m"
