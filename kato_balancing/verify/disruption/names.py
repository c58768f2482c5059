"""Names of the events, and what each may cost; known without a cluster."""

from enum import StrEnum


class Cost(StrEnum):
    """What an event may cost."""

    NOTHING = "no request"
    IN_FLIGHT = "observations in flight at the killed pod"
    OUTAGE = "requests until the store is back"


class DisruptionName(StrEnum):
    """The events, in the order in which they happen."""

    SCALE_OUT = "scale-out"
    SCALE_IN = "scale-in"
    ROLLOUT = "rollout"
    BALANCER_ROLLOUT = "balancer-rollout"
    DRAIN = "drain"
    POD_KILL = "pod-kill"
    REDIS_RESTART = "redis-restart"
