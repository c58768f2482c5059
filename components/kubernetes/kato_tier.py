"""KATO's tier: replicas with stable names behind a session hash, or interchangeable ones.

Behind a session hash the replicas are a StatefulSet: a pod that is restarted keeps its name, which
is its place on the ring, so no other pod's sessions move. Where a Service or an Ingress keeps the
clients apart, names mean nothing, and a Deployment can start the new pod before the old one goes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from kato_balancing import kato
from kato_balancing.fields import Affinity

from ..kato_inputs import KatoInputs
from .labels import Labels
from .pods import (
    REVISIONS_KEPT,
    Probes,
    Program,
    deployment,
    disruption_budget,
    metadata,
    pod_template,
    probe,
)
from .resources import Resources

TIER = "kato"
PORT_NAME = "http"
PORT = kato.PORT

SETTLED_SECONDS = 10
"""A new pod has to stay ready this long before the next one is taken: until then every balancer
has learned its address."""

_MAXIMUM_AFFINITY_SECONDS = 86400
"""Longest time that a Service remembers a client."""

_READY_PERIOD_SECONDS = 2
_READY_FAILURES = 3
_ALIVE_PERIOD_SECONDS = 10
_ALIVE_FAILURES = 30
"""KATO's /health hangs while Redis hangs, and a restart would not help: only what lasts for five
minutes is taken for a deadlock."""

_START_LIMIT_SECONDS = 300

_DECLARED_WINS = {"pulumi.com/patchForce": "true"}
"""Somebody may have scaled by hand meanwhile; the next deployment says how many run again, instead
of ending in a conflict over who owns the number."""


@dataclass(frozen=True, kw_only=True)
class KatoTier:
    """What KATO's tier needs to know from the rest of the stack."""

    name: str
    tier: str = TIER
    """Label of the replicas."""
    inputs: KatoInputs
    affinity: Affinity
    replicas: int | None
    """None: the autoscaler's business."""
    resources: Resources
    pause_seconds: float
    """Before SIGTERM, so that whoever sends requests learns that the pod goes."""
    stores: pulumi.Input[Mapping[str, str]]

    @property
    def grace_seconds(self) -> int:
        """From the wish to stop to SIGKILL."""
        return math.ceil(self.pause_seconds + self.inputs.stop)


def headless_name(name: str) -> str:
    """Name of the Service that gives every replica a name of its own."""
    return f"{name}-replicas"


def kato_tier(
    tier: KatoTier,
    *,
    labels: Labels,
    namespace: pulumi.Input[str],
    after: list[pulumi.Resource],
    child: pulumi.ResourceOptions,
) -> pulumi.Resource:
    """Declare the replicas and their disruption budget; the workload."""
    environment = k8s.core.v1.Secret(
        f"{tier.name}-environment",
        metadata=metadata(labels, tier.tier, namespace),
        immutable=True,
        string_data=pulumi.Output.all(tier.stores, tier.inputs.environment).apply(
            lambda parts: {key: str(value) for part in parts for key, value in part.items()}
        ),
        opts=child,
    )
    stable = tier.affinity in (Affinity.SESSION, Affinity.NONE)
    program = Program(
        tier=tier.tier,
        image=tier.inputs.image,
        resources=tier.resources,
        ports={PORT_NAME: kato.PORT},
        probes=_probes(),
        grace_seconds=tier.grace_seconds,
        pause_seconds=tier.pause_seconds,
        environment=tier.inputs.own_environment,
        secret_environment=environment.metadata.apply(lambda made: str(made.name)),
        revision_label="controller-revision-hash" if stable else "pod-template-hash",
    )
    opts = pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=after))
    disruption_budget(tier.name, labels, tier.tier, namespace, child)
    if stable:
        return _stateful_set(tier, program, labels=labels, namespace=namespace, opts=opts)
    return deployment(
        tier.name,
        labels,
        program,
        namespace=namespace,
        replicas=tier.replicas,
        settled_seconds=SETTLED_SECONDS,
        opts=opts,
        annotations=_DECLARED_WINS,
    )


def _probes() -> Probes:
    """Readiness asks for what a request needs, Redis; liveness only whether the process answers."""
    return Probes(
        startup=probe(
            get=(kato.HEALTH_PATH, PORT_NAME),
            period=_READY_PERIOD_SECONDS,
            timeout=1,
            failures=_START_LIMIT_SECONDS // _READY_PERIOD_SECONDS,
        ),
        readiness=probe(
            get=(kato.REDIS_CHECK_PATH, PORT_NAME),
            period=_READY_PERIOD_SECONDS,
            timeout=1,
            failures=_READY_FAILURES,
        ),
        liveness=probe(
            get=(kato.HEALTH_PATH, PORT_NAME),
            period=_ALIVE_PERIOD_SECONDS,
            timeout=5,
            failures=_ALIVE_FAILURES,
        ),
    )


def _stateful_set(
    tier: KatoTier,
    program: Program,
    *,
    labels: Labels,
    namespace: pulumi.Input[str],
    opts: pulumi.ResourceOptions,
) -> k8s.apps.v1.StatefulSet:
    headless = headless_name(tier.name)
    k8s.core.v1.Service(
        headless,
        metadata=metadata(labels, tier.tier, namespace, headless),
        spec=k8s.core.v1.ServiceSpecArgs(
            cluster_ip="None",
            selector=labels.select(tier.tier),
            ports=[_port(kato.PORT)],
        ),
        opts=pulumi.ResourceOptions(parent=opts.parent),
    )
    return k8s.apps.v1.StatefulSet(
        tier.name,
        metadata=metadata(labels, tier.tier, namespace, tier.name, _DECLARED_WINS),
        spec=k8s.apps.v1.StatefulSetSpecArgs(
            service_name=headless,
            replicas=tier.replicas,
            # Scaling goes in one step; an update still takes one pod at a time.
            pod_management_policy="Parallel",
            update_strategy=k8s.apps.v1.StatefulSetUpdateStrategyArgs(type="RollingUpdate"),
            min_ready_seconds=SETTLED_SECONDS,
            revision_history_limit=REVISIONS_KEPT,
            selector=k8s.meta.v1.LabelSelectorArgs(match_labels=labels.select(tier.tier)),
            template=pod_template(labels, program),
        ),
        opts=opts,
    )


def direct_service(
    tier: KatoTier,
    *,
    labels: Labels,
    namespace: pulumi.Input[str],
    port: int,
    annotations: Mapping[str, str],
    child: pulumi.ResourceOptions,
) -> k8s.core.v1.Service:
    """The Service by which clients, or an Ingress controller, reach the replicas themselves."""
    by_client = tier.affinity is Affinity.CLIENT_IP
    seconds = min(_MAXIMUM_AFFINITY_SECONDS, 3 * tier.inputs.process.session_ttl)
    return k8s.core.v1.Service(
        tier.name,
        metadata=metadata(labels, tier.tier, namespace, tier.name, annotations),
        spec=k8s.core.v1.ServiceSpecArgs(
            type="ClusterIP",
            selector=labels.select(tier.tier),
            ports=[_port(port)],
            session_affinity="ClientIP" if by_client else "None",
            session_affinity_config=k8s.core.v1.SessionAffinityConfigArgs(
                # Longer than any session lives: a client that comes back finds its pod.
                client_ip=k8s.core.v1.ClientIPConfigArgs(timeout_seconds=seconds)
            )
            if by_client
            else None,
        ),
        opts=child,
    )


def _port(number: int) -> k8s.core.v1.ServicePortArgs:
    return k8s.core.v1.ServicePortArgs(
        name=PORT_NAME, port=number, target_port=PORT_NAME, protocol="TCP"
    )
