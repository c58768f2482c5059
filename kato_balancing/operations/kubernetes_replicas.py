"""The replicas of a stack on Kubernetes, replaced by the objects' own means.

A pod that is to go serves on for ``pauseSeconds`` while every balancer learns of it, then ends what
is in flight within its grace period. So nothing is marked: the cluster drains whatever it stops.
"""

import time
from collections.abc import Iterator, Sequence

from kato_balancing.operations.kubernetes_stack import cluster_of
from kato_balancing.operations.report import OperationError, ReplicaReport
from kato_balancing.operations.stack import Stack, Tell
from kato_balancing.verify.disruption.cluster import KATO, Cluster, ClusterError, Pod, wait_until


class KubernetesPlatform:
    """Drain and replacement on Kubernetes. Make it with :meth:`of`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    @classmethod
    def of(cls, stack: Stack) -> "KubernetesPlatform":
        """The stack in the cluster that its settings name; raises OperationError."""
        try:
            cluster = cluster_of(stack)
        except ClusterError as error:
            raise OperationError(str(error)) from None
        return cls(cluster)

    def drain(self, name: str, limit: float, tell: Tell) -> ReplicaReport:
        """Evict the pod, as a node drain does: its disruption budget has a say. Returns when the
        stack is whole again, with the pod's successor."""
        [report] = self.replace([name], limit, tell)
        return report

    def undo(self, name: str, tell: Tell) -> None:
        """Refused: an evicted pod has a successor, which serves already."""
        del tell
        raise OperationError(
            f"nothing of {name} is drained on Kubernetes: a drained pod is replaced by one that "
            "serves; leave --undo out"
        )

    def replace(
        self, names: Sequence[str] | None, limit: float, tell: Tell
    ) -> Iterator[ReplicaReport]:
        """Evict these pods one after another; None restarts all by the workload's own rules."""
        try:
            self._cluster.wait_settled(limit)
            if names is None:
                yield from self._restart(limit, tell)
            else:
                for pod in self._named(names):
                    yield self._evict(pod, limit, tell)
        except ClusterError as error:
            raise OperationError(
                f"{error}\nThe pods that are ready serve on; correct that, then run it again"
            ) from None

    def _named(self, names: Sequence[str]) -> list[Pod]:
        serving = {pod.name: pod for pod in self._cluster.serving(KATO)}
        for name in names:
            if name not in serving:
                known = ", ".join(serving) or "none serves"
                raise OperationError(f"there is no replica {name!r}; use one of: {known}")
        return [serving[name] for name in names]

    def _evict(self, pod: Pod, limit: float, tell: Tell) -> ReplicaReport:
        tell(f"{pod.name}: eviction")
        seen = _Seen(self._cluster, tell)
        self._cluster.evict(pod)
        wait_until(lambda: seen.replaced({pod.uid}), limit, f"{pod.name} was not replaced")
        [report] = seen.reports()
        return report

    def _restart(self, limit: float, tell: Tell) -> Iterator[ReplicaReport]:
        seen = _Seen(self._cluster, tell)
        old = {pod.uid for pod in self._cluster.pods(KATO)}
        tell("restart of every replica")
        self._cluster.restart(KATO)
        wait_until(
            lambda: seen.replaced(old), limit * len(old), "the replicas were not all replaced"
        )
        yield from seen.reports()


class _Seen:
    """When pods left and their successors were ready, as far as it was asked."""

    def __init__(self, cluster: Cluster, tell: Tell) -> None:
        self._cluster = cluster
        self._tell = tell
        self._before = {pod.uid for pod in cluster.pods(KATO)}
        self._left: dict[str, float] = {}
        self._gone: dict[str, float] = {}
        self._appeared: dict[str, tuple[str, float]] = {}
        self._ready: dict[str, float] = {}

    def replaced(self, old: set[str]) -> bool:
        """Look again; True when these are gone and the stack is whole."""
        now = time.monotonic()
        pods = self._cluster.pods(KATO)
        for pod in pods:
            if pod.uid in self._before:
                if pod.leaving and pod.uid not in self._left:
                    self._left[pod.uid] = now
                    self._tell(f"{pod.name}: no new work")
            else:
                self._appeared.setdefault(pod.uid, (pod.name, now))
                if pod.ready and pod.uid not in self._ready:
                    self._ready[pod.uid] = now
                    self._tell(f"{pod.name}: ready")
        present = {pod.uid for pod in pods}
        for uid in self._left:
            if uid not in present:
                self._gone.setdefault(uid, now)
        return not old & present and self._cluster.settled()

    def reports(self) -> Iterator[ReplicaReport]:
        """A line for each successor, the first that was ready first."""
        for old, new in zip(self._gone, self._ready, strict=False):
            name, appeared = self._appeared[new]
            drained = self._gone[old] - self._left[old]
            yield ReplicaReport(name, None, drained, self._ready[new] - appeared)
