"""The events: what happens to the cluster, and what it may cost.

Whatever is planned costs nothing. A killed pod costs the observations that it was working on, and
a restarted Redis the requests until it is back; no acknowledged observation is lost by either.
"""

from collections.abc import Callable
from dataclasses import dataclass

from kato_balancing.verify.disruption.cluster import (
    BALANCER,
    KATO,
    REDIS,
    SETTLE_LIMIT,
    Cluster,
    ClusterError,
    wait_until,
)
from kato_balancing.verify.disruption.names import Cost, DisruptionName

Tell = Callable[[str], None]
"""Called as the event goes on, with what happens now."""


@dataclass(frozen=True)
class Disruption:
    """One event."""

    name: DisruptionName
    cost: Cost
    happen: Callable[[Cluster, Tell], None]
    """Makes it happen, and returns when the cluster has settled again."""


def _scale(difference: int) -> Callable[[Cluster, Tell], None]:
    def happen(cluster: Cluster, tell: Tell) -> None:
        before = cluster.replicas()
        if before + difference < 1:
            raise ClusterError(f"{before} replica(s) can't be scaled in; start with at least 2")
        tell(f"scale {before} → {before + difference}")
        cluster.scale(before + difference)
        cluster.wait_settled()

    return happen


def _restart(tier: str) -> Callable[[Cluster, Tell], None]:
    def happen(cluster: Cluster, tell: Tell) -> None:
        tell(f"restart of every {tier} pod")
        cluster.restart(tier)
        cluster.wait_settled()

    return happen


def _drain(cluster: Cluster, tell: Tell) -> None:
    for tier in (KATO, BALANCER):
        for pod in cluster.serving(tier):
            tell(f"eviction of {pod.name}")
            cluster.evict(pod)
            _wait_replaced(cluster, tier, pod.uid)


def _kill(cluster: Cluster, tell: Tell) -> None:
    victim = cluster.serving(KATO)[0]
    tell(f"kill of {victim.name}")
    cluster.kill(victim)
    _wait_replaced(cluster, KATO, victim.uid)


def _restart_redis(cluster: Cluster, tell: Tell) -> None:
    if cluster.redis() is None:
        raise ClusterError("this stack's Redis is not in the cluster: leave redis-restart out")
    restarts = {pod.uid: pod.restarts for pod in cluster.pods(KATO)}
    [victim] = cluster.serving(REDIS)
    tell(f"kill of {victim.name}")
    cluster.kill(victim)
    _wait_replaced(cluster, REDIS, victim.uid)
    after = {pod.uid: pod.restarts for pod in cluster.pods(KATO)}
    if after != restarts:
        raise ClusterError("replicas of KATO were restarted because of Redis: probes are too eager")


def _wait_replaced(cluster: Cluster, tier: str, uid: str) -> None:
    wait_until(
        lambda: uid not in {pod.uid for pod in cluster.pods(tier)},
        SETTLE_LIMIT,
        "the pod that was to go is still there",
    )
    cluster.wait_settled()


DISRUPTIONS = tuple(
    Disruption(name, cost, happen)
    for name, cost, happen in (
        (DisruptionName.SCALE_OUT, Cost.NOTHING, _scale(1)),
        (DisruptionName.SCALE_IN, Cost.NOTHING, _scale(-1)),
        (DisruptionName.ROLLOUT, Cost.NOTHING, _restart(KATO)),
        (DisruptionName.BALANCER_ROLLOUT, Cost.NOTHING, _restart(BALANCER)),
        (DisruptionName.DRAIN, Cost.NOTHING, _drain),
        (DisruptionName.POD_KILL, Cost.IN_FLIGHT, _kill),
        (DisruptionName.REDIS_RESTART, Cost.OUTAGE, _restart_redis),
    )
)
"""Scaling comes in a pair, so that the stack ends as it began."""
