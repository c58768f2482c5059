"""A stack on Kubernetes, whose update ends when the cluster has carried it out."""

from pathlib import Path
from typing import Final

from kato_balancing.operations.stack import UP_LIMIT, Stack, StackError, Tell
from kato_balancing.verify.disruption.cluster import Cluster, ClusterError

_NAME: Final = "kato"
"""Name of the component in the namespace."""


class KubernetesStack(Stack):
    """One stack of a project, on Kubernetes."""

    def up(self, *more: str, tell: Tell, limit: float = UP_LIMIT) -> None:
        """Deploy as any stack; returns when the balancers and the stable replicas run what was
        deployed, for which the cluster gets ``limit`` seconds too.

        Raises StackError.
        """
        super().up(*more, tell=tell, limit=limit)
        # Pulumi's provider 4.25.0 takes the state before a change for the change's end: at every
        # update of a StatefulSet, at some of a Deployment.
        tell("waiting until the pods are replaced")
        try:
            cluster_of(self).wait_updated(limit)
        except ClusterError as error:
            problem = f"'pulumi up' of {self.name} succeeded, but its pods do not follow"
            raise StackError(f"{problem}: {error}") from None

    def canary_lag(self) -> str | None:
        """Which of the canary's replicas don't run what was deployed, or why the cluster can't
        tell; None when all do. Raises StackError."""
        try:
            return cluster_of(self).canary_lag()
        except ClusterError as error:
            return str(error)


def cluster_of(stack: Stack) -> Cluster:
    """The stack in the cluster that its settings name; raises ClusterError and StackError."""
    where = stack.setting("cluster") or {}
    kubeconfig = where.get("kubeconfig")
    namespace = stack.outputs().get("namespace")
    if namespace is None:
        raise ClusterError(f"the stack {stack.name} is not deployed; run 'pulumi up' first")
    return Cluster.connect(
        namespace,
        _NAME,
        kubeconfig=None if kubeconfig is None else str(Path(stack.folder, kubeconfig)),
        context=where.get("context"),
    )
