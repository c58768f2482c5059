"""A stack's settings (``Pulumi.yaml`` declares them) as the components' arguments."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol

import pulumi

from . import reading


class Stack(Protocol):
    """One stack's arguments, checked as a whole before the first resource is made."""

    @property
    def images(self) -> Mapping[str, str]:
        """Setting → image that runs; an existing store has none."""

    @property
    def has_clickhouse(self) -> bool:
        """False when KATO has nothing to learn into."""

    def build(self) -> Mapping[str, Any]:
        """Declare the stack's resources; the program's exports."""


ONLY_ON: Mapping[str, tuple[str, ...]] = {
    "docker": ("maxReplicas", "draining", "port", "address"),
    "kubernetes": (
        "cluster",
        "namespace",
        "autoscaling",
        "balancerPods",
        "exposure",
        "network",
        "dns",
        "pauseSeconds",
        "resources",
    ),
}
"""Platform → settings that mean something there only."""


def read(config: pulumi.Config) -> Stack:
    """Read and check the stack's settings.

    Raises InvalidInput, which names each setting, the rule and the cure.
    """
    reading.refuse_unknown(config)
    platform = reading.chosen(config, "platform", ONLY_ON)
    others = [name for other, names in ONLY_ON.items() if other != platform for name in names]
    reading.refuse_others(config, platform, others)
    # Only the platform's own SDK is loaded: the other one would take longer than the preview.
    stack: Stack = import_module(f".{platform}_stack", __name__).read(config)
    return stack
