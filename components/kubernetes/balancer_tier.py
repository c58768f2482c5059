"""The balancer's tier: replicas of nginx or HAProxy that agree on every session's owner."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from kato_balancing.model import Balancer

from .. import log_exporter
from ..balancer_programs import CERTIFICATE, CURRENT, KEY
from ..balancer_programs import Program as BalancerProgram
from . import monitoring
from .labels import Labels
from .monitoring import LogExporter
from .pods import NOTICE_SECONDS, Probes, Program, deployment, disruption_budget, metadata, probe
from .resources import Resources

TIER = "balancer"
PUBLIC, PRIVATE = "http", "private"

RESOURCES = (0.1, 128)
"""Cores and megabytes that a replica asks for by default."""

FAREWELL_SECONDS = 5
"""A pod's address outlives its balancer by this time, in which clients close their side of the last
connections. Later nobody answers that, and until the node forgets the half-closed connection, it
sends a new one that happens to have the same source port to the dead pod."""

_STOP_MARGIN_SECONDS = 5
_SETTLED_SECONDS = 5


# The shell is process 1, so that the image's own stop signal does not matter: Kubernetes' SIGTERM
# cuts requests off in nginx and in HAProxy, their own signal lets them end. A signal interrupts
# "wait", and the child may end before the next one: the last "wait" knows how (127: known already).
_RUN = """
{run} &
child=$! farewell=0
trap 'farewell={farewell}; kill -{signal} $child' TERM QUIT USR1 INT
while :; do
  wait $child; code=$?
  kill -0 $child 2>/dev/null || break
done
wait $child; last=$?
[ $last -eq 127 ] || code=$last
sleep $farewell
exit $code
"""


@dataclass(frozen=True, kw_only=True)
class BalancerTier:
    """What the balancer's tier needs to know from the rest of the stack."""

    name: str
    program: BalancerProgram
    image: str
    replicas: int
    resources: Resources
    rules: Balancer
    """The model; its ports and times do not depend on the servers' names."""
    configuration: pulumi.Input[str]
    tls: Mapping[str, pulumi.Input[str]] | None
    """Certificate and key by their file names."""
    exporter: LogExporter | None = None
    """Reads the balancer's log."""


def balancer_tier(
    tier: BalancerTier,
    *,
    labels: Labels,
    namespace: pulumi.Input[str],
    after: list[pulumi.Resource],
    child: pulumi.ResourceOptions,
) -> k8s.apps.v1.Deployment:
    """Declare the balancer's replicas and their disruption budget. A changed configuration is a
    new ConfigMap, and the replicas are replaced one after another, each ready before the next.

    They start ``after`` KATO: a balancer that comes first asks for names that are not there yet,
    and DNS servers remember that; when the deployment is settled, it knows its servers.
    """
    files = k8s.core.v1.ConfigMap(
        tier.name,
        metadata=metadata(labels, TIER, namespace),
        immutable=True,
        data={tier.program.file: tier.configuration},
        opts=child,
    )
    sources = [
        k8s.core.v1.VolumeProjectionArgs(
            config_map=k8s.core.v1.ConfigMapProjectionArgs(
                name=files.metadata.apply(lambda made: str(made.name))
            )
        )
    ]
    if tier.tls is not None:
        secret = k8s.core.v1.Secret(
            f"{tier.name}-tls",
            metadata=metadata(labels, TIER, namespace),
            immutable=True,
            string_data=dict(tier.tls),
            type="kubernetes.io/tls",
            opts=child,
        )
        sources.append(
            k8s.core.v1.VolumeProjectionArgs(
                secret=k8s.core.v1.SecretProjectionArgs(
                    name=secret.metadata.apply(lambda made: str(made.name))
                )
            )
        )
    disruption_budget(tier.name, labels, TIER, namespace, child)
    return deployment(
        tier.name,
        labels,
        _program(tier, sources),
        namespace=namespace,
        replicas=tier.replicas,
        settled_seconds=_SETTLED_SECONDS,
        opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=after)),
    )


def supervised(program: BalancerProgram) -> str:
    """The shell's text that runs the balancer as its child."""
    signal = program.stop_signal.removeprefix("SIG")
    return _RUN.format(run=program.run, signal=signal, farewell=FAREWELL_SECONDS)


def _program(tier: BalancerTier, sources: list[k8s.core.v1.VolumeProjectionArgs]) -> Program:
    run = tier.program
    rules = tier.rules
    health = (run.renderer.HEALTH_PATH, PRIVATE)
    exporter = tier.exporter
    logged = {log_exporter.FOLDER: monitoring.VOLUME} if exporter else {}
    return Program(
        tier=TIER,
        image=tier.image,
        resources=tier.resources,
        ports={PUBLIC: rules.listener.port, PRIVATE: rules.listener.private_port},
        command=["sh", "-uc", supervised(run)],
        probes=Probes(
            startup=probe(get=health, period=1, timeout=1, failures=60),
            readiness=probe(get=health, period=2, timeout=1, failures=2),
            liveness=probe(port=PUBLIC, period=10, timeout=5, failures=3),
        ),
        pause_seconds=NOTICE_SECONDS,
        grace_seconds=math.ceil(
            NOTICE_SECONDS + rules.drain.seconds + FAREWELL_SECONDS + _STOP_MARGIN_SECONDS
        ),
        volumes=[
            k8s.core.v1.VolumeArgs(
                name="configuration",
                projected=k8s.core.v1.ProjectedVolumeSourceArgs(sources=sources),
            ),
            *([exporter.volume()] if exporter else []),
        ],
        mounts={CURRENT: "configuration", **logged},
        writable=list(logged),
        helpers=[exporter.container()] if exporter else [],
        revision_label="pod-template-hash",
    )


def balancer_service(
    name: str,
    *,
    labels: Labels,
    namespace: pulumi.Input[str],
    port: int,
    load_balancer: bool,
    annotations: Mapping[str, str],
    child: pulumi.ResourceOptions,
) -> k8s.core.v1.Service:
    """The Service by which clients reach the balancer."""
    return k8s.core.v1.Service(
        name,
        metadata=metadata(labels, TIER, namespace, name, annotations),
        spec=k8s.core.v1.ServiceSpecArgs(
            type="LoadBalancer" if load_balancer else "ClusterIP",
            selector=labels.select(TIER),
            ports=[
                k8s.core.v1.ServicePortArgs(
                    name=PUBLIC, port=port, target_port=PUBLIC, protocol="TCP"
                )
            ],
            # The client's own address arrives, and no node forwards to another.
            external_traffic_policy="Local" if load_balancer else None,
        ),
        opts=child,
    )


def tls_files(
    certificate: pulumi.Input[str], key: pulumi.Input[str]
) -> dict[str, pulumi.Input[str]]:
    """Certificate and key under the names that the configuration has for them."""
    return {CERTIFICATE: certificate, KEY: pulumi.Output.secret(key)}
