"""Labels of every object, and the constant part of them that selects pods."""

from collections.abc import Mapping
from dataclasses import dataclass, field

NAME = "app.kubernetes.io/name"
INSTANCE = "app.kubernetes.io/instance"
COMPONENT = "app.kubernetes.io/component"

PRODUCT = "kato"
"""Every object's name label, whatever the stack."""


@dataclass(frozen=True)
class Labels:
    """The labels of one stack's objects.

    A workload's selector can't be changed, so it holds nothing that may: neither a version nor a
    user's label.
    """

    instance: str
    more: Mapping[str, str] = field(default_factory=dict)
    """The user's own; on every object and pod, never in a selector."""

    def select(self, tier: str) -> dict[str, str]:
        """What selects the tier's pods."""
        return {**self.select_all(), COMPONENT: tier}

    def select_all(self) -> dict[str, str]:
        """What selects the pods of every tier."""
        return {NAME: PRODUCT, INSTANCE: self.instance}

    def of(self, tier: str) -> dict[str, str]:
        """All labels of the tier's objects."""
        return {
            **self.more,
            **self.select(tier),
            "app.kubernetes.io/part-of": "kato",
            "app.kubernetes.io/managed-by": "pulumi",
        }
