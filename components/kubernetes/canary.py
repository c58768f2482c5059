"""A canary on Kubernetes: replicas of another image, with names and a Service of their own."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NotRequired, Self, TypedDict

from pydantic import model_validator

from kato_balancing import images
from kato_balancing.fields import ImageReference, refused_at

from ..canary_inputs import CanaryShare, CanaryStage
from ..kato_inputs import Replicas
from .kato_tier import KatoTier

TIER = "kato-canary"
"""Label of the canary's pods: whatever selects the stable ones does not find these."""


class ClusterCanary(TypedDict):
    """Replicas of another image, and their share of the sessions."""

    image: str
    """KATO's image with a tag or digest, 5.0.2 or newer."""
    share: float
    """Percent of the sessions, 0 to 100; raising it never moves a session back."""
    replicas: NotRequired[int]
    """Running replicas, 1 to 64. Defaults to as many as the stable version has, or its
    autoscaler's least."""
    mode: NotRequired[str]
    """ALL_SESSIONS, or NEW_SESSIONS: only those that are born from a time on, so that no live one
    moves. Defaults to ALL_SESSIONS."""
    since: NotRequired[int]
    """With NEW_SESSIONS: the birth, in milliseconds since 1970, from which on the share counts.
    Required there."""
    earlier: NotRequired[Sequence[CanaryStage]]
    """With NEW_SESSIONS: the steps before, oldest first; their sessions stay where they are.
    Defaults to none."""


class CanaryInputs(CanaryShare):
    """``ClusterCanary``, checked; the share by the model."""

    image: ImageReference
    replicas: Replicas | None = None

    @model_validator(mode="after")
    def _runs(self) -> Self:
        try:
            images.check_kato(self.image)
        except ValueError as error:
            raise refused_at("Canary", [(("image",), str(error))]) from None
        return self


def canary_name(name: str) -> str:
    """Name of the canary's workload in the stack of this name."""
    return f"{name}-canary"


def canary_tier(stable: KatoTier, canary: CanaryInputs, replicas: int) -> KatoTier:
    """The canary's tier: the stable one's, but for its image, its number and its names."""
    return replace(
        stable,
        name=canary_name(stable.name),
        tier=TIER,
        inputs=stable.inputs.model_copy(update={"image": canary.image}),
        replicas=replicas,
    )
