"""One stack of KATO in a Kubernetes cluster: what runs there, and how to disturb it.

Everything goes through the API server, with the rights of the user's kubeconfig.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

KATO, CANARY, BALANCER, REDIS = "kato", "kato-canary", "balancer", "redis"
"""Tiers, as the label ``app.kubernetes.io/component`` names them."""

_INSTANCE: Final = "app.kubernetes.io/instance"
_COMPONENT: Final = "app.kubernetes.io/component"
_RESTARTED_AT: Final = "kubectl.kubernetes.io/restartedAt"
"""The annotation that ``kubectl rollout restart`` sets."""

SETTLE_LIMIT: Final = 600.0
"""Seconds that a rollout may take; a replica alone may drain for its whole grace period."""

EVICTION_LIMIT: Final = 180.0
"""Seconds that a disruption budget may hold an eviction up."""

_ASK_AGAIN: Final = 0.5
_REQUEST_LIMIT: Final = 20


class ClusterError(RuntimeError):
    """The cluster can't be asked, or did not do what it was asked for; says what to do."""


class _NotFoundError(ClusterError):
    """There is no such object."""


class _NotYetError(ClusterError):
    """A disruption budget forbids it now."""


@dataclass(frozen=True)
class Pod:
    """A pod, at one moment."""

    name: str
    uid: str
    address: str | None
    ready: bool
    leaving: bool
    restarts: int
    waits_for: str
    """Why it is not ready, in the cluster's words; empty when it is."""

    @property
    def serves(self) -> bool:
        """It is ready and stays."""
        return self.ready and not self.leaving


class Cluster:
    """The stack named ``name`` in a namespace. Make it with :meth:`connect`."""

    def __init__(self, api: client.ApiClient, namespace: str, name: str) -> None:
        self._core = client.CoreV1Api(api)
        self._apps = client.AppsV1Api(api)
        self._policy = client.PolicyV1Api(api)
        self._autoscaling = client.AutoscalingV2Api(api)
        self.namespace = namespace
        self.name = name

    @classmethod
    def connect(
        cls,
        namespace: str,
        name: str,
        *,
        kubeconfig: str | None = None,
        context: str | None = None,
    ) -> "Cluster":
        """The stack in the cluster of the kubeconfig (the user's own by default); raises
        ClusterError."""
        try:
            api = config.new_client_from_config(  # type: ignore[no-untyped-call]
                config_file=kubeconfig, context=context
            )
        except (config.ConfigException, OSError) as error:
            raise ClusterError(
                f"no cluster is configured ({error}); set KUBECONFIG or give --kubeconfig"
            ) from None
        cluster = cls(api, namespace, name)
        cluster.workload()
        return cluster

    def workload(self) -> Any:
        """KATO's StatefulSet or Deployment."""
        found = self._replicas_of(self.name)
        if found is not None:
            return found
        raise ClusterError(
            f"there is no StatefulSet or Deployment {self.name} in namespace {self.namespace}; "
            "give the namespace that 'pulumi stack output namespace' prints"
        )

    def canary_lag(self) -> str | None:
        """What the canary's replicas wait for, unless all run its newest version; None when they
        do, or when there is no canary. Raises ClusterError."""
        canary = self._replicas_of(f"{self.name}-canary")
        if canary is None or _updated(canary):
            return None
        return f"not every replica of the canary runs its newest version: {self._waiting(CANARY)}"

    def balancer(self) -> Any | None:
        """The balancer's Deployment; None where clients reach KATO itself."""
        return self._found(self._apps.read_namespaced_deployment, f"{self.name}-{BALANCER}")

    def redis(self) -> Any | None:
        """The managed Redis; None when it is elsewhere."""
        return self._found(self._apps.read_namespaced_stateful_set, f"{self.name}-{REDIS}")

    def service_address(self) -> str:
        """Address and port of the Service that clients reach."""
        found = self._found(self._core.read_namespaced_service, self.name)
        if found is None:
            raise ClusterError(f"there is no Service {self.name} in {self.namespace}")
        return f"{found.spec.cluster_ip}:{found.spec.ports[0].port}"

    def pods(self, tier: str) -> list[Pod]:
        """The tier's pods by name, those that are leaving too."""
        selector = f"{_INSTANCE}={self.name},{_COMPONENT}={tier}"
        listed = self._ask(self._core.list_namespaced_pod, self.namespace, label_selector=selector)
        return sorted((_pod(item) for item in listed.items), key=lambda pod: pod.name)

    def serving(self, tier: str) -> list[Pod]:
        """The tier's pods that are ready and stay."""
        return [pod for pod in self.pods(tier) if pod.serves]

    def replicas(self) -> int:
        """Replicas of KATO that are wanted."""
        return int(self.workload().spec.replicas)

    def scale(self, replicas: int) -> None:
        """Ask for this many replicas; where an autoscaler decides, of it."""
        scaler = self._found(self._autoscaling.read_namespaced_horizontal_pod_autoscaler, self.name)
        if scaler is not None:
            raise ClusterError(
                f"an autoscaler owns the number of replicas ({scaler.metadata.name}); leave the "
                "scaling out, or verify a stack without autoscaling"
            )
        kind = type(self.workload()).__name__
        patch = (
            self._apps.patch_namespaced_stateful_set_scale
            if kind == "V1StatefulSet"
            else self._apps.patch_namespaced_deployment_scale
        )
        self._ask(patch, self.name, self.namespace, {"spec": {"replicas": replicas}})

    def restart(self, tier: str) -> None:
        """Replace the tier's pods by its own rules for updates."""
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        body = {"spec": {"template": {"metadata": {"annotations": {_RESTARTED_AT: now}}}}}
        target = self.workload() if tier == KATO else self.balancer()
        if target is None:
            raise ClusterError("this stack has no balancer of its own")
        patch = (
            self._apps.patch_namespaced_stateful_set
            if type(target).__name__ == "V1StatefulSet"
            else self._apps.patch_namespaced_deployment
        )
        self._ask(patch, target.metadata.name, self.namespace, body)

    def kill(self, pod: Pod) -> None:
        """End the pod at once: without a pause and without time to finish."""
        self._ask(
            self._core.delete_namespaced_pod, pod.name, self.namespace, grace_period_seconds=0
        )

    def evict(self, pod: Pod) -> None:
        """Ask for the pod to go, as a node drain does; waits while its budget says no."""
        eviction = client.V1Eviction(
            metadata=client.V1ObjectMeta(name=pod.name, namespace=self.namespace)
        )

        def accepted() -> bool:
            create = self._core.create_namespaced_pod_eviction
            try:
                self._ask(create, pod.name, self.namespace, eviction)
            except _NotYetError:
                return False
            return True

        wait_until(accepted, EVICTION_LIMIT, f"the disruption budget never let {pod.name} go")

    def settled(self) -> bool:
        """True when every tier is as it is wanted to be and no pod is leaving."""
        return all(
            _rolled_out(workload) and self._staffed(tier, workload.spec.replicas)
            for tier, workload in self._workloads()
        )

    def updated(self) -> bool:
        """True when every tier runs the newest version of its workload only, whether or not each
        pod is ready; pods that are leaving may still serve."""
        return all(_updated(workload) for _, workload in self._workloads())

    def _workloads(self) -> list[tuple[str, Any]]:
        tiers = ((KATO, self.workload()), (BALANCER, self.balancer()), (REDIS, self.redis()))
        return [(tier, workload) for tier, workload in tiers if workload is not None]

    def _staffed(self, tier: str, wanted: int) -> bool:
        """By the pods themselves: their controller still counts one that was just killed."""
        pods = self.pods(tier)
        return sum(pod.serves for pod in pods) == wanted and not any(pod.leaving for pod in pods)

    def wait_settled(self, limit: float = SETTLE_LIMIT) -> None:
        """Return when the stack has settled; raises ClusterError after ``limit`` seconds with
        what the pods wait for."""
        self._wait(self.settled, limit, "did not settle")

    def wait_updated(self, limit: float = SETTLE_LIMIT) -> None:
        """Return when the stack is updated; raises ClusterError after ``limit`` seconds with what
        the pods wait for."""
        self._wait(self.updated, limit, "was not updated")

    def _wait(self, done: Callable[[], bool], limit: float, problem: str) -> None:
        try:
            wait_until(done, limit, f"the stack in {self.namespace} {problem}")
        except ClusterError as error:
            raise ClusterError(f"{error}: {self._waiting(KATO, BALANCER, REDIS)}") from None

    def _waiting(self, *tiers: str) -> str:
        pods = [pod for tier in tiers for pod in self.pods(tier) if pod.waits_for]
        return "; ".join(f"{pod.name} {pod.waits_for}" for pod in pods) or "its controllers wait"

    def _replicas_of(self, name: str) -> Any | None:
        stateful = self._found(self._apps.read_namespaced_stateful_set, name)
        return stateful or self._found(self._apps.read_namespaced_deployment, name)

    def _found(self, read: Callable[..., Any], name: str) -> Any | None:
        try:
            return self._ask(read, name, self.namespace)
        except _NotFoundError:
            return None

    def _ask(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        try:
            return call(*arguments, _request_timeout=_REQUEST_LIMIT, **options)
        except ApiException as error:
            raise _explained(error) from None
        except HTTPError as error:
            raise ClusterError(
                f"the cluster does not answer ({type(error).__name__}); check KUBECONFIG and the "
                "context"
            ) from None


def wait_until(done: Callable[[], bool], limit: float, problem: str) -> None:
    """Ask again until it is done; raises ClusterError with the problem after ``limit`` seconds."""
    started = time.monotonic()
    while not done():
        if time.monotonic() - started > limit:
            raise ClusterError(f"{problem} (waited {limit:g} s)")
        time.sleep(_ASK_AGAIN)


def _pod(item: Any) -> Pod:
    conditions = {c.type: c.status for c in item.status.conditions or []}
    reasons = [c.message or c.type for c in item.status.conditions or [] if c.status == "False"]
    return Pod(
        name=item.metadata.name,
        uid=item.metadata.uid,
        address=item.status.pod_ip,
        ready=conditions.get("Ready") == "True",
        leaving=item.metadata.deletion_timestamp is not None,
        restarts=sum(c.restart_count for c in item.status.container_statuses or []),
        waits_for=reasons[0] if reasons else "",
    )


def _updated(workload: Any) -> bool:
    status = workload.status
    # A StatefulSet that was never updated counts no updated replica; a Deployment has no revision.
    revision = getattr(status, "update_revision", None)
    newest_only = (
        revision == status.current_revision
        if revision is not None
        else status.updated_replicas == status.replicas
    )
    return bool(status.observed_generation == workload.metadata.generation and newest_only)


def _rolled_out(workload: Any) -> bool:
    wanted, status = workload.spec.replicas, workload.status
    counts = (status.replicas, status.ready_replicas, status.available_replicas)
    return _updated(workload) and all((count or 0) == wanted for count in counts)


def _explained(error: ApiException) -> ClusterError:
    kind = {
        HTTPStatus.NOT_FOUND: _NotFoundError,
        HTTPStatus.TOO_MANY_REQUESTS: _NotYetError,
    }.get(error.status, ClusterError)
    return kind(
        f"the API server refused ({error.status} {error.reason}); check the rights of your "
        "kubeconfig's user"
    )
